"""The support-vector machine with a Gaussian (RBF) kernel."""

import numpy as np

from embed.classifiers.base import Candidate, Head
from embed.classifiers.solver import Problem, squared_hinge_loss

EXACT_AT_MOST = 5_000  # photographs whose whole kernel matrix is held; beyond it, Nyström's approximation
LANDMARKS = 1_024  # photographs that approximate the kernel there (Williams and Seeger 2001)
WIDTHS = (0.5, 1.0, 2.0, 4.0)  # gamma, relative to 1 / the median squared distance
C_EXACT = (1.0, 4.0)
C_NYSTROEM = (0.1, 1.0, 10.0)
JITTER = 1e-4  # added to the diagonal of the landmarks' kernel, so that its Cholesky factor exists


class SVMHead(Head):
    """A support-vector machine with the kernel exp(-gamma |x - z|²) on features scaled to length 1.

    Up to `EXACT_AT_MOST` photographs it is scikit-learn's SVC, one class against one other; the score of a
    class is its mean margin. Beyond, the kernel is approximated with `LANDMARKS` photographs and the machines,
    one class against the rest, are solved in the plane.

    Parameters:
        C: inverse of the penalty; None chooses.
        gamma: width of the kernel; None chooses among `WIDTHS` over the median squared distance.
        power: exponent that features are raised to before they are scaled to length 1.
        class_weight: None or "balanced".
        random_state: seed of the folds and of the landmarks.

    Attributes:
        landmarks_: float32 ndarray of shape (m, d), the prepared photographs that a new one is compared with.
        coef_: float64 ndarray of shape (m, K): the score of class k is kernel(x, landmarks_) @ coef_ + intercept_.
        intercept_: float64 ndarray of shape (K,).
        gamma_: width of the kernel.
    """

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
        strengths = C_EXACT if n <= EXACT_AT_MOST else C_NYSTROEM
        widths = WIDTHS if n <= EXACT_AT_MOST else WIDTHS[1:3]
        return [
            {"width": width, "C": C}
            for width in (widths if self.gamma is None else (None,))
            for C in (strengths if self.C is None else (self.C,))
        ]

    def _width(self, X: np.ndarray, width: float | None) -> float:
        if width is None:
            return float(self.gamma or 1.0)
        sample = X[np.linspace(0, len(X) - 1, min(len(X), 500)).astype(int)]
        distances = _squared_distances(sample, sample)
        return width / max(float(np.median(distances)), 1e-6)

    def _scores_of(
        self,
        X: np.ndarray,
        target: np.ndarray,
        weight: np.ndarray,
        held_out: np.ndarray,
        candidates: list[Candidate],
    ) -> np.ndarray:
        scores = np.empty((len(candidates), len(held_out), len(self.classes_)))
        for width in dict.fromkeys(candidate["width"] for candidate in candidates):
            members = [i for i, candidate in enumerate(candidates) if candidate["width"] == width]
            machine = self._machine(X, target, weight, self._width(X, width))
            seen = machine.kernel(held_out)
            for i in members:
                coef, intercept = machine.solve(candidates[i]["C"])
                scores[i] = seen @ coef + intercept
        return scores

    def _fit_one(self, X: np.ndarray, target: np.ndarray, weight: np.ndarray, chosen: Candidate) -> None:
        self.gamma_ = self._width(X, chosen["width"])
        machine = self._machine(X, target, weight, self.gamma_)
        self.landmarks_ = machine.landmarks
        self.coef_, self.intercept_ = machine.solve(chosen["C"])

    def _scores(self, X: np.ndarray) -> np.ndarray:
        return kernel(X, self.landmarks_, self.gamma_) @ self.coef_ + self.intercept_

    def _machine(
        self, X: np.ndarray, target: np.ndarray, weight: np.ndarray, gamma: float
    ) -> "_ExactMachine | _NystroemMachine":
        n_classes = len(self.classes_)
        if len(X) <= EXACT_AT_MOST:
            return _ExactMachine(X, target, weight, gamma, n_classes)
        chosen = np.sort(np.random.RandomState(self.random_state).permutation(len(X))[:LANDMARKS])
        return _NystroemMachine(X, X[chosen], target, weight, gamma, n_classes)


class _ExactMachine:
    """scikit-learn's SVC on a kernel matrix that BLAS has computed, far quicker than libsvm would."""

    def __init__(
        self, X: np.ndarray, target: np.ndarray, weight: np.ndarray, gamma: float, n_classes: int
    ) -> None:
        self.landmarks, self.target, self.weight = X, target, weight
        self.gamma, self.n_classes = gamma, n_classes
        self.matrix = kernel(X, X, gamma)

    def kernel(self, X: np.ndarray) -> np.ndarray:
        return kernel(X, self.landmarks, self.gamma)

    def solve(self, C: float) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.svm import SVC

        machine = SVC(C=C, kernel="precomputed", cache_size=64).fit(
            self.matrix, self.target, sample_weight=self.weight
        )
        coef = np.zeros((len(self.landmarks), self.n_classes))
        intercept = np.zeros(self.n_classes)
        present = machine.classes_
        starts = np.concatenate([[0], np.cumsum(machine.n_support_)])
        pair = 0
        for i in range(len(present)):
            of_i = slice(starts[i], starts[i + 1])
            for j in range(i + 1, len(present)):
                # libsvm keeps, for the vectors of class i, the coefficients against class j in row j - 1; and
                # the other way.
                of_j = slice(starts[j], starts[j + 1])
                for part, row in ((of_i, j - 1), (of_j, i)):
                    vectors, values = machine.support_[part], machine.dual_coef_[row, part]
                    coef[vectors, present[i]] += values
                    coef[vectors, present[j]] -= values
                intercept[present[i]] += machine.intercept_[pair]
                intercept[present[j]] -= machine.intercept_[pair]
                pair += 1
        absent = np.setdiff1d(np.arange(self.n_classes), present)
        intercept[absent] = -len(present)  # a class without a photograph loses against every other
        if len(present) == 2:  # libsvm's sign for two classes is that of the second
            coef, intercept = (
                -coef,
                np.where(np.isin(np.arange(self.n_classes), absent), intercept, -intercept),
            )
        return coef / max(1, len(present) - 1), intercept / max(1, len(present) - 1)


class _NystroemMachine:
    """Squared-hinge machines, one class against the rest, on the kernel as the landmarks see it."""

    def __init__(
        self,
        X: np.ndarray,
        landmarks: np.ndarray,
        target: np.ndarray,
        weight: np.ndarray,
        gamma: float,
        n_classes: int,
    ) -> None:
        from scipy.linalg import cholesky, solve_triangular

        self.landmarks, self.gamma = landmarks, gamma
        of_landmarks = kernel(landmarks, landmarks, gamma)
        of_landmarks[np.diag_indices(len(landmarks))] += JITTER
        self.factor = cholesky(of_landmarks, lower=True).astype(np.float32)
        mapped = solve_triangular(self.factor, self.kernel(X).T.astype(np.float32), lower=True)
        loss, curvature = squared_hinge_loss(target, weight, n_classes)
        self.problem = Problem(np.ascontiguousarray(mapped.T), loss, curvature, n_classes)

    def kernel(self, X: np.ndarray) -> np.ndarray:
        return kernel(X, self.landmarks, self.gamma)

    def solve(self, C: float) -> tuple[np.ndarray, np.ndarray]:
        from scipy.linalg import solve_triangular

        found = self.problem.solve(C)
        coef = solve_triangular(self.factor, found.weights, lower=True, trans=1)
        return coef.astype(np.float64), found.intercept.astype(np.float64)


def _squared_distances(X: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """Squared distances of rows, float64 of shape (n, m), never below zero."""
    products = (X @ Z.T).astype(np.float64)
    of_x = np.einsum("ij,ij->i", X, X).astype(np.float64)[:, None]
    of_z = np.einsum("ij,ij->i", Z, Z).astype(np.float64)[None, :]
    return np.maximum(of_x + of_z - 2 * products, 0)


def kernel(X: np.ndarray, Z: np.ndarray, gamma: float) -> np.ndarray:
    """Return exp(-gamma |x - z|²) for all pairs of rows, float64 of shape (n, m)."""
    distances = _squared_distances(X, Z)
    distances *= -gamma
    return np.exp(distances, out=distances)
