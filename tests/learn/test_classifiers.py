"""Every head: what it learns, chooses, repeats and keeps."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from head_samples import TRAINABLE, blobs, make

from embed.errors import UsageError
from embed.learn import heads as classifiers
from embed.learn.heads import preparing, saving


@pytest.fixture(scope="module")
def fitted():
    X, y = blobs()
    return {name: make(name).fit(X, y) for name in classifiers.HEADS}


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_head_learns_and_its_probabilities_are_probabilities(name, fitted):
    X, y = blobs(seed=0)
    X_new = X + np.float32(0.05)
    p = fitted[name].predict_proba(X_new)
    assert p.shape == (90, 3) and np.allclose(p.sum(axis=1), 1) and p.min() >= 0
    assert fitted[name].score(X_new, y) > 0.85
    assert fitted[name].classes_.tolist() == ["class 0", "class 1", "class 2"]


def test_the_dummy_says_the_most_frequent_class():
    X, y = blobs()
    head = make("dummy").fit(X[:-1], y[:-1])
    assert set(head.predict(X)) == {"class 0"}
    assert head.predict_proba(X[:1])[0] == pytest.approx([30 / 89, 30 / 89, 29 / 89])


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_head_keeps_its_numbers_through_a_file(name, fitted, tmp_path):
    X, _ = blobs(seed=1)
    again = saving.loads(saving.dumps(fitted[name]), tmp_path / "head.npz")
    assert np.array_equal(again.predict_proba(X), fitted[name].predict_proba(X))
    assert again.get_params() == fitted[name].get_params()
    assert again.chosen_ == fitted[name].chosen_


def test_two_fits_give_the_same_bits_whatever_the_number_of_threads(tmp_path):
    code = """
import sys; sys.path.insert(0, sys.argv[1])
import hashlib, numpy as np
from head_samples import blobs, make, TRAINABLE
X, y = blobs(n=400, d=300)
for name in TRAINABLE:
    print(name, hashlib.sha256(make(name).fit(X, y).predict_proba(X).tobytes()).hexdigest())
"""
    seen = set()
    for threads in ("1", "2"):
        variables = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        env = {**os.environ, **dict.fromkeys(variables, threads)}
        command = [sys.executable, "-c", code, str(Path(__file__).parents[1] / "support")]
        seen.add(subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout)
    assert len(seen) == 1
    assert len(seen.pop().splitlines()) == len(TRAINABLE)


@pytest.mark.parametrize("name", ["logistic", "linear-svm", "svm", "knn"])
def test_the_strength_is_the_one_with_the_lowest_held_out_loss(name, fitted):
    search = fitted[name].search_
    assert len(search) >= 3
    best = min(search, key=lambda row: row["penalised_loss"])
    assert {key: best[key] for key in fitted[name].chosen_} == fitted[name].chosen_
    assert best is not search[0] and best is not search[-1]
    assert all(0 <= row["penalised_loss"] - row["log_loss"] < 0.3 * 6**2 / 90 for row in search)


def test_few_photographs_move_the_strength_little_and_many_move_it_far():
    few, many = (
        {make("logistic").fit(*blobs(n=n, noise=1.0, seed=seed)).chosen_["C"] for seed in range(6)}
        for n in (24, 900)
    )
    assert few <= {3.0, 10.0, 30.0}
    assert max(many) <= 1.0


@pytest.mark.parametrize(
    ("name", "option"), [("logistic", {"C": 0.5}), ("svm", {"C": 2.0}), ("knn", {"n_neighbors": 4})]
)
def test_a_given_strength_is_used(name, option):
    X, y = blobs()
    head = make(name, **option).fit(X, y)
    assert head.chosen_ == option


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_head_can_be_fitted_on_two_photographs_of_each_class(name):
    X, y = blobs(n=6, noise=0.1)
    head = classifiers.make(name).fit(X, y)
    assert head.score(X, y) == 1.0


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_class_with_a_single_photograph_is_still_a_class(name):
    X, y = blobs(n=60, classes=2)
    X, y = np.concatenate([X, 3 - X[:1]]), np.append(y, "rare")
    head = make(name).fit(X, y)
    assert "rare" in head.classes_
    assert np.isfinite(head.predict_proba(X)).all()


@pytest.mark.parametrize("name", TRAINABLE)
@pytest.mark.parametrize(
    "X",
    [
        np.zeros((40, 30)),
        np.ones((40, 30)),
        np.arange(40.0)[:, None] % 7,
        1e12 * np.eye(40),
        np.repeat(np.eye(10), 4, axis=0),
    ],
    ids=["zeros", "constant", "one feature", "huge", "copies"],
)
def test_features_that_say_little_are_no_error(name, X):
    p = make(name).fit(X.astype(np.float32), np.arange(40) % 2).predict_proba(X.astype(np.float32))
    assert np.isfinite(p).all() and np.allclose(p.sum(axis=1), 1)


@pytest.mark.parametrize("name", ["logistic", "linear-svm", "svm"])
@pytest.mark.parametrize("d", [20, 200])
def test_a_penalty_of_next_to_nothing_or_everything_is_solved(name, d):
    X, y = blobs(n=60, d=d)
    assert make(name, C=1e8).fit(X, y).score(X, y) == 1.0
    assert np.isfinite(make(name, C=1e-8).fit(X, y).predict_proba(X)).all()


@pytest.mark.parametrize("name", ["logistic", "linear-svm", "svm", "dense", "knn", "dummy"])
def test_balanced_lets_a_rare_class_count_as_much(name):
    random = np.random.default_rng(0)
    target = np.array([0] * 180 + [1] * 20)
    X = np.abs(random.standard_normal((200, 8)) + 0.7 * target[:, None] * np.array([1, -1] * 4)).astype(
        np.float32
    )
    y = np.array(["many", "few"])[target]
    plain, balanced = make(name).fit(X, y), make(name, balanced=True).fit(X, y)
    few = balanced.classes_.tolist().index("few")
    assert balanced.predict_proba(X)[:, few].mean() > plain.predict_proba(X)[:, few].mean() + 0.1


def test_views_of_one_photograph_are_held_out_together():
    X, y = blobs(n=60)
    head = make("knn")
    groups = np.tile(np.arange(60), 3)
    fold = head._folds(np.tile(np.arange(60) % 3, 3), groups)
    assert all(len(set(fold[groups == group])) == 1 for group in range(60))
    # The twin of a photograph in another fold would make one neighbour the best choice.
    noise = np.random.default_rng(1).permutation(y)
    tripled = make("knn").fit(np.tile(X, (3, 1)), np.tile(noise, 3), groups)
    assert tripled.chosen_["n_neighbors"] > 3


def test_refitting_keeps_what_was_chosen():
    X, y = blobs(n=120)
    head = make("logistic").fit(X[:60], y[:60])
    chosen, calibration = head.chosen_, head.calibration_.copy()
    before = head.coef_.copy()
    head.refit(X, y)
    assert head.chosen_ == chosen and np.array_equal(head.calibration_, calibration)
    assert not np.array_equal(head.coef_, before)


@pytest.mark.parametrize(("n", "d"), [(200, 30), (40, 200)])
def test_softmax_regression_finds_the_minimum_that_scikit_learn_finds(n, d):
    from sklearn.linear_model import LogisticRegression

    X, y = blobs(n=n, d=d, noise=1.0)
    ours = classifiers.make("logistic", C=3.0).fit(X, y)
    prepared = preparing.prepare(X, ours.power)
    theirs = LogisticRegression(C=3.0, max_iter=1000, tol=1e-8).fit(prepared, y)
    found, expected = (
        scores - scores.mean(axis=1, keepdims=True)
        for scores in (ours._scores(prepared), theirs.decision_function(prepared))
    )
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


@pytest.mark.parametrize(("n", "d"), [(200, 30), (40, 200)])
def test_the_linear_machine_finds_the_minimum_that_scikit_learn_finds(n, d):
    from sklearn.svm import LinearSVC

    X, y = blobs(n=n, d=d, noise=1.0)
    ours = classifiers.make("linear-svm", C=1.0).fit(X, y)
    prepared = preparing.prepare(X, ours.power)
    # Theirs penalises the intercept, as one more weight; a large constant feature makes that of no account.
    theirs = LinearSVC(C=1.0, dual=False, intercept_scaling=100, max_iter=10_000, tol=1e-8).fit(prepared, y)
    expected = theirs.decision_function(prepared)
    assert np.abs(ours._scores(prepared) - expected).max() < 0.03 * np.abs(expected).max()


def test_many_photographs_are_seen_through_landmarks(monkeypatch):
    from embed.learn.heads import kernel

    X, y = blobs(n=300)
    exact = make("svm", C=1.0).fit(X, y)
    monkeypatch.setattr(kernel, "EXACT_AT_MOST", 100)
    monkeypatch.setattr(kernel, "LANDMARKS", 120)
    seen = make("svm", C=1.0).fit(X, y)
    assert seen.landmarks_.shape == (120, 24)
    assert np.mean(seen.predict(X) == exact.predict(X)) > 0.95
    # Landmarks that are all photographs see all there is to see.
    monkeypatch.setattr(kernel, "LANDMARKS", 300)
    whole, expected = (head._scores(head._prepare(X)) for head in (make("svm", C=1.0).fit(X, y), exact))
    assert np.abs(whole - expected).max() < 0.03 * np.abs(expected).max()


def test_neighbours_vote_by_how_similar_they_are():
    from embed.learn.heads.knn import PSEUDO_VOTES, SHARPNESS, votes

    X = np.array([[1, 0], [0.8, 0.6], [0, 1], [-1, 0]], np.float32)
    target, weight = np.array([0, 1, 1, 2]), np.array([1.0, 2.0, 1.0, 1.0])
    one, three = votes(X, target, weight, X[:1], [1, 3], 3)
    assert one[0] == pytest.approx(np.log(np.array([1, 0, 0]) + PSEUDO_VOTES))
    second = 2 * np.exp(SHARPNESS * -0.2) + np.exp(-SHARPNESS)
    assert three[0] == pytest.approx(np.log(np.array([1, second, 0]) / (1 + second) + PSEUDO_VOTES), rel=1e-5)


def test_long_vectors_are_sketched_where_there_are_many(monkeypatch, tmp_path):
    X, y = blobs(n=60, d=2000, noise=0.3)
    monkeypatch.setattr(preparing, "MOST_DIMENSIONS", 256)
    assert make("logistic").fit(X, y).coef_.shape == (3, 2000)
    monkeypatch.setattr(preparing, "MOST_VALUES", 59 * 2000)
    head = make("logistic").fit(X, y)
    assert head.coef_.shape == (3, 256) and head.score(X, y) > 0.9
    # What is sketched once stays so, however few are asked about or fitted on again.
    assert saving.loads(saving.dumps(head), tmp_path / "head.npz").score(X[:5], y[:5]) > 0.9
    assert head.refit(X[:50], y[:50]).coef_.shape == (3, 256)
    products = preparing.prepare(X, 1.0) @ preparing.prepare(X, 1.0).T
    sketched = preparing.prepare(X, 1.0, sketched=True)
    assert np.abs(products - sketched @ sketched.T).max() < 0.35


def test_probabilities_are_calibrated():
    random = np.random.default_rng(0)
    target = random.integers(0, 2, 1200)
    X = np.abs(random.standard_normal((1200, 16)) + 1.2 * target[:, None] * np.array([1, 0] * 8)).astype(
        np.float32
    )
    for name in ("svm", "linear-svm", "logistic"):
        head = make(name).fit(X[:600], target[:600])
        p = head.predict_proba(X[600:])[:, 1]
        sure = p > 0.7
        assert abs(p[sure].mean() - target[600:][sure].mean()) < 0.08, name


@pytest.mark.parametrize("name", TRAINABLE)
def test_heads_are_scikit_learn_estimators(name):
    from sklearn.base import clone
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline

    X, y = blobs(n=60)
    head = make(name)
    assert clone(head).get_params() == head.get_params()
    assert cross_val_score(make_pipeline(head), X, y, cv=2).mean() > 0.6


CHECKS = (
    "check_estimators_dtypes",
    "check_fit_score_takes_y",
    "check_estimators_nan_inf",
    "check_estimators_overwrite_params",
    "check_dict_unchanged",
    "check_dont_overwrite_attributes",
    "check_fit_idempotent",
    "check_n_features_in",
    "check_classifier_data_not_an_array",
    "check_classifiers_one_label",
    "check_classifiers_classes",
    "check_supervised_y_2d",
    "check_parameters_default_constructible",
    "check_estimators_unfitted",
    "check_no_attributes_set_in_init",
    "check_readonly_memmap_input",
)  # of scikit-learn's own, those that fit in seconds and ask nothing of the accuracy on two made-up dimensions


@pytest.mark.parametrize("name", ["logistic", "dense", "svm", "knn"])
@pytest.mark.filterwarnings("ignore")
def test_heads_pass_the_checks_of_scikit_learn(name):
    from sklearn.utils.estimator_checks import check_estimator

    ran = [
        result
        for result in check_estimator(make(name), on_fail=None, on_skip=None)
        if result["check_name"] in CHECKS and result["status"] == "failed"
    ]
    assert [(result["check_name"], str(result["exception"])[:200]) for result in ran] == []


@pytest.mark.parametrize("name", ["logistic", "dense"])
def test_what_is_no_good_is_refused_and_what_is_no_array_is_taken(name):
    import pandas as pd
    from sklearn.exceptions import NotFittedError

    X, y = blobs(n=30)
    with pytest.raises(NotFittedError, match="call fit first"):
        make(name).predict(X)
    head = make(name).fit(X, y)
    p = head.predict_proba(X)
    spoilt = X.copy()
    spoilt[3, 4] = np.nan
    narrow = X[:, :-1].copy()
    for wrong, part in ((spoilt, "NaN"), (narrow, "23 features"), (X[0], "2D array"), (X[:0], "0 sample")):
        with pytest.raises(ValueError, match=part):
            head.predict(wrong)
    with pytest.raises(ValueError, match="NaN"):
        make(name).fit(spoilt, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make(name).fit(X, y[:-1])
    named = pd.DataFrame(X, columns=[f"f{i}" for i in range(24)])
    for same in (X.tolist(), X.astype(np.float64), named):
        again = make(name).fit(same, y.tolist())
        assert np.array_equal(again.predict_proba(same), p)
    assert again.feature_names_in_[0] == "f0"
    assert not hasattr(again.fit(X, y), "feature_names_in_")


def test_an_unknown_head_or_option_is_wrong_usage():
    with pytest.raises(UsageError, match="no classifier 'forest'; use logistic"):
        classifiers.make("forest")
    with pytest.raises(UsageError, match="cannot take depth"):
        classifiers.make("logistic", depth=3)
