"""Heads as steps of arithmetic, against scikit-learn."""

import numpy as np
import pytest
from head_samples import blobs, fitted
from plain_arithmetic import Plain
from sklearn.ensemble import RandomForestClassifier

from embed.deploy import head as steps
from embed.errors import UsageError
from embed.learn import heads
from embed.learn.dense import DenseClassifier

CLOSE = {"rtol": 0, "atol": 1e-5}


def same(estimator, name, X):
    """Whether a head gives the same as steps, after they were bytes; rows of zeros and far ones too."""
    rows = np.concatenate([X, np.zeros_like(X[:1]), 100 * X[:3]]).astype(np.float32)
    head = steps.Head.from_bytes(steps.read(estimator, name).to_bytes())
    found = head.write(rows.astype(np.float64), Plain())
    np.testing.assert_allclose(found, estimator.predict_proba(rows), **CLOSE)


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("name", ["logistic", "linear-svm", "svm"])
def test_a_head_is_what_scikit_learn_computes(name, classes):
    X, y = blobs(150, classes=classes)
    same(fitted(name, X, y).estimator, name, X)
    signed = X - X.mean(axis=0)  # takes the cube root, or none
    same(fitted(name, signed, y).estimator, name, signed)


def test_a_kernel_between_landmarks_is_what_scikit_learn_computes(monkeypatch):
    monkeypatch.setattr(heads, "EXACT_KERNEL_ROWS", 10)
    monkeypatch.setattr(heads, "LANDMARKS", 40)
    X, y = blobs(150, classes=4)
    same(fitted("svm", X, y).estimator, "svm", X)


def test_a_projection_is_what_scikit_learn_computes(monkeypatch):
    monkeypatch.setattr(heads, "LONGEST", 16)
    monkeypatch.setattr(heads, "MOST_VALUES", 100)
    monkeypatch.setattr(heads, "PROJECTION_DENSITY", 0.5)
    X, y = blobs(90, classes=3)
    same(fitted("logistic", X, y).estimator, "logistic", X)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("hidden", [(), (8, 4)])
def test_a_dense_head_is_what_scikit_learn_computes(classes, hidden):
    X, y = blobs(90, classes=classes)
    network = DenseClassifier(hidden, batch_norm=True, epochs=3, batch_size=16).fit(X, y)
    same(network.pipeline(), "dense", X)


@pytest.mark.parametrize("name", ["knn", "dummy"])
def test_what_no_format_has_is_refused_in_a_sentence(name):
    X, y = blobs()
    with pytest.raises(
        UsageError, match=f"model '{name}' cannot be written .* logistic, linear-svm, svm and dense"
    ):
        steps.read(fitted(name, X, y).estimator, name)
    forest = RandomForestClassifier(3).fit(X, y)
    with pytest.raises(UsageError, match=r"'sklearn\.ensemble\.RandomForestClassifier' cannot be written"):
        steps.read(forest, "sklearn.ensemble.RandomForestClassifier")
