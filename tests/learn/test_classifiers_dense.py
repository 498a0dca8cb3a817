"""The dense head: when it stops, its gradients, dropout."""

import numpy as np
import pytest
from head_samples import blobs, make

from embed.learn import heads as classifiers


def test_the_dense_head_keeps_its_best_epoch_and_a_learning_curve():
    X, y = blobs(n=240, noise=1.2)
    head = classifiers.make(
        "dense", hidden=(32,), epochs=60, patience=4, learning_rate=0.02, batch_size=32
    ).fit(X, y)
    assert head.history_.shape[1] == 4 and len(head.history_) < 60
    assert head.best_epoch_ == np.argmin(head.history_[:, 2])
    assert len(head.history_) == head.best_epoch_ + 5
    assert head.history_[-1, 0] < head.history_[0, 0]


def test_the_dense_head_stops_by_the_validation_part_it_is_given():
    X, y = blobs(n=120, noise=1.2)
    head = make("dense").fit(X[:90], y[:90], validation=(X[90:], y[90:]))
    assert head.best_epoch_ < len(head.history_) - 1
    probabilities = head.predict_proba(X[90:])
    raw = head._forward(head._prepare(X[90:]))
    assert probabilities.shape == raw.shape
    of_true = np.take_along_axis(raw, np.searchsorted(head.classes_, y[90:])[:, None], axis=1)[:, 0]
    loss = np.mean(np.log(np.exp(raw).sum(axis=1)) - of_true)
    assert loss == pytest.approx(head.history_[head.best_epoch_, 2], rel=1e-4)


@pytest.mark.parametrize(
    "options", [{}, {"batch_norm": True}, {"l2": 0.01}, {"batch_norm": True, "l2": 0.01}]
)
def test_the_gradients_of_the_dense_head_are_those_of_its_loss(options):
    X, y = blobs(n=16, d=6)
    head = classifiers.make("dense", hidden=(5, 4), dropout=0.0, epochs=2, **options).fit(X, y)
    target, weight = np.searchsorted(head.classes_, y), np.linspace(0.5, 1.5, 16)
    for array in (*head.weights_, *head.biases_, *head.norms_):
        array += np.float32(0.1)
    random = np.random.RandomState(0)
    arrays = [*head.weights_, *head.biases_, *head.norms_]

    def loss():
        inputs = X.astype(np.float64)
        for layer in range(2):
            inputs = inputs @ head.weights_[layer] + head.biases_[layer]
            if head.batch_norm:
                scale, shift = head.norms_[layer][:2]
                inputs = (inputs - inputs.mean(axis=0)) / np.sqrt(inputs.var(axis=0) + 1e-3) * scale + shift
            inputs = np.maximum(inputs, 0)
        scores = inputs @ head.weights_[2] + head.biases_[2]
        losses = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(16), target]
        return np.mean(weight * losses) + head.l2 * sum(
            float((w.astype(float) ** 2).sum()) for w in head.weights_
        )

    _, _, gradients = head._gradients(X, target, weight, random)
    for array, gradient in zip(arrays, gradients, strict=True):
        for index in [tuple(i) for i in np.argwhere(np.abs(gradient) > 1e-3)[:6]]:
            kept, at, seen = array[index], [], []
            for step in (1e-3, -1e-3):
                array[index] = kept + np.float32(step)
                at.append(float(array[index]))
                seen.append(loss())
            array[index] = kept
            slope = (seen[0] - seen[1]) / (at[0] - at[1])
            assert slope == pytest.approx(float(gradient[index]), rel=0.02, abs=2e-4)


def test_the_dense_head_sees_features_about_their_mean_and_keeps_it():
    X, y = blobs(n=120)
    head = make("dense").fit(X[:60], y[:60])
    seen = head._prepare(X[:60])
    assert np.abs(seen.mean(axis=0)).max() < 1e-5 and np.sqrt(np.mean(seen**2)) == pytest.approx(
        0.5, rel=1e-4
    )
    assert np.array_equal(head.refit(X, y)._prepare(X[:60]), seen)


def test_dropout_silences_units_in_training_only():
    X, y = blobs(n=60)
    head = classifiers.make("dense", hidden=(16,), dropout=0.5, epochs=3).fit(X, y)
    assert np.array_equal(head.predict_proba(X), head.predict_proba(X))
    target, weight = np.searchsorted(head.classes_, y), np.ones(60)
    losses = {head._gradients(X, target, weight, np.random.RandomState(seed))[0] for seed in (0, 1)}
    assert len(losses) == 2
