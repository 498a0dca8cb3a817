"""Class-activation maps: worked out by hand, exact where they say so, and made by the real backbone."""

import json
from itertools import product

import head_samples
import numpy as np
import pytest
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from embed import demo
from embed.backbones import Network, grid_spans
from embed.cache import open_features
from embed.errors import UsageError, WeightsError
from embed.explain import Explainer, class_map, shares
from embed.extract import FeatureOptions, extract_features
from embed.learn import FitOptions, fit, heads
from embed.learn.selection import Folds, fit_dense, fit_head
from embed.report import overlay

POOLINGS = ("avg", "max", "grid", "flatten")


@pytest.fixture
def random():
    return np.random.default_rng(0)


def pool(activations, pooling):
    if pooling == "flatten":
        return activations.reshape(-1)
    if pooling == "grid":
        spans = product(grid_spans(activations.shape[0]), grid_spans(activations.shape[1]))
        return np.concatenate([activations[a:b, c:d].mean(axis=(0, 1)) for (a, b), (c, d) in spans])
    return activations.mean(axis=(0, 1)) if pooling == "avg" else activations.max(axis=(0, 1))


def fitted(name, random, d=12, classes="abc", **arguments):
    y = np.array(list(classes) * 12)
    X = np.abs(random.normal(size=(len(y), d))) + (y[:, None] == np.array(list(classes))[:, None].T).repeat(
        d // len(classes), axis=1
    )
    return head_samples.fitted(name, X.astype(np.float32), y, **arguments).estimator


def logit(head, x, column):
    """The calibrated score of a class, computed as the steps of the head do."""
    classifier = head.named_steps["classifier"]
    seen = head[:-1].transform(x[None])
    if not hasattr(classifier, "calibrated_classifiers_"):
        scores = classifier.decision_function(seen)[0]
        return [-scores, scores][column] if scores.ndim == 0 else scores[column]
    (calibrated,) = classifier.calibrated_classifiers_
    scores = calibrated.estimator.decision_function(seen)[0]
    sigmoid = calibrated.calibrators[0 if scores.ndim == 0 else column]
    score = -(sigmoid.a_ * (scores if scores.ndim == 0 else scores[column]) + sigmoid.b_)
    return -score if scores.ndim == 0 and column == 0 else score


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_shares_of_the_cells_add_up_to_the_features(pooling, random):
    activations = random.normal(size=(3, 4, 5)).astype(np.float32)
    parts = shares(activations, pooling)
    assert parts.shape == (12, {"flatten": 60, "grid": 45}.get(pooling, 5))
    np.testing.assert_allclose(parts.sum(axis=0), pool(activations, pooling), rtol=1e-5, atol=1e-6)


def test_a_pooling_that_is_not_known_is_refused(random):
    with pytest.raises(UsageError, match="'median'"):
        shares(random.normal(size=(2, 2, 3)), "median")


def test_a_map_worked_out_by_hand():
    """Two channels, a 1 × 2 map, no root: features (2, 1), of length √5."""
    X = np.eye(2, dtype=np.float32).repeat(6, axis=0)
    steps = [("normalizer", Normalizer()), ("classifier", LogisticRegression())]
    head = Pipeline(steps).fit(X, list("aaaaaabbbbbb"))
    head.named_steps["classifier"].coef_ = np.array([[-3.0, 5.0]], np.float32)
    head.named_steps["classifier"].intercept_ = np.array([0.5], np.float32)
    activations = np.array([[[4.0, 0.0], [0.0, 2.0]]], np.float32)
    # a cell's share is half of its activations; the score is (-3 · 2 + 5 · 1) / √5 + 0.5
    found = class_map(head, activations, "avg", label="b")
    np.testing.assert_allclose(found.cells, [[-3 * 2 / 5**0.5, 5 * 1 / 5**0.5]], rtol=1e-6)
    assert found.exact and found.bias == pytest.approx(0.5)
    score = (-6 + 5) / 5**0.5 + 0.5
    assert found.probability == pytest.approx(1 / (1 + np.exp(-score)), rel=1e-5)
    assert (found.label, found.predicted) == ("b", "b" if score > 0 else "a")
    against = class_map(head, activations, "avg", label="a")
    np.testing.assert_allclose(against.cells, -found.cells)
    assert against.bias == -found.bias


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("root", ["none", "sqrt", "cbrt"])
@pytest.mark.parametrize("name", ["logistic", "linear-svm"])
@pytest.mark.parametrize("classes", ["ab", "abc"])
def test_the_cells_of_a_linear_head_and_its_bias_add_up_to_the_logit(classes, name, root, pooling, random):
    activations = np.abs(random.normal(size=(3, 3, 12))).astype(np.float32)
    activations[:, :, 7] = 0  # a channel that nothing excites has no share, and no division by zero
    x = pool(activations, pooling)
    head = fitted(name, random, d=len(x), classes=classes, chosen={"root": root, "C": 3.0})
    for column, label in enumerate(classes):
        found = class_map(head, activations, pooling, label=label)
        assert found.exact and found.method == "class-activation map (exact)"
        assert found.cells.shape == (3, 3)
        total = found.cells.sum() + found.bias
        assert total == pytest.approx(logit(head, x, column), rel=1e-4, abs=1e-4)
        if len(classes) == 2:
            assert found.probability == pytest.approx(1 / (1 + np.exp(-total)), rel=1e-4)


def test_the_cells_of_a_projected_head_add_up_to_the_logit_too(random, monkeypatch):
    monkeypatch.setattr(heads, "LONGEST", 64)
    monkeypatch.setattr(heads, "MOST_VALUES", 0)
    monkeypatch.setattr(heads, "PROJECTION_DENSITY", 1 / 4)
    activations = np.abs(random.normal(size=(3, 3, 12))).astype(np.float32)
    x = activations.reshape(-1)
    head = fitted("logistic", random, d=len(x))
    assert "projection" in head.named_steps
    p = head.predict_proba(x[None])[0]
    maps = [class_map(head, activations, "flatten", label=label) for label in "abc"]
    assert all(one.exact for one in maps)
    logits = np.array([one.cells.sum() + one.bias for one in maps])
    np.testing.assert_allclose(np.exp(logits) / np.exp(logits).sum(), p, rtol=1e-4)


@pytest.mark.parametrize(
    "classifier", [DecisionTreeClassifier(), MLPClassifier((4,), solver="lbfgs", max_iter=9999)]
)
def test_any_classifier_is_explained_by_slopes(classifier, random):
    activations = np.abs(random.normal(size=(3, 3, 12))).astype(np.float32)
    y = np.array(list("abc") * 12)
    head = classifier.fit(np.abs(random.normal(size=(36, 12))).astype(np.float32), y)
    found = class_map(head, activations, "avg", label="b")
    assert not found.exact and found.method == "Grad-CAM" and np.isfinite(found.cells).all()


class Quadratic:
    """Log-odds of class 1 are ½ Σ x², so that the slope along v is x · v."""

    classes_ = np.array(["0", "1"])

    def predict_proba(self, X):
        p = 1 / (1 + np.exp(-0.5 * np.sum(np.square(X, dtype=np.float64), axis=1)))
        return np.stack([1 - p, p], axis=1)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_curved_head_gets_the_slope_of_its_log_odds_along_every_share(pooling, random):
    activations = random.normal(size=(2, 3, 4)).astype(np.float32)
    found = class_map(Quadratic(), activations, pooling, label="1")
    x = pool(activations, pooling)
    np.testing.assert_allclose(found.cells.ravel(), shares(activations, pooling) @ x, rtol=1e-3, atol=1e-4)
    assert not found.exact and found.method == "Grad-CAM"
    against = class_map(Quadratic(), activations, pooling, label="0")
    np.testing.assert_allclose(against.cells, -found.cells, atol=1e-4)


def test_the_slopes_of_average_pooling_are_grad_cam(random):
    """Grad-CAM weighs each channel by the mean over the cells of the gradient of the score with respect to it."""
    activations = random.normal(size=(4, 4, 6)).astype(np.float32)
    features = activations.mean(axis=(0, 1))
    weights = features / 16  # gradient of ½ Σ x² with respect to a cell, the same for all
    found = class_map(Quadratic(), activations, "avg", label="1")
    np.testing.assert_allclose(found.cells, activations @ weights, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["dense", "svm", "knn"])
def test_heads_that_are_not_linear_say_so_and_find_the_cell_that_matters(name, random):
    X = np.abs(random.normal(size=(60, 6))).astype(np.float32) * 0.3
    y = np.array(["left", "right"] * 30)
    X[::2, 0] += 1
    X[1::2, 1] += 1
    head = fit_dense(X, y, None).estimator if name == "dense" else head_samples.fitted(name, X, y).estimator
    activations = np.full((1, 2, 6), 0.15, np.float32)
    activations[0, 0, 0] += 1.1  # the first cell shows what makes "left"
    activations[0, 1, 1] += 0.9
    found = class_map(head, activations, "avg", label="left")
    assert not found.exact
    assert found.cells[0, 0] > 0 > found.cells[0, 1]


def test_a_map_that_is_not_what_the_head_was_given_is_no_exact_one(random):
    """ConvNeXt normalises after pooling: the pooled map is then not the features."""
    activations = np.abs(random.normal(size=(3, 3, 12))).astype(np.float32)
    head = fitted("logistic", random)
    given = pool(activations, "avg")
    assert class_map(head, activations, "avg", features=given * 1.001).exact
    shifted = class_map(head, activations, "avg", features=given + 1)
    assert not shifted.exact
    assert shifted.probability == pytest.approx(head.predict_proba((given + 1)[None]).max())


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        RandomForestClassifier(10, random_state=0),
        # named like the steps of a head of this package, but other steps
        Pipeline([("normalizer", Normalizer("l1")), ("classifier", LogisticRegression())]),
        Pipeline([("root", StandardScaler()), ("classifier", LogisticRegression())]),
    ],
    ids=lambda estimator: "-".join(getattr(estimator, "named_steps", [type(estimator).__name__])),
)
def test_estimators_of_others_are_explained_too(estimator, random):
    X, y = np.abs(random.normal(size=(30, 6))), np.arange(30) % 3
    activations = random.random((2, 2, 6))
    found = class_map(estimator.fit(X, y), activations, "avg", label="2")
    assert (found.label, found.exact) == ("2", False)
    assert found.cells.shape == (2, 2) and np.isfinite(found.cells).all()
    assert found.probability == pytest.approx(estimator.predict_proba(pool(activations, "avg")[None])[0, 2])


def test_a_head_that_averages_several_calibrations_is_not_taken_for_linear(random):
    X, y = head_samples.blobs(n=36, d=12)
    train, held_out = np.arange(24), np.arange(24, 36)
    folds = Folds([(train, held_out), (np.arange(12, 36), np.arange(12))], whole=False)
    head = fit_head("linear-svm", X, y, folds, chosen={"C": 1.0, "root": "none"}).estimator
    assert not class_map(head, np.ones((2, 2, 12), np.float32), "avg", label="class 0").exact


def test_a_classifier_without_probabilities_is_refused_in_a_sentence(random):
    X, y = head_samples.blobs(n=36, d=12)
    with pytest.raises(UsageError, match="LinearSVC has no predict_proba"):
        class_map(LinearSVC().fit(X, y), np.ones((2, 2, 12)), "avg")


def test_a_class_that_the_head_does_not_know_is_refused_with_those_that_it_knows(random):
    with pytest.raises(UsageError, match=r"'zebra'.*a, b, c"):
        class_map(fitted("logistic", random), np.ones((2, 2, 12)), "avg", label="zebra")


# ---- the picture


def test_heat_lies_where_the_network_looked():
    cells = np.zeros((4, 4))
    cells[0, 0], cells[3, 3] = 2.0, -1.0
    stretched = np.asarray(overlay.heat_image(cells, 80, 40))
    assert stretched.shape == (40, 80, 4)
    assert tuple(stretched[0, 0, :3]) == overlay.FOR and stretched[0, 0, 3] > 150
    assert tuple(stretched[39, 79, :3]) == overlay.AGAINST and 0 < stretched[39, 79, 3] < 120
    assert stretched[20, 40, 3] == 0
    cropped = np.asarray(overlay.heat_image(cells, 80, 40, "crop"))
    assert cropped[0, 20, 3] > 150 and not cropped[:, :20, 3].any() and not cropped[:, 60:, 3].any()
    padded = np.asarray(overlay.heat_image(np.ones((4, 4)), 80, 40, "pad"))
    assert padded.shape == (40, 80, 4) and (padded[..., 3] > 150).all()
    top = np.asarray(overlay.heat_image(cells, 80, 40, "pad"))
    assert top[..., 3].max() < 150, "the strongest cell is in the padding, above the photograph"


def test_a_map_without_evidence_is_clear():
    assert not np.asarray(overlay.heat_image(np.zeros((3, 3)), 30, 30))[..., 3].any()


# ---- with the real backbone


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A drawn data set with features of `tiny` and two heads, the linear one fitted last."""
    folder = tmp_path_factory.mktemp("drawn")
    demo.draw(folder / "pictures", train=8, test=3)
    extract_features(folder / "pictures", folder / "cache", FeatureOptions(network=Network("tiny")))
    features = open_features(folder / "cache")
    for name in ("dense", "logistic"):
        fit(features, FitOptions(classifier=name))
    return folder


def test_the_map_of_the_real_backbone_pools_to_the_cached_features(drawn):
    features = open_features(drawn / "cache")
    head = fitted_head(features)
    files = [features.root / path for path in features.paths[:20]]
    for row, one in enumerate(Explainer(features, head).explain((file, [None]) for file in files)):
        (found,) = one.maps
        x = features.rows([row])
        probabilities = head.predict_proba(x)[0]
        assert found.exact and found.cells.shape == (7, 7)
        assert found.label == found.predicted == head.classes_[probabilities.argmax()]
        assert found.probability == pytest.approx(probabilities.max())
        expected = logit(head, x[0].astype(np.float64), int(probabilities.argmax()))
        assert found.cells.sum() + found.bias == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_the_map_of_a_photograph_and_its_mirror_image_is_exact(drawn, tmp_path):
    extract_features(drawn / "pictures", tmp_path, FeatureOptions(network=Network("tiny", mirror=True)))
    features = open_features(tmp_path)
    fit(features, FitOptions(classifier="logistic"))
    head = fitted_head(features)
    (one,) = Explainer(features, head).explain([(features.root / features.paths[0], [None])])
    (found,) = one.maps
    x = features.rows([0])[0].astype(np.float64)
    expected = logit(head, x, int(head.predict_proba(x[None]).argmax()))
    assert found.exact and found.cells.sum() + found.bias == pytest.approx(expected, rel=1e-3, abs=1e-3)


def fitted_head(features, name="logistic"):
    from embed.learn import load

    return load(features, name).head


def test_unreadable_photographs_say_why_and_the_others_go_on(drawn, tmp_path):
    features = open_features(drawn / "cache")
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture")
    good = features.root / features.paths[0]
    wanted = [(bad, [None]), (good, ["fish", "star"]), (tmp_path / "gone.jpg", [None])]
    wanted[1] = (good, list(fitted_head(features).classes_[:2]))
    first, second, third = Explainer(features, fitted_head(features)).explain(wanted)
    assert first.problem and third.problem and not first.maps and not third.maps
    assert [found.label for found in second.maps] == wanted[1][1]


def test_other_weights_than_those_of_the_features_are_refused(drawn, keras_home):
    features = open_features(drawn / "cache")
    (file,) = (keras_home / "models").glob("*.h5")
    explainer = Explainer(features, fitted_head(features), weights=file)
    with pytest.raises(WeightsError, match="does not hold the weights"):
        next(explainer.explain([(features.root / features.paths[0], [None])]))


def test_the_command_writes_pictures_and_prints_where(drawn, run_embed, tmp_path):
    names = ["fish-000.jpg", "fish-001.jpg"]
    photographs = [drawn / "pictures/test/fish" / name for name in names]
    at = ("--cache", drawn / "cache")
    printed = run_embed("explain", *photographs, *at, "--out", "why", check=True).stdout.splitlines()
    assert [line.split("\t")[-1] for line in printed[1:]] == [
        f"why/{name[:-4]}.explained.png" for name in names
    ]
    for name in names:
        with Image.open(tmp_path / f"why/{name[:-4]}.explained.png") as picture:
            assert picture.format == "PNG" and picture.width > picture.height
    (document,) = json.loads(
        run_embed(
            "explain", photographs[0], *at, "--class", "fish", "--out", "a.png", "--json", check=True
        ).stdout
    )
    assert document["class"] == "fish" and document["exact"] and document["picture"] == "a.png"
    assert np.array(document["cells"]).shape == (7, 7) and (tmp_path / "a.png").is_file()
    (curved,) = json.loads(
        run_embed("explain", photographs[0], *at, "--model", "dense", "--json", check=True).stdout
    )
    assert curved["method"] == "Grad-CAM" and np.abs(curved["cells"]).max() > 0


def test_photographs_of_one_name_get_pictures_of_their_own(drawn, run_embed, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.jpg").write_bytes((drawn / "pictures/test/fish/fish-000.jpg").read_bytes())
    run_embed("explain", "a", "b", "--cache", drawn / "cache", check=True)
    assert {path.name for path in tmp_path.glob("*.png")} == {"one.explained.png", "one-2.explained.png"}


def test_what_cannot_work_is_one_sentence(drawn, run_embed, tmp_path):
    (tmp_path / "bad.jpg").write_text("no picture")
    at = ("--cache", drawn / "cache")
    photograph = drawn / "pictures/test/fish/fish-000.jpg"
    bad = run_embed("explain", "bad.jpg", *at)
    assert bad.returncode == 1 and bad.stderr.splitlines()[-1].startswith("embed: bad.jpg: ")
    assert bad.stderr.count("embed: ") == 1
    assert run_embed("explain", "bad.jpg", photograph, "--strict", *at).returncode == 3
    unknown = run_embed("explain", photograph, "--class", "zebra", *at)
    assert unknown.returncode == 2 and "fish" in unknown.stderr.splitlines()[-1]
    several = run_embed("explain", photograph, photograph, "--out", "one.png", *at)
    assert several.returncode == 2 and not (tmp_path / "one.png").exists()
