"""Linear models on features: softmax regression and the squared-hinge support vector machine, to convergence
in a second.

scikit-learn's solvers reach the same minimum. Here a strength costs a fifth of the time: the curvature of
either loss is bounded by one matrix, whose Cholesky factor turns the problem into one that L-BFGS solves in a
few dozen steps, and the solution for one strength starts the next.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

STEPS = 60  # of L-BFGS at most
TOLERANCE = 3e-3  # largest entry of the gradient, in the scaled problem, relative to that at zero
CURVATURE_ROWS = 8_192  # rows that the bound on the curvature is taken from: a scale needs no more
JITTER = 1e-5  # share of its mean that is added to the diagonal of X Xᵀ, so that its Cholesky factor exists
TINY = 1e-12  # the same where X is all zeros
MEMORY = 10  # corrections that L-BFGS keeps

Loss = Callable[[np.ndarray], tuple[float, np.ndarray]]  # scores (n, K) → summed loss, its gradient (n, K)


@dataclass(frozen=True)
class Linear:
    """Scores X @ weights + intercept; weights float32 of shape (d, K), intercept float32 of shape (K,)."""

    weights: np.ndarray
    intercept: np.ndarray


def softmax_loss(target: np.ndarray, sample_weight: np.ndarray, n_classes: int) -> tuple[Loss, float]:
    """Return the cross-entropy of softmax regression and the bound 1/2 on its curvature (Böhning 1992)."""
    rows = np.arange(len(target))
    weight = sample_weight.astype(np.float32)

    def loss(scores: np.ndarray) -> tuple[float, np.ndarray]:
        scores -= scores.max(axis=1, keepdims=True)
        of_true = scores[rows, target]
        p = np.exp(scores, out=scores)
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


class Problem:
    """One set of photographs and a loss, to be minimised for several strengths in turn.

    Minimises C Σ loss(X @ weights + intercept) + ½ |weights|²; the intercept is not penalised.

    Args:
        X: float32 ndarray of shape (n, d).
        loss, curvature: from `softmax_loss` or `squared_hinge_loss`.
        n_classes: K.
    """

    def __init__(self, X: np.ndarray, loss: Loss, curvature: float, n_classes: int) -> None:
        self.mean = X.mean(axis=0)
        self.rows = X - self.mean
        self.X, self.basis = _fewer_dimensions(self.rows)
        self.loss, self.n_classes = loss, n_classes
        some = self.X[:: -(-len(X) // CURVATURE_ROWS)]
        self.bound = np.float32(curvature * len(X) / len(some)) * (some.T @ some)
        self.intercept_scale = np.float32(np.sqrt(curvature * len(X)))
        self.weights = np.zeros((self.X.shape[1], n_classes), np.float32)
        self.intercept = np.zeros(n_classes, np.float32)

    def solve(self, C: float) -> Linear:
        """Return the minimum for one strength, starting from the last one found."""
        from scipy.linalg import solve_triangular
        from scipy.optimize import minimize

        d, K = self.weights.shape
        ridge = np.float32(1 / C)
        curvature = self.bound.copy()
        curvature[np.diag_indices(d)] += ridge
        factor = cholesky(curvature)

        def unscale(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            V = v.reshape(d + 1, K).astype(np.float32)
            weights = solve_triangular(factor, V[:d], lower=True, trans=1, check_finite=False)
            return weights, V[d] / self.intercept_scale

        def objective(v: np.ndarray) -> tuple[float, np.ndarray]:
            weights, intercept = unscale(v)
            value, residual = self.loss(self.X @ weights + intercept)
            value += 0.5 * float(ridge) * float(np.sum(weights * weights, dtype=np.float64))
            gradient = self.X.T @ residual + ridge * weights
            scaled = solve_triangular(factor, gradient, lower=True, check_finite=False)
            of_intercept = residual.sum(axis=0) / self.intercept_scale
            return value, np.concatenate([scaled.ravel(), of_intercept]).astype(np.float64)

        start = np.concatenate([(factor.T @ self.weights).ravel(), self.intercept * self.intercept_scale])
        at_zero = np.abs(objective(np.zeros(start.size))[1]).max()
        found = minimize(
            objective,
            start.astype(np.float64),
            jac=True,
            method="L-BFGS-B",
            options={
                "maxiter": STEPS,
                "maxcor": MEMORY,
                "gtol": TOLERANCE * at_zero,
                "ftol": 1e-7,  # float32 scores resolve no more of the loss
            },
        )
        self.weights, self.intercept = unscale(found.x)
        weights = self.weights
        if self.basis is not None:
            weights = self.rows.T @ solve_triangular(
                self.basis, weights, lower=True, trans=1, check_finite=False
            )
        return Linear(weights, self.intercept - self.mean @ weights)


def _fewer_dimensions(X: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return X, or, where it has fewer rows than columns, its rows in the space that they span.

    That is the Cholesky factor L of X Xᵀ = L Lᵀ: a model V on its rows is the model Xᵀ L⁻ᵀ V on those of X, with the
    same scores and the same length.
    """
    n, d = X.shape
    if n >= d:
        return X, None
    products = (X @ X.T).astype(np.float64)
    products[np.diag_indices(n)] += JITTER * np.trace(products) / n + TINY
    factor = cholesky(products).astype(np.float32)
    return factor, factor


def cholesky(A: np.ndarray) -> np.ndarray:
    """Return the lower factor of a symmetric matrix, in Fortran order; A is used up.

    LAPACK thinks in columns: seen transposed, a matrix in C order need not be copied, which takes as long as factoring.
    """
    from scipy import linalg

    return linalg.cholesky(A.T, lower=True, overwrite_a=True, check_finite=False)
