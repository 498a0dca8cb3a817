"""Which labels are doubted, how many are probably wrong, and what is never judged."""

import csv
import io
import json

import numpy as np
import pytest
from fitting_samples import features_of, flat, make_features

from embed.errors import LabelError, UsageError
from embed.learn import LabelIssue, LabelIssues, mislabelled, noise

CLASSES = ("ants", "bees", "moths", "wasps")


def relabelled(folder, wrong, per_class=40):
    """Return features whose first photographs of every class lie in the folder of the next, and the paths of these."""
    right = flat(per_class, CLASSES)
    names = dict(zip(CLASSES, (*CLASSES[1:], CLASSES[0]), strict=True))
    paths, moved = [], []
    for path in right:
        label, file = path.split("/")
        if int(file[:3]) < wrong:
            path = f"{names[label]}/was-{label}-{file}"
            moved.append(path)
        paths.append(path)
    order = np.argsort(paths)
    X = features_of(right, noise=0.3)[order]
    return make_features(folder, [paths[i] for i in order], X), moved


@pytest.mark.parametrize("wrong", [1, 4])
def test_as_many_are_marked_as_there_are_wrong_labels_and_they_are_the_wrong_ones(tmp_path, wrong):
    features, moved = relabelled(tmp_path, wrong)
    found = mislabelled(features)
    assert found.judged == 160
    assert abs(found.wrong - len(moved)) <= max(1, len(moved) // 4)
    marked = {one.path for one in found if one.probably_wrong}
    assert len(marked) == found.wrong and len(marked ^ set(moved)) <= max(1, len(moved) // 4)
    for one in found:
        if one.path in moved and one.path in marked:
            assert one.suggested == one.path.split("was-")[1].split("-")[0]
    doubts = [one.doubt for one in found]
    assert doubts == sorted(doubts, reverse=True)
    assert [one.probably_wrong for one in found] == [i < found.wrong for i in range(len(found))]
    assert mislabelled(features) == found


@pytest.mark.parametrize("classes", [CLASSES, CLASSES[:2]])
def test_where_every_label_is_right_none_is_marked(tmp_path, classes):
    paths = flat(12, classes)
    found = mislabelled(make_features(tmp_path, paths, features_of(paths, noise=0.1)))
    assert (found.wrong, found.judged, len(found)) == (0, len(paths), 0)


def test_the_label_that_is_given_for_another_class_is_recognised():
    """Three of ten bees are called ants; what is predicted knows of it, as it would where labels are learnt from."""
    generator = np.random.default_rng(0)
    true = np.repeat(np.arange(3), 200)
    given = np.where((true == 1) & (generator.random(600) < 0.3), 0, true)
    probabilities = np.full((600, 3), 0.05)
    probabilities[np.arange(600), true] = 0.9
    found = noise.mixed(probabilities, given, 1.0)
    assert found.noise[1] == pytest.approx([0.3, 0.7, 0], abs=0.1)
    assert found.noise.sum(axis=1) == pytest.approx(1)
    assert np.diag(found.noise)[[0, 2]].min() > 0.95
    assert found.right[given != true].max() < 0.5 < found.right[given == true].min()


@pytest.mark.parametrize(("others", "least", "most"), [([1], 0, 0.1), ([1, 2, 3, 4], 0.9, 1)])
def test_it_is_known_whether_labels_are_wrong_at_random_or_all_in_one_way(others, least, most):
    generator = np.random.default_rng(0)
    true = np.repeat(np.arange(5), 100)
    wrong = generator.random(500) < 0.2
    given = np.where(wrong, (true + generator.choice(others, 500)) % 5, true)
    probabilities = np.full((500, 5), 1e-4)
    probabilities[np.arange(500), true] = 1 - 4e-4
    assert least <= noise.mixed(probabilities, given, 1.0).evenness <= most


def test_probabilities_that_are_less_sure_than_they_might_be_are_sharpened():
    generator = np.random.default_rng(0)
    honest = generator.dirichlet(np.full(4, 0.2), 3000)
    given = np.array([generator.choice(4, p=row) for row in honest])
    shy = honest ** (1 / 2)
    shy /= shy.sum(axis=1, keepdims=True)
    assert noise.sharpness(honest, given) == pytest.approx(1, abs=0.2)
    assert noise.sharpness(shy, given) == pytest.approx(2, abs=0.4)


@pytest.mark.parametrize(
    ("wrong", "judged", "words"),
    [
        (0, 1, "No label stands out as wrong among the 1 label that was judged."),
        (0, 245, "No label stands out as wrong among the 245 labels that were judged."),
        (1, 245, "About 1 of 245 labels is probably wrong."),
        (12, 3068, "About 12 of 3,068 labels are probably wrong."),
    ],
)
def test_how_many_labels_are_wrong_reads_well(wrong, judged, words):
    issue = LabelIssue("a.jpg", "a", "b", 0.1, 0.9, 0.9, True)
    assert LabelIssues((issue,) * wrong, judged).in_words == words


def bursts(folder):
    """Return features of eight bursts of five photographs: those of one look the same, and looks say nothing of the label."""
    generator = np.random.default_rng(0)
    paths = [f"{('ants', 'bees')[i % 2]}/{i}-{shot}.jpg" for i in range(8) for shot in range(5)]
    X = np.repeat(generator.standard_normal((8, 24)), 5, axis=0) + 0.01 * generator.standard_normal((40, 24))
    order = np.argsort(paths)
    return make_features(folder, [paths[i] for i in order], X[order].astype(np.float32))


def test_photographs_of_one_group_do_not_vouch_for_one_another(tmp_path):
    features = bursts(tmp_path)
    assert len(mislabelled(features)) == 0
    assert len(mislabelled(features, group=r"regex:/(\d+)-")) >= 5  # a whole burst
    with pytest.raises(UsageError, match="group"):
        mislabelled(features, group="site")


def test_a_label_of_one_content_is_not_judged_and_judges_others(tmp_path):
    paths = [*flat(10, ("ants", "bees")), *(f"moths/{i}.jpg" for i in range(6))]
    contents = [path if path[0] != "m" else "one moth" for path in paths]
    found = mislabelled(make_features(tmp_path, paths, contents=contents))
    assert found.judged == 20 and not any(one.label == "moths" for one in found)


def test_what_cannot_be_judged_is_told_in_one_sentence(tmp_path):
    features = make_features(tmp_path, flat(6, ("ants", "bees")))
    with pytest.raises(LabelError, match="no label can be judged: photographs of one content or one group"):
        mislabelled(features, group=r"regex:(\.jpg)$")
    with pytest.raises(LabelError, match="at least two labels have 5 photographs each"):
        mislabelled(features, label_rule=r"regex:(ants)/")


def test_the_command_says_how_many_and_marks_which(tmp_path, run_embed):
    features, moved = relabelled(tmp_path, 4)
    done = run_embed("mislabelled", "--json", "-n", "5", "--cache", tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    wrong = mislabelled(features).wrong
    assert f"About {wrong} of 160 labels are probably wrong." in done.stderr
    assert (
        f"5 of {len(mislabelled(features))} doubtful labels are named, the most doubtful first" in done.stderr
    )
    rows = json.loads(done.stdout)
    assert [row["probably_wrong"] for row in rows] == [True] * 5 and rows[0]["path"] in moved
    assert list(rows[0])[:5] == ["path", "label", "suggested", "probability", "suggested_probability"]
    done = run_embed("mislabelled", "--csv", "--cache", tmp_path / "cache")
    marks = [row["probably_wrong"] for row in csv.DictReader(io.StringIO(done.stdout))]
    assert marks[:wrong] == ["yes"] * wrong and set(marks[wrong:]) <= {"no"}
    done = run_embed("mislabelled", "--group", "site", "--cache", tmp_path / "cache")
    assert done.returncode == 2 and "embed: --group 'site' is not known" in done.stderr
    assert "Traceback" not in done.stderr
