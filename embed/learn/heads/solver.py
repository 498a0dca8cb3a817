"""Linear models on features or on a kernel: softmax regression and the squared-hinge support vector machine.

scikit-learn's solvers reach the same minimum. Here a strength costs a fraction of the time: the curvature of either
loss is bounded by one matrix, whose Cholesky factor scales the problem so that L-BFGS (Nocedal 1980) solves it in a dozen
steps; scores are linear in the weights, so that the best length of a step costs no more products of matrices; and
the solution for one strength starts the next.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

STEPS = 100  # of L-BFGS at most
TOLERANCE = 1e-5  # of the loss at zero: a step that promises less is not made
MEMORY = 10  # corrections that L-BFGS keeps
LINE_STEPS = 6  # tries for the length of a step, at most
FARTHER = 3.0  # times a length that proved too short
FLAT = 0.1  # a length is right where the slope is this share of the slope at its beginning
CURVATURE_ROWS = 8_192  # rows that the bound on the curvature is taken from: a scale needs no more
JITTER = 1e-3  # share of its mean, at least, that is added to a diagonal so that rounding leaves no eigenvalue below zero
TINY = 1e-12  # the same where all is zero

Loss = Callable[[np.ndarray], tuple[float, np.ndarray]]  # scores (n, K) → summed loss, its gradient (n, K)


def softmax_loss(target: np.ndarray, sample_weight: np.ndarray, n_classes: int) -> tuple[Loss, float]:
    """Return the cross-entropy of softmax regression and the bound 1/2 on its curvature (Böhning 1992)."""
    rows = np.arange(len(target))
    weight = sample_weight.astype(np.float32)

    def loss(scores: np.ndarray) -> tuple[float, np.ndarray]:
        shifted = scores - scores.max(axis=1, keepdims=True)
        of_true = shifted[rows, target]
        p = np.exp(shifted, out=shifted)
        total = p.sum(axis=1)
        value = float(np.dot(weight, (np.log(total) - of_true)).astype(np.float64))
        p /= total[:, None]
        p[rows, target] -= 1
        p *= weight[:, None]
        return value, p

    return loss, 0.5


def squared_hinge_loss(target: np.ndarray, sample_weight: np.ndarray, n_classes: int) -> tuple[Loss, float]:
    """Return the summed squared hinge of one machine per class against the rest, and the bound 2 on its curvature."""
    sign = np.full((len(target), n_classes), -1, np.float32)
    sign[np.arange(len(target)), target] = 1
    weight = sample_weight.astype(np.float32)[:, None]

    def loss(scores: np.ndarray) -> tuple[float, np.ndarray]:
        slack = np.maximum(1 - sign * scores, 0)
        return float(np.sum(weight * slack * slack, dtype=np.float64)), -2 * weight * sign * slack

    return loss, 2.0


@dataclass(frozen=True)
class Solution:
    """Scores rows @ weights + intercept; weights float32 of shape (m, K), intercept float32 of shape (K,)."""

    weights: np.ndarray
    intercept: np.ndarray


class Plain:
    """Models of n rows of d values, one weight per value.

    Args:
        X: float32 ndarray of shape (n, d).
    """

    def __init__(self, X: np.ndarray) -> None:
        self.mean = X.mean(axis=0)
        self.rows = X - self.mean
        self.size = X.shape[1]
        some = self.rows[:: -(-len(X) // CURVATURE_ROWS)]
        self.products = (len(X) / np.float32(len(some))) * (some.T @ some)
        self.partner = slice(0, self.size + 1)

    def scores(self, weights: np.ndarray) -> np.ndarray:
        return self.rows @ weights

    def gradient(self, residual: np.ndarray, weights: np.ndarray, ridge: np.float32) -> np.ndarray:
        of_intercept = residual.sum(axis=0, keepdims=True)
        return np.concatenate([self.rows.T @ residual + ridge * weights, of_intercept])

    def split(self, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return gradient[:-1], gradient[-1:]

    def solution(self, weights: np.ndarray, intercept: np.ndarray) -> Solution:
        return Solution(weights, intercept - self.mean @ weights)


class Spanned:
    """The same models as sums of the n rows themselves, one weight per row: all that a kernel knows, and less work
    where rows are fewer than values.

    Args:
        products: float32 ndarray of shape (n, n), the inner products of the rows; used up.
    """

    def __init__(self, products: np.ndarray) -> None:
        self.size = len(products)
        self.mean = products.mean(axis=0)
        self.mean_of_all = self.mean.mean()
        products -= self.mean
        products -= (self.mean - self.mean_of_all)[:, None]
        products[np.diag_indices(self.size)] += JITTER * products.diagonal().mean() + TINY
        self.products = products  # of the rows less their mean
        self.partner = slice(self.size, None)

    def scores(self, weights: np.ndarray) -> np.ndarray:
        return self.products @ weights

    def gradient(self, residual: np.ndarray, weights: np.ndarray, ridge: np.float32) -> np.ndarray:
        return np.concatenate([residual.sum(axis=0, keepdims=True), residual + ridge * weights])

    def split(self, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return gradient[1:], gradient[:1]

    def solution(self, weights: np.ndarray, intercept: np.ndarray) -> Solution:
        constant = self.mean @ weights - self.mean_of_all * weights.sum(axis=0)
        return Solution(weights - weights.mean(axis=0), intercept - constant)


class Problem:
    """One set of photographs and a loss, to be minimised for several strengths in turn.

    Minimises C Σ loss(scores) + ½ |weights|²; the intercept is not penalised.

    A model is kept as one array of shape (size + 1 + n, K): its weights, its intercept, and the scores of the n rows
    that its weights give. Its inner product with a gradient takes the rows `space.partner` of it.

    Args:
        space: `Plain` or `Spanned`.
        n: photographs.
        loss, curvature: from `softmax_loss` or `squared_hinge_loss`.
        n_classes: K.
    """

    def __init__(self, space: Plain | Spanned, n: int, loss: Loss, curvature: float, n_classes: int) -> None:
        self.space, self.loss, self.curvature = space, loss, np.float32(curvature)
        self.intercept_curvature = np.float32(curvature * n)
        self.model = np.zeros((space.size + 1 + n, n_classes), np.float32)
        self.loss_at_zero, _ = loss(self.model[space.size + 1 :])

    def solve(self, C: float) -> Solution:
        """Return the minimum for one strength, starting from the last one found."""
        space, size, ridge = self.space, self.space.size, np.float32(1 / C)
        bound = self.curvature * space.products
        diagonal = np.diag_indices(size)
        bound[diagonal] += np.maximum(ridge, JITTER * bound[diagonal].mean() + TINY)
        factor = cholesky(bound)
        model = self.model
        _, residual = self.loss(model[size + 1 :] + model[size])
        gradient = space.gradient(residual, model[:size], ridge)
        scaled = self._scaled(factor, gradient)
        history = _History(space.partner)
        for _ in range(STEPS):
            direction = history.direction(scaled, gradient)
            slope = -_inner(direction[space.partner], gradient)
            if -slope / 2 < TOLERANCE * self.loss_at_zero:
                break
            length, residual = self._length(model, direction, slope, ridge)
            step = np.float32(-length) * direction
            model = model + step
            before, scaled_before = gradient, scaled
            gradient = space.gradient(residual, model[:size], ridge)
            scaled = self._scaled(factor, gradient)
            history.append(step, gradient - before, scaled - scaled_before)
        self.model = model
        return space.solution(model[:size], model[size])

    def _scaled(self, factor: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return the model that the gradient becomes when it is divided by the bound on the curvature."""
        from scipy.linalg import cho_solve

        of_weights, of_intercept = self.space.split(gradient)
        weights = cho_solve((factor, True), of_weights, check_finite=False)
        return np.concatenate([weights, of_intercept / self.intercept_curvature, self.space.scores(weights)])

    def _length(
        self, model: np.ndarray, direction: np.ndarray, slope: float, ridge: np.float32
    ) -> tuple[float, np.ndarray]:
        """Return how far to go against the direction, and the gradient of the loss in the scores there."""
        size, partner = self.space.size, self.space.partner
        scores = model[size + 1 :] + model[size]
        change = direction[size + 1 :] + direction[size]
        of_model, of_direction = (
            float(ridge) * _inner(weights[:size], self.space.split(direction[partner])[0])
            for weights in (model, direction)
        )
        low, slope_low, high, slope_high, length = 0.0, slope, np.inf, np.inf, 1.0
        for _ in range(LINE_STEPS):
            _, residual = self.loss(scores - np.float32(length) * change)
            here = -_inner(residual, change) - of_model + length * of_direction
            if abs(here) <= FLAT * -slope:
                break
            if here > 0:
                high, slope_high = length, here
            else:
                low, slope_low = length, here
            if high < np.inf:  # the slope grows from low to high: nearly as a straight line
                length = low + (high - low) * slope_low / (slope_low - slope_high)
            else:
                length *= FARTHER
        return length, residual


class _History:
    """The last steps of L-BFGS, and what they say of the curvature."""

    def __init__(self, partner: slice) -> None:
        self.partner = partner
        self.corrections: list[tuple[np.ndarray, np.ndarray, np.ndarray, float]] = []

    def append(self, step: np.ndarray, change: np.ndarray, scaled_change: np.ndarray) -> None:
        """Keep a step, the change of the gradient along it, and that change as `_scaled` makes it."""
        product = _inner(step[self.partner], change)
        if product > 0:
            self.corrections = [*self.corrections[1 - MEMORY :], (step, change, scaled_change, 1 / product)]

    def direction(self, scaled: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return the model to go against: the gradient divided by the curvature as the steps show it."""
        shares = []
        for step, change, scaled_change, inverse in reversed(self.corrections):
            share = np.float32(inverse * _inner(step[self.partner], gradient))
            gradient = gradient - share * change
            scaled = scaled - share * scaled_change
            shares.append(share)
        if self.corrections:
            _, change, scaled_change, inverse = self.corrections[-1]
            scaled = scaled * np.float32(1 / (inverse * _inner(scaled_change[self.partner], change)))
        for (step, change, _, inverse), share in zip(self.corrections, reversed(shares), strict=True):
            scaled = scaled + (share - np.float32(inverse * _inner(scaled[self.partner], change))) * step
        return scaled


def _inner(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.einsum("ij,ij->", a, b, dtype=np.float64))


def cholesky(A: np.ndarray) -> np.ndarray:
    """Return the lower factor of a symmetric matrix, in Fortran order; A is used up.

    LAPACK thinks in columns: seen transposed, a matrix in C order need not be copied, which takes as long as factoring.
    """
    from scipy import linalg

    return linalg.cholesky(A.T, lower=True, overwrite_a=True, check_finite=False)
