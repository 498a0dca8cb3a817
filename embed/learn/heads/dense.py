"""A small dense network on features: hidden layers, dropout, L2, batch normalisation, early stopping.

Written on NumPy because scikit-learn's own network has neither dropout nor batch normalisation, and importing
Keras takes longer than fitting this one does.
"""

from itertools import pairwise
from typing import Any

import numpy as np

from embed.learn.heads import preparing
from embed.learn.heads.base import Candidate, Head
from embed.learn.heads.calibration import calibrate, fit_calibration
from embed.learn.heads.sampling import class_weights, deal
from embed.learn.heads.threads import one_blas_thread

SPREAD = 0.5  # root mean square of the values that the first layer is given
BATCH_NORM_MOMENTUM = 0.9  # share of the running statistics that a batch leaves as it was
BATCH_NORM_EPSILON = 1e-3
BATCH_SIZES = (8, 256)  # photographs per step where none is given
EPOCHS = (8, 40)  # passes over the photographs where none is given
VISITS = 100_000  # of photographs in training, so that a large set takes no longer than it needs
ADAM_BETAS = (0.9, 0.999)
ADAM_EPSILON = 1e-7


class DenseHead(Head):
    """Fully connected layers with ReLU and a softmax on top, trained with Adam on the cross-entropy.

    Its strength is when it stops: the epoch with the lowest loss on photographs held out of training is kept.

    Parameters:
        hidden: units of each hidden layer; () is softmax regression.
        dropout: share of the units of every hidden layer that is silenced at each step.
        l2: weight of the squared weights in the loss, as `keras.regularizers.L2` counts them.
        batch_norm: whether each hidden layer is normalised over the batch before its ReLU.
        learning_rate: the step of Adam, lowered along half a cosine to zero over `epochs`.
        batch_size: photographs per step; None is a sixteenth of them, between 8 and 256.
        epochs: passes over the training part at most; None is 40, fewer beyond 2,500 photographs, and never below 8.
        patience: epochs without a lower validation loss after which training stops; the best epoch is kept.
        validation_fraction: share held out, by class, where `fit` is given no validation part.
        power: exponent that features are raised to before they are scaled to length 1.
        class_weight: None or "balanced".
        random_state: seed of the weights, the order of the photographs and the dropout.

    Attributes:
        classes_: the K classes.
        centre_, factor_: the first layer is given (prepared features - centre_) * factor_; float32 ndarray of shape
            (d,), float.
        weights_, biases_: per layer, float32 ndarrays of shape (inputs, units) and (units,).
        norms_: per hidden layer, float32 ndarray of shape (4, units): scale, shift, mean, variance; empty without.
        history_: float64 ndarray of shape (epochs run, 4): loss and accuracy in training (dropout on), loss
            and accuracy on the held-out part (NaN where nothing could be held out).
        best_epoch_: index into `history_` of the epoch that was kept.
        calibration_: scale and offsets that turn scores into probabilities, shape (1 + K,).
    """

    name = "dense"
    own = ("centre_", "factor_", "weights_", "biases_", "norms_", "history_", "best_epoch_")

    def __init__(
        self,
        hidden: tuple[int, ...] = (256,),
        dropout: float = 0.5,
        l2: float = 0.0,
        batch_norm: bool = False,
        learning_rate: float = 1e-3,
        batch_size: int | None = None,
        epochs: int | None = None,
        patience: int = 5,
        validation_fraction: float = 0.1,
        power: float = 0.5,
        class_weight: str | None = None,
        random_state: int = 0,
    ) -> None:
        self.hidden = hidden
        self.dropout = dropout
        self.l2 = l2
        self.batch_norm = batch_norm
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.power = power
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None, validation: tuple[Any, Any] | None = None) -> Head:
        """Train on X, shape (n_samples, n_features), and y, shape (n_samples,).

        Args:
            X, y: photographs and their classes.
            groups: shape (n_samples,); rows of one group (views of one photograph, say) are held out together.
            validation: (X, y) to stop by; without it a share of the photographs is held out for that.
        """
        X, target, weight = self._start(X, y)
        self._check_parameters()
        self.sketched_ = self._needs_sketch(*X.shape)
        held_out = None
        with one_blas_thread():
            X = super()._prepare(X)
            # What ReLU made is nowhere below zero: about its mean it trains in half the epochs, and better.
            self.centre_ = X.mean(axis=0)
            X -= self.centre_
            mean_square = float(np.einsum("ij,ij->i", X, X).mean(dtype=np.float64)) / X.shape[1]
            self.factor_ = SPREAD / mean_square**0.5 if mean_square > 0 else 1.0
            X *= np.float32(self.factor_)
            if validation is not None:
                known = np.isin(validation[1], self.classes_)
                held_X = self._checked_rows(np.asarray(validation[0])[known])
                held_out = (
                    self._prepare(held_X),
                    np.searchsorted(self.classes_, np.asarray(validation[1])[known]),
                )
            else:
                out = self._held_out(target, groups)
                if out.any():
                    held_out = X[out], target[out]
                    X, target, weight = X[~out], target[~out], weight[~out]
            self._train(X, target, weight, held_out, self._epochs(len(X)))
            self.calibration_ = np.concatenate([[1.0], np.zeros(len(self.classes_))])
            self.held_out_ = None
            if held_out is not None:
                held_weight = class_weights(held_out[1], len(self.classes_), self.class_weight)
                self.calibration_ = fit_calibration(self._scores(held_out[0]), held_out[1], held_weight)
                self.held_out_ = held_out[1], calibrate(self._scores(held_out[0]), self.calibration_)
        self.chosen_, self.search_ = {"epochs": self.best_epoch_ + 1}, []
        return self

    def _prepare(self, X: np.ndarray) -> np.ndarray:
        X = super()._prepare(X)
        X -= self.centre_
        X *= np.float32(self.factor_)
        return X

    def _needs_sketch(self, n: int, d: int) -> bool:
        return d > preparing.MOST_DIMENSIONS  # its layers grow with every value

    def _fit_one(self, X: np.ndarray, target: np.ndarray, weight: np.ndarray, chosen: Candidate) -> None:
        """Train for the epochs that were found best, on everything; the learning curve of the search stays."""
        kept = {name: getattr(self, name) for name in ("history_", "best_epoch_")}
        self._train(X, target, weight, None, chosen["epochs"])
        self.__dict__.update(kept)

    def _scores(self, X: np.ndarray) -> np.ndarray:
        return self._forward(X)

    def _held_out(self, target: np.ndarray, groups: Any) -> np.ndarray:
        random = np.random.RandomState(self.random_state)
        group = np.arange(len(target)) if groups is None else np.unique(groups, return_inverse=True)[1]
        parts = max(2, round(1 / self.validation_fraction))
        draws = random.random_sample(group.max() + 1)
        # A class with fewer photographs than parts is dealt into as many as it can fill.
        for k in sorted({parts, 5, 3, 2} - set(range(parts + 1, 6)), reverse=True):
            fold = deal(target, group, draws, k)
            if len(np.unique(target[fold == 0])) >= 2:
                return fold == 0
        return np.zeros(len(target), dtype=bool)

    # ------------------------------------------------------------------ the network

    def _check_parameters(self) -> None:
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {self.dropout}")
        if any(units < 1 for units in self.hidden):
            raise ValueError(f"every hidden layer needs at least one unit, got {self.hidden}")
        for name in ("batch_size", "epochs"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.validation_fraction <= 0.5:
            raise ValueError(f"validation_fraction must lie in (0, 0.5], got {self.validation_fraction}")

    def _epochs(self, n: int) -> int:
        return self.epochs or int(np.clip(VISITS // n, *EPOCHS))

    def _initialise(self, n_features: int, random: np.random.RandomState) -> None:
        sizes = (n_features, *self.hidden, len(self.classes_))
        # He et al. 2015: the variance 2 / inputs keeps the size of the signal through a ReLU.
        self.weights_ = [
            (random.standard_normal((inputs, units)) * np.sqrt(2.0 / inputs)).astype(np.float32)
            for inputs, units in pairwise(sizes)
        ]
        self.biases_ = [np.zeros(units, np.float32) for units in sizes[1:]]
        self.norms_ = []
        if self.batch_norm:
            start = np.array([1, 0, 0, 1], np.float32)  # scale, shift, running mean, running variance
            self.norms_ = [np.repeat(start[:, None], units, axis=1) for units in self.hidden]

    def _train(
        self,
        X: np.ndarray,
        target: np.ndarray,
        weight: np.ndarray,
        held_out: tuple[np.ndarray, np.ndarray] | None,
        epochs: int,
    ) -> None:
        random = np.random.RandomState(self.random_state)
        self._initialise(X.shape[1], random)
        n = len(X)
        batch_size = self.batch_size or int(np.clip(n // 16, *BATCH_SIZES))
        steps_per_epoch = -(-n // batch_size)
        steps, step = self._epochs(n) * steps_per_epoch, 0
        adam = _Adam([*self.weights_, *self.biases_, *self.norms_])
        history: list[tuple[float, float, float, float]] = []
        best_loss, best = np.inf, self._copy()
        self.best_epoch_ = 0
        for epoch in range(epochs):
            order = random.permutation(n)
            loss = right = 0.0
            for start in range(0, n, batch_size):
                rows = order[start : start + batch_size]
                batch_loss, batch_right, gradients = self._gradients(
                    X[rows], target[rows], weight[rows], random
                )
                loss, right = loss + batch_loss, right + batch_right
                step += 1
                adam.step(gradients, self.learning_rate * 0.5 * (1 + np.cos(np.pi * (step - 1) / steps)))
            if held_out is None:
                history.append((loss / n, right / n, np.nan, np.nan))
                self.best_epoch_ = epoch
                continue
            held_loss, held_accuracy = self._score(*held_out)
            history.append((loss / n, right / n, held_loss, held_accuracy))
            if held_loss < best_loss:
                best_loss, best, self.best_epoch_ = held_loss, self._copy(), epoch
            elif epoch - self.best_epoch_ >= self.patience:
                break
        if held_out is not None:
            self.weights_, self.biases_, self.norms_ = best
        self.history_ = np.array(history)

    def _copy(self) -> tuple[list[np.ndarray], ...]:
        return tuple(
            [array.copy() for array in arrays] for arrays in (self.weights_, self.biases_, self.norms_)
        )

    def _forward(self, X: np.ndarray) -> np.ndarray:
        for layer in range(len(self.hidden)):
            X = X @ self.weights_[layer] + self.biases_[layer]
            if self.batch_norm:
                scale, shift, mean, variance = self.norms_[layer]
                X = (X - mean) * (scale / np.sqrt(variance + BATCH_NORM_EPSILON)) + shift
            X = np.maximum(X, 0)
        return X @ self.weights_[-1] + self.biases_[-1]

    def _score(self, X: np.ndarray, target: np.ndarray) -> tuple[float, float]:
        p = _softmax(self._forward(X))
        of_true = p[np.arange(len(X)), target]
        return float(-np.log(np.maximum(of_true, 1e-12)).mean()), float((p.argmax(axis=1) == target).mean())

    def _gradients(
        self, X: np.ndarray, target: np.ndarray, weight: np.ndarray, random: np.random.RandomState
    ) -> tuple[float, float, list[np.ndarray]]:
        """Return summed loss, correct answers, and the gradients in the order that Adam was given its parameters."""
        inputs, masks, normalised, deviations = [X], [], [], []
        for layer in range(len(self.hidden)):
            Z = inputs[-1] @ self.weights_[layer] + self.biases_[layer]
            if self.batch_norm:
                Z, Z_hat, deviation = self._normalise(Z, self.norms_[layer])
                normalised.append(Z_hat)
                deviations.append(deviation)
            mask = (Z > 0).astype(np.float32)
            if self.dropout:
                kept = random.randint(0, 2**16, Z.shape, np.uint16) >= self.dropout * 2**16
                mask *= kept.astype(np.float32) / np.float32(1 - self.dropout)
            masks.append(mask)
            inputs.append(Z * mask)
        p = _softmax(inputs[-1] @ self.weights_[-1] + self.biases_[-1])
        rows = np.arange(len(X))
        loss = float(-np.log(np.maximum(p[rows, target], 1e-12)).sum())
        right = float((p.argmax(axis=1) == target).sum())

        delta = p
        delta[rows, target] -= 1
        delta *= (weight / len(X)).astype(np.float32)[:, None]
        weight_gradients: list[np.ndarray] = [delta] * len(self.weights_)
        bias_gradients: list[np.ndarray] = [delta] * len(self.biases_)
        norm_gradients: list[np.ndarray] = [delta] * len(self.norms_)
        for layer in range(len(self.hidden), -1, -1):
            weight_gradients[layer] = inputs[layer].T @ delta + np.float32(2 * self.l2) * self.weights_[layer]
            bias_gradients[layer] = delta.sum(axis=0)
            if layer == 0:
                break
            delta = (delta @ self.weights_[layer].T) * masks[layer - 1]
            if self.batch_norm:
                Z_hat, norm = normalised[layer - 1], self.norms_[layer - 1]
                norm_gradients[layer - 1] = np.stack(
                    [
                        (delta * Z_hat).sum(axis=0),
                        delta.sum(axis=0),
                        np.zeros_like(norm[2]),
                        np.zeros_like(norm[3]),
                    ]
                )
                d = delta * norm[0]
                delta = (d - d.mean(axis=0) - Z_hat * (d * Z_hat).mean(axis=0)) / deviations[layer - 1]
        return loss, right, [*weight_gradients, *bias_gradients, *norm_gradients]

    def _normalise(self, Z: np.ndarray, norm: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Normalise over the batch (Ioffe and Szegedy 2015) and move the running mean and variance towards it."""
        mean, variance = Z.mean(axis=0), Z.var(axis=0)
        norm[2] = BATCH_NORM_MOMENTUM * norm[2] + (1 - BATCH_NORM_MOMENTUM) * mean
        norm[3] = BATCH_NORM_MOMENTUM * norm[3] + (1 - BATCH_NORM_MOMENTUM) * variance
        deviation = np.sqrt(variance + BATCH_NORM_EPSILON)
        Z_hat = (Z - mean) / deviation
        return Z_hat * norm[0] + norm[1], Z_hat, deviation


class _Adam:
    """Adam (Kingma and Ba 2015), changing its parameters in place."""

    def __init__(self, parameters: list[np.ndarray]) -> None:
        self.parameters = parameters
        self.means = [np.zeros_like(array) for array in parameters]
        self.squares = [np.zeros_like(array) for array in parameters]
        self.steps = 0

    def step(self, gradients: list[np.ndarray], learning_rate: float) -> None:
        """Move every parameter; the gradients are used up."""
        self.steps += 1
        beta1, beta2 = (np.float32(beta) for beta in ADAM_BETAS)
        correction = np.sqrt(1 - ADAM_BETAS[1] ** self.steps) / (1 - ADAM_BETAS[0] ** self.steps)
        rate, epsilon = np.float32(learning_rate * correction), np.float32(ADAM_EPSILON)
        for parameter, gradient, mean, square in zip(
            self.parameters, gradients, self.means, self.squares, strict=True
        ):
            mean *= beta1
            mean += (1 - beta1) * gradient
            square *= beta2
            gradient *= gradient
            gradient *= 1 - beta2
            square += gradient
            np.sqrt(square, out=gradient)
            gradient += epsilon
            np.divide(mean, gradient, out=gradient)
            gradient *= rate
            parameter -= gradient


def _softmax(scores: np.ndarray) -> np.ndarray:
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
