"""Features that have seen labels: nobody is judged on the photographs that their network was tuned on."""

import hashlib
import os

import numpy as np
import pytest
from fitting_samples import features_of, flat, make_features, with_splits

from embed import api
from embed.cache import join, tuned_on, write_tuned
from embed.cli import main
from embed.errors import CacheDamagedError, LabelError
from embed.learn import FitOptions, compare, fit, learning_curve, mislabelled

TUNED = {"tuned_from": "cd" * 32, "weights": "own.weights.h5"}


def tuned_features(folder, paths, seen, **changes):
    """Return features whose network was tuned on some photographs: those of a class are all the same."""
    X = features_of(paths, noise=0.5)
    of_class = features_of(paths, noise=0.0)
    known = np.array([path in seen for path in paths])
    X[known] = of_class[known]
    features = make_features(folder, paths, X, **{**TUNED, **changes})
    contents = sorted(hashlib.sha256(os.fsencode(path)).digest() for path in seen)
    write_tuned(features.folder, {"contents": b"".join(contents).hex()})
    return features


def test_the_photographs_that_were_tuned_on_are_known_by_their_content(tmp_path):
    paths = flat(5)
    features = tuned_features(tmp_path, paths, paths[:4])
    assert tuned_on(features).tolist() == [True] * 4 + [False] * 11
    assert not tuned_on(make_features(tmp_path, paths, dataset="plain")).any()


def test_a_held_out_photograph_that_was_tuned_on_is_not_scored(tmp_path):
    paths = with_splits((20, 6, 6))
    seen = [path for path in paths if path.startswith(("train/", "valid/"))]
    seen.append("test/ants/000.jpg")
    features = tuned_features(tmp_path, sorted(paths), seen)
    fitted = fit(features, FitOptions())
    assert len(fitted.evaluation) == 17
    assert "test/ants/000.jpg" not in fitted.evaluation.paths
    assert len(fitted.split.train) == 60 + 18 + 1
    assert any("tuned on 79 of these photographs" in note for note in fitted.notes)
    assert "without 19 that the network was tuned on" in fitted.split.description


def test_features_that_have_seen_no_label_are_fitted_as_before(tmp_path):
    paths = sorted(with_splits((20, 6, 6)))
    plain = fit(make_features(tmp_path, paths), FitOptions())
    other = fit(tuned_features(tmp_path, paths, ["elsewhere/a.jpg"], dataset="other"), FitOptions())
    assert plain.split.description == other.split.description == "folders"
    assert not any("tuned" in note for note in other.notes)


@pytest.mark.parametrize("cv", [None, 3])
def test_where_nothing_is_left_to_score_that_is_said(tmp_path, cv):
    paths = flat(20)
    features = tuned_features(tmp_path, paths, paths)
    with pytest.raises(LabelError, match="tuned on every photograph that would be scored"):
        fit(features, FitOptions(cv=cv))


def test_cross_validation_scores_the_others_only(tmp_path):
    paths = flat(20)
    features = tuned_features(tmp_path, paths, [path for path in paths if int(path[-7:-4]) < 14])
    fitted = fit(features, FitOptions(cv=4))
    assert len(fitted.evaluation) == 18
    assert all(int(path[-7:-4]) >= 14 for path in fitted.evaluation.paths)
    assert api.review(features, "logistic", explained=0).scores.changed == ""


def test_sets_are_compared_on_photographs_that_no_network_was_tuned_on(tmp_path):
    paths = flat(20)
    seen = [path for path in paths if int(path[-7:-4]) < 12]
    tuned, plain = tuned_features(tmp_path, paths, seen), make_features(tmp_path, paths)
    rows = list(compare([plain, tuned], ["logistic"]))
    assert [row.n for row in rows] == [24, 24]
    assert [row.n for row in compare([plain], ["logistic"])] == [60]
    with pytest.raises(LabelError, match="tuned on every photograph"):
        list(compare([plain, tuned_features(tmp_path, paths, paths, dataset="all")], ["logistic"]))
    assert {row.n for row in learning_curve(tuned)} <= set(range(1, 13))


def test_labels_that_were_learned_are_not_doubted(tmp_path):
    paths = flat(30)
    seen = [path for path in paths if int(path[-7:-4]) < 10]
    found = mislabelled(tuned_features(tmp_path, paths, seen))
    assert found.judged == 60
    assert not {one.path for one in found} & set(seen)
    with pytest.raises(
        LabelError, match=r"tuned on 90 of 90 photographs, and by features that have seen a label"
    ):
        mislabelled(tuned_features(tmp_path, paths, paths, dataset="all"))


def test_joined_features_have_seen_what_one_of_them_has_seen(tmp_path):
    paths = flat(10)
    plain = make_features(tmp_path, paths, backbone="other")
    joined = join(tmp_path / "cache", [plain, tuned_features(tmp_path, paths, paths[:7], dataset="tuned")])
    assert tuned_on(joined).sum() == 7


def test_nothing_is_scored_where_it_is_not_known_any_more_what_was_seen(tmp_path):
    features = tuned_features(tmp_path, flat(10), flat(5))
    file = features.folder / "tuned.json"
    file.write_bytes(file.read_bytes().replace(b"contents", b"content5"))
    with pytest.raises(
        CacheDamagedError, match=r"does not say which photographs .* run embed extract .* again"
    ):
        fit(features)
    file.unlink()
    for command in (["fit"], ["fit", "--cv", "3"], ["compare"], ["mislabelled"]):
        assert main([*command, "--cache", str(tmp_path / "cache"), "-q"][:-1]) == 1, command
