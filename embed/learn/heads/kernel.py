"""The support-vector machine with a Gaussian (RBF) kernel."""

import numpy as np

from embed.learn.heads.base import Candidate, Head, Scorer
from embed.learn.heads.solver import Plain, Problem, Spanned, cholesky, squared_hinge_loss
from embed.learn.heads.threads import in_threads

EXACT_AT_MOST = 4_000  # photographs that are all compared with all; beyond it, Nyström's approximation
LANDMARKS = 1_024  # photographs that stand for all of them there (Williams and Seeger 2001)
MEDIAN_SAMPLE = 500  # photographs that the median distance is taken over
SMALLEST_DISTANCE = 1e-3  # squared; float32 resolves no kernel narrower than that
C_SVM = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e3)
JITTER = 1e-3  # added to the diagonal of the kernel matrix, so that its Cholesky factor exists


class SVMHead(Head):
    """Support-vector machines, one class against the rest, with the kernel exp(-gamma |x - z|²) and the squared hinge.

    Features are scaled to length 1. Up to `EXACT_AT_MOST` photographs the kernel is exact; beyond, it is what
    `LANDMARKS` of them see of it.

    Parameters:
        C: inverse of the penalty; None chooses among `C_SVM`.
        gamma: width of the kernel; None is 1 / the median squared distance of two photographs.
        power: exponent that features are raised to before they are scaled to length 1.
        class_weight: None or "balanced".
        random_state: seed of the folds and of the landmarks.

    Attributes:
        landmarks_: float32 ndarray of shape (m, d), the prepared photographs that a new one is compared with.
        coef_: float32 ndarray of shape (m, K): the score of class k is kernel(x, landmarks_) @ coef_ + intercept_.
        intercept_: float32 ndarray of shape (K,).
        gamma_: width of the kernel.
    """

    name = "svm"
    own = ("landmarks_", "coef_", "intercept_", "gamma_")

    def __init__(
        self,
        C: float | None = None,
        gamma: float | None = None,
        power: float = 0.5,
        class_weight: str | None = None,
        random_state: int = 0,
    ) -> None:
        self.C = C
        self.gamma = gamma
        self.power = power
        self.class_weight = class_weight
        self.random_state = random_state

    def _candidates(self, n: int) -> list[Candidate]:
        return [{"C": C} for C in (C_SVM if self.C is None else (self.C,))]

    def _scorers(
        self,
        X: np.ndarray,
        target: np.ndarray,
        weight: np.ndarray,
        folds: list[tuple[np.ndarray, np.ndarray]],
    ) -> list[Scorer]:
        def scorer(rows: tuple[np.ndarray, np.ndarray]) -> Scorer:
            train, held_out = rows
            machine = self._machine(X[train], target[train], weight[train])
            seen = kernel(X[held_out], machine.landmarks, machine.gamma)

            def scores(candidate: Candidate) -> np.ndarray:
                coef, intercept = machine.solve(candidate["C"])
                return seen @ coef + intercept

            return scores

        return in_threads(scorer, folds)

    def _fit_one(self, X: np.ndarray, target: np.ndarray, weight: np.ndarray, chosen: Candidate) -> None:
        machine = self._machine(X, target, weight)
        self.landmarks_, self.gamma_ = machine.landmarks, machine.gamma
        self.coef_, self.intercept_ = machine.solve(chosen["C"])

    def _scores(self, X: np.ndarray) -> np.ndarray:
        return kernel(X, self.landmarks_, self.gamma_) @ self.coef_ + self.intercept_

    def _plain_scale(self) -> float:
        return 4.0  # of two classes a margin apart (scores 1 and -1) one is then all but certain

    def _machine(self, X: np.ndarray, target: np.ndarray, weight: np.ndarray) -> "_Machine":
        chosen = None
        if len(X) > EXACT_AT_MOST:
            chosen = np.sort(np.random.RandomState(self.random_state).permutation(len(X))[:LANDMARKS])
        gamma = 1 / _median_distance(X) if self.gamma is None else float(self.gamma)
        return _Machine(X, chosen, target, weight, gamma, len(self.classes_))


class _Machine:
    """The kernel on some photographs, to be solved for several strengths in turn.

    Where there are landmarks, with the Cholesky factor L of their kernel, a linear model on the rows of
    kernel(X, landmarks) L⁻ᵀ is the machine with the kernel as they see it.
    """

    def __init__(
        self,
        X: np.ndarray,
        chosen: np.ndarray | None,
        target: np.ndarray,
        weight: np.ndarray,
        gamma: float,
        n_classes: int,
    ) -> None:
        from scipy.linalg import solve_triangular

        self.gamma = gamma
        self.landmarks = X if chosen is None else X[chosen]
        among = kernel(self.landmarks, self.landmarks, gamma)
        self.factor = None
        space: Plain | Spanned
        if chosen is None:
            space = Spanned(among)
        else:
            among[np.diag_indices(len(among))] += JITTER
            self.factor = cholesky(among)
            seen = kernel(X, self.landmarks, gamma)
            space = Plain(solve_triangular(self.factor, seen.T, lower=True, check_finite=False).T)
        loss, curvature = squared_hinge_loss(target, weight, n_classes)
        self.problem = Problem(space, len(X), loss, curvature, n_classes)

    def solve(self, C: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the weight of every landmark in every score, shape (m, K), and the intercepts, shape (K,)."""
        from scipy.linalg import solve_triangular

        found = self.problem.solve(C)
        if self.factor is None:
            return found.weights, found.intercept
        coef = solve_triangular(self.factor, found.weights, lower=True, trans=1, check_finite=False)
        return coef, found.intercept


def kernel(X: np.ndarray, Z: np.ndarray, gamma: float) -> np.ndarray:
    """Return exp(-gamma |x - z|²) for all pairs of rows, float32 of shape (n, m)."""
    distances = _squared_distances(X, Z)
    distances *= np.float32(-gamma)
    return np.exp(distances, out=distances)


def _squared_distances(X: np.ndarray, Z: np.ndarray) -> np.ndarray:
    distances = X @ Z.T
    distances *= -2
    distances += np.einsum("ij,ij->i", X, X)[:, None]
    distances += np.einsum("ij,ij->i", Z, Z)[None, :]
    return np.maximum(distances, 0, out=distances)


def _median_distance(X: np.ndarray) -> float:
    sample = X[np.linspace(0, len(X) - 1, min(len(X), MEDIAN_SAMPLE)).astype(int)]
    return max(float(np.median(_squared_distances(sample, sample))), SMALLEST_DISTANCE)
