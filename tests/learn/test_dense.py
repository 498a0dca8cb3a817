"""The dense head: when it stops, what it keeps, and that scikit-learn predicts what Keras does."""

import random

import numpy as np
import pytest
from head_samples import blobs

from embed.errors import UsageError
from embed.learn.dense import DenseClassifier
from embed.learn.selection import fit_dense

SMALL = {"hidden": (16,), "epochs": 20, "learning_rate": 0.01}


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    "options", [{}, {"batch_norm": True, "l2": 0.01}, {"hidden": ()}, {"hidden": (8, 5), "dropout": 0.0}]
)
def test_the_pipeline_predicts_what_keras_does(classes, options):
    X, y = blobs(n=60, classes=classes)
    dense = DenseClassifier(**{**SMALL, "epochs": 4, **options}).fit(X, y)
    assert np.abs(dense.pipeline().predict_proba(X) - dense.predict_proba(X)).max() < 1e-5
    assert dense.pipeline().classes_.tolist() == sorted(set(y))


def test_it_stops_by_the_validation_part_and_keeps_its_best_epoch():
    X, y = blobs(n=200, noise=1.5)
    options = {**SMALL, "epochs": 60, "patience": 3, "learning_rate": 0.02}
    dense = DenseClassifier(**options).fit(X[:120], y[:120], validation=(X[120:], y[120:]))
    losses = [row["validation_loss"] for row in dense.history_]
    assert len(losses) == dense.best_epoch_ + 3 < 60
    assert dense.best_epoch_ == np.argmin(losses) + 1
    p = dense.predict_proba(X[120:])
    of_true = p[np.arange(80), np.searchsorted(dense.classes_, y[120:])]
    assert -np.log(of_true).mean() == pytest.approx(min(losses), rel=1e-4)
    assert dense.history_[-1]["loss"] < dense.history_[0]["loss"]


def test_it_trains_for_the_epochs_that_were_chosen_before():
    X, y = blobs(n=60)
    head = fit_dense(X, y, None, options=SMALL, chosen={"epochs": 3})
    assert len(head.curve) == 3 and head.chosen == {"epochs": 3}
    assert head.curve[0]["validation_loss"] is None


def test_the_same_seed_gives_the_same_bits_and_leaves_other_generators_alone():
    X, y = blobs(n=60)
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    expected = random.random(), np.random.random()  # noqa: NPY002
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    one, same, other = (
        fit_dense(X, y, None, options={**SMALL, "epochs": 3}, random_state=seed).predict_proba(X)
        for seed in (0, 0, 1)
    )
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert (random.random(), np.random.random()) == expected  # noqa: NPY002


def test_balanced_lets_a_rare_class_count_as_much():
    generator = np.random.default_rng(0)
    target = np.array([0] * 180 + [1] * 20)
    X = np.abs(generator.standard_normal((200, 8)) + 0.7 * target[:, None]).astype(np.float32)
    y = np.array(["a", "few"])[target]
    plain, balanced = (
        fit_dense(X, y, None, options=SMALL, balanced=flag).predict_proba(X) for flag in (False, True)
    )
    assert balanced[:, 1].mean() > plain[:, 1].mean() + 0.1


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, not 1"),
        ({"hidden": (0,)}, "hidden needs at least one unit"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"l2": -1.0}, "l2 must not be below 0"),
    ],
)
def test_what_cannot_be_trained_is_told(options, part):
    with pytest.raises(UsageError, match=part):
        DenseClassifier(**options)
