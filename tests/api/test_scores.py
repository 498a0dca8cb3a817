"""What a review holds: the numbers of the model, and beside them only what belongs to them."""

import numpy as np
import pytest
from fitting_samples import features_of, flat, make_features, with_splits

from embed.api import review
from embed.errors import ModelError, WeightsError
from embed.files import read_document, write_document
from embed.learn import FitOptions, fit

PATHS = [*with_splits(), "test/ants/b\udcffd <x>.jpg"]


@pytest.fixture
def features(tmp_path):
    return make_features(tmp_path, PATHS, noise_free(PATHS))


def noise_free(paths):
    """Features with a copy of a trained photograph among those scored."""
    X = features_of(paths)
    X[paths.index("test/ants/000.jpg")] = X[paths.index("train/ants/000.jpg")]
    return X


def test_the_numbers_are_those_of_the_model(features):
    fitted = fit(features, FitOptions())
    scores = review(features, explained=0).scores
    assert scores.model == "logistic" and scores.document == fitted.model.document
    assert scores.summary == fitted.model.evaluation().summary() and scores.changed == ""
    assert scores.classes["class"].tolist() == ["ants", "bees", "wasps"]
    assert scores.confusion.to_numpy().sum() == len(scores.predictions) == 31
    assert (
        scores.thresholds is None
        and (scores.calibration["accuracy_low"] <= scores.calibration["accuracy_high"]).all()
    )


def test_predictions_come_with_the_greatest_loss_first(features):
    fit(features, FitOptions())
    table = review(features, explained=0).scores.predictions
    assert (np.diff(table["loss"]) <= 0).all() and set(table["path"]) == {
        p for p in PATHS if p.startswith("test/")
    }
    np.testing.assert_allclose(table["label_probability"], np.exp(-table["loss"]), rtol=1e-6)
    each = [table[f"p({label})"][i] for i, label in enumerate(table["label"])]
    np.testing.assert_array_equal(table["label_probability"], each)


def test_of_equal_losses_the_wrong_answers_come_first(tmp_path):
    features = make_features(tmp_path, with_splits())
    fit(features, FitOptions(classifier="dummy"))
    table = review(features, explained=0).scores.predictions
    right = (table["predicted"] == table["label"]).tolist()
    assert table["loss"].nunique() == 1 and right == [False] * 20 + [True] * 10


def test_a_label_that_was_not_trained_on_has_no_probability(tmp_path):
    paths = [*with_splits(), "test/hornets/0.jpg"]
    features = make_features(tmp_path, paths)
    fit(features, FitOptions())
    table = review(features, explained=0).scores.predictions
    (row,) = table[table["label"] == "hornets"].to_dict("records")
    assert row["label_probability"] == 0 and row["predicted"] != "hornets"


def test_near_duplicates_across_the_split_are_named_with_their_labels(features):
    fit(features, FitOptions())
    scores = review(features, explained=0).scores
    first = scores.near_duplicates.iloc[0]
    assert (first["scored"], first["trained"]) == ("test/ants/000.jpg", "train/ants/000.jpg")
    assert first["scored_label"] == first["trained_label"] == "ants" and first["similarity"] == pytest.approx(
        1
    )
    assert scores.compared == 31


@pytest.mark.parametrize("cv", [None, 3])
def test_nothing_of_today_stands_beside_numbers_of_earlier_photographs(tmp_path, cv):
    paths = flat(10)
    features = make_features(tmp_path, paths)
    fitted = fit(features, FitOptions(cv=cv))
    assert review(features, explained=0).scores.changed == ""
    more = make_features(tmp_path, [*paths, "ants/new.jpg", "bees/new.jpg"])
    scores = review(more).scores
    assert "Run embed fit" in scores.changed and scores.summary == fitted.model.evaluation().summary()
    assert scores.near_duplicates.empty and scores.compared == 0 and not scores.maps and not scores.no_maps
    fit(more, FitOptions(cv=cv))
    assert review(more, explained=0).scores.changed == ""


def test_a_photograph_that_was_replaced_since_is_noticed(tmp_path):
    paths = with_splits()
    fit(make_features(tmp_path, paths), FitOptions())
    replaced = make_features(tmp_path, paths, contents=["another", *paths[1:]])
    scores = review(replaced).scores
    assert scores.changed and scores.near_duplicates.empty


def test_labels_that_have_changed_since_are_noticed(tmp_path):
    paths = with_splits()
    features = make_features(tmp_path, paths)
    table = tmp_path / "labels.csv"
    lines = [f"{path},{path.split('/')[1]}" for path in paths]
    table.write_text("\n".join(["path,label", *lines]))
    fit(features, FitOptions(labels=f"csv:{table}"))
    assert review(features, explained=0).scores.changed == ""
    assert lines[-1] == "test/wasps/009.jpg,wasps"
    for others in ([*lines[:-1], "test/wasps/009.jpg,bees"], lines[1:], lines[:10]):
        # One that is scored, one that is trained on, and a class that is left alone.
        table.write_text("\n".join(["path,label", *others]))
        assert review(features, explained=0).scores.changed


def test_what_keeps_maps_from_being_made_is_told(features, monkeypatch):
    fit(features, FitOptions())

    def refuse(*_, **__):
        raise WeightsError("the weights cannot be had")

    monkeypatch.setattr("embed.explain.Explainer.explain", refuse)
    assert review(features).scores.no_maps == "the weights cannot be had"
    assert review(features, explained=0).scores.no_maps == ""


def test_without_a_model_there_are_labels_by_the_rule(features):
    found = review(features, labels="regex:(ants|bees)")
    assert found.scores is None and found.labels.classes == ["ants", "bees"]


def test_a_model_that_is_named_must_be_there(features):
    fit(features, FitOptions())
    with pytest.raises(ModelError, match="svm"):
        review(features, "svm")


def test_a_review_labels_by_the_rule_as_the_model_knew_it(tmp_path):
    folders = ("training/ants", "training/bees", "testing/ants", "testing/bees")
    features = make_features(tmp_path, flat(8, folders))
    fit(features, FitOptions(labels_version=1))
    found = review(features, explained=0)
    assert found.labels.classes == ["testing", "training"] and found.scores.changed == ""


def test_a_model_that_has_to_be_fitted_again_is_told(features):
    model = fit(features, FitOptions()).model
    document = read_document(model.folder / "model.json")
    document["versions"]["scikit-learn"] = "1.0"
    write_document(model.folder, "model.json", document)
    told = []
    assert review(features, explained=0, notify=told.append).scores.model == "logistic"
    (sentence,) = told
    assert "was fitted by scikit-learn 1.0" in sentence
