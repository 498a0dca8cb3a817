"""Every head: what it learns, chooses, repeats and keeps."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from head_samples import TRAINABLE, blobs, fitted, folds

from embed.errors import UsageError
from embed.learn import choice, heads


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_head_learns_and_its_probabilities_are_probabilities(name):
    X, y = blobs()
    head = fitted(name, X, y)
    p = head.predict_proba(X + np.float32(0.05))
    assert p.shape == (90, 3) and np.allclose(p.sum(axis=1), 1) and p.min() >= 0
    assert np.mean(head.classes_[p.argmax(axis=1)] == y) > 0.85
    assert head.classes_.tolist() == ["class 0", "class 1", "class 2"]


def test_many_classes_of_few_photographs_are_fitted_without_a_word_of_the_library():
    X, y = blobs(n=30, classes=18)
    assert len(fitted("knn", X, y).classes_) == 18


def test_the_dummy_predicts_the_frequencies():
    X, y = blobs()
    head = fitted("dummy", X[:-1], y[:-1])
    assert head.predict_proba(X[:1])[0] == pytest.approx([30 / 89, 30 / 89, 29 / 89])
    balanced = fitted("dummy", X[:-1], y[:-1], balanced=True)
    assert balanced.predict_proba(X[:1])[0] == pytest.approx([1 / 3, 1 / 3, 1 / 3])


def test_two_fits_give_the_same_bits_whatever_the_number_of_threads():
    code = """
import sys; sys.path.insert(0, sys.argv[1])
import hashlib
from head_samples import blobs, fitted, TRAINABLE
X, y = blobs(n=400, d=300)
for name in TRAINABLE:
    print(name, hashlib.sha256(fitted(name, X, y).predict_proba(X).tobytes()).hexdigest())
"""
    seen = set()
    for threads in ("1", "2"):
        variables = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        env = {**os.environ, **dict.fromkeys(variables, threads)}
        command = [sys.executable, "-c", code, str(Path(__file__).parents[1] / "support")]
        seen.add(subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout)
    assert len(seen) == 1
    assert len(seen.pop().splitlines()) == len(TRAINABLE)


@pytest.mark.parametrize("name", TRAINABLE)
def test_root_and_strength_are_those_with_the_best_held_out_score(name):
    X, y = blobs(n=150, noise=1.0)
    head = fitted(name, X, y)
    strength = "n_neighbors" if name == "knn" else "C"
    roots = [row for row in head.search if "root" in row]
    strengths = [row for row in head.search if strength in row]
    assert {row["root"] for row in roots} == {"none", "sqrt"} and len(strengths) >= 3
    n = 0 if name == "logistic" else 150
    for rows, parameter in ((roots, "root"), (strengths, strength)):
        assert rows[choice._best([row["score"] for row in rows], n)][parameter] == head.chosen[parameter]


def test_the_first_candidate_stays_where_no_other_is_clearly_better():
    assert choice._best([0.80, 0.81, 0.70], 100) == 0
    assert choice._best([0.80, 0.81, 0.70], 100_000) == 1
    assert choice._best([0.70, 0.80, 0.81], 100) == 1
    assert choice._best([-0.5, -0.4, -0.45], 0) == 1


def test_features_below_zero_have_no_square_root():
    X, y = blobs()
    head = fitted("logistic", X - np.float32(0.5), y)
    assert {row["root"] for row in head.search if "root" in row} == {"none", "cbrt"}


def test_what_was_chosen_is_taken_over():
    X, y = blobs()
    chosen = {"root": "cbrt", "C": 0.125}
    head = fitted("linear-svm", X, y, chosen=chosen)
    assert head.chosen == chosen and head.search == []
    assert head.estimator.named_steps["root"].func is np.cbrt
    assert head.estimator.named_steps["classifier"].estimator.C == 0.125


@pytest.mark.parametrize(
    ("name", "option"),
    [("logistic", {"C": 0.5}), ("svm", {"C": 2.0, "gamma": 0.1}), ("knn", {"n_neighbors": 4})],
)
def test_a_given_strength_is_used(name, option):
    X, y = blobs()
    classifier = fitted(name, X, y, options=option).estimator.named_steps["classifier"]
    classifier = getattr(classifier, "estimator", classifier)
    assert {key: classifier.get_params()[key] for key in option} == option


@pytest.mark.parametrize("name", TRAINABLE)
@pytest.mark.parametrize("n", [2, 6])
def test_a_head_can_be_fitted_on_one_or_two_photographs_of_each_class(name, n):
    X, y = blobs(n=n, classes=2 if n == 2 else 3, noise=0.1)
    head = fitted(name, X, y)
    assert np.array_equal(head.classes_[head.predict_proba(X).argmax(axis=1)], y)


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_class_with_a_single_photograph_is_still_a_class(name):
    X, y = blobs(n=60, classes=2)
    X, y = np.concatenate([X, 3 - X[:1]]), np.append(y, "rare")
    head = fitted(name, X, y)
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
    X = X.astype(np.float32)
    p = fitted(name, X, np.array(["a", "b"])[np.arange(40) % 2]).predict_proba(X)
    assert np.isfinite(p).all() and np.allclose(p.sum(axis=1), 1)


@pytest.mark.parametrize("name", TRAINABLE)
def test_balanced_lets_a_rare_class_count_as_much(name):
    random = np.random.default_rng(0)
    target = np.array([0] * 180 + [1] * 20)
    signs = np.array([1, -1] * 4)
    X = np.abs(random.standard_normal((200, 8)) + 0.7 * target[:, None] * signs).astype(np.float32)
    y = np.array(["many", "few"])[target]
    plain, balanced = fitted(name, X, y), fitted(name, X, y, balanced=True)
    few = balanced.classes_.tolist().index("few")
    assert balanced.predict_proba(X)[:, few].mean() > plain.predict_proba(X)[:, few].mean() + 0.1


def test_many_photographs_are_seen_through_landmarks(monkeypatch):
    X, y = blobs(n=300)
    exact = fitted("svm", X, y, options={"C": 1.0})
    assert "kernel" not in exact.estimator.named_steps
    monkeypatch.setattr(heads, "EXACT_KERNEL_ROWS", 100)
    monkeypatch.setattr(heads, "LANDMARKS", 120)
    seen = fitted("svm", X, y, options={"C": 1.0})
    assert seen.estimator.named_steps["kernel"].components_.shape == (120, 24)
    assert np.mean(seen.predict_proba(X).argmax(axis=1) == exact.predict_proba(X).argmax(axis=1)) > 0.95


def test_long_vectors_are_projected_where_there_are_many(monkeypatch):
    X, y = blobs(n=60, d=2000, noise=0.3)
    monkeypatch.setattr(heads, "LONGEST", 256)
    monkeypatch.setattr(heads, "PROJECTION_DENSITY", 1 / 16)
    assert fitted("logistic", X, y).estimator.named_steps["classifier"].coef_.shape == (3, 2000)
    monkeypatch.setattr(heads, "MOST_VALUES", 59 * 2000)
    head = fitted("logistic", X, y)
    assert head.estimator.named_steps["classifier"].coef_.shape == (3, 256)
    assert np.mean(head.classes_[head.predict_proba(X).argmax(axis=1)] == y) > 0.9


def test_the_search_is_capped_and_leaves_no_class_out(monkeypatch):
    monkeypatch.setattr(choice, "SEARCHED_AT_MOST", 20)
    monkeypatch.setattr(choice, "HELD_OUT_AT_MOST", 30)
    monkeypatch.setattr(choice, "ENOUGH_HELD_OUT", 70)
    y = np.array(["a"] * 190 + ["b"] * 5 + ["c"] * 3)
    pairs = choice._capped(folds(y).pairs, y, 0)
    assert len(pairs) == 2
    assert all(len(held_out) == 30 for _, held_out in pairs)
    assert all(len(train) == 20 and set(y[train]) == {"a", "b", "c"} for train, _ in pairs)


def test_probabilities_are_calibrated():
    random = np.random.default_rng(0)
    target = random.integers(0, 2, 1200)
    X = np.abs(random.standard_normal((1200, 16)) + 1.2 * target[:, None] * np.array([1, 0] * 8)).astype(
        np.float32
    )
    for name in ("svm", "linear-svm", "logistic"):
        head = fitted(name, X[:600], np.array(["a", "b"])[target[:600]])
        p = head.predict_proba(X[600:])[:, 1]
        sure = p > 0.7
        assert abs(p[sure].mean() - target[600:][sure].mean()) < 0.08, name


def test_an_unknown_head_or_option_is_wrong_usage():
    with pytest.raises(UsageError, match="no classifier 'forest'; use logistic"):
        heads.check("forest", {})
    with pytest.raises(UsageError, match="no option depth; it has C"):
        heads.check("logistic", {"depth": 3})
    with pytest.raises(UsageError, match="C must be above 0"):
        heads.check("logistic", {"C": -1})
