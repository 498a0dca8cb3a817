"""Softmax regression, and the support-vector machine on plain features."""

import numpy as np

from embed.learn.heads.base import Candidate, Head, Scorer
from embed.learn.heads.preparing import lengths, raise_to, sketch, unsketch
from embed.learn.heads.solver import Loss, Plain, Problem, Spanned, softmax_loss, squared_hinge_loss
from embed.learn.heads.threads import in_threads

# The middle ones suit most sets of photographs; the ends are out of reach.
C_LOGISTIC = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4)
C_LINEAR_SVM = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e3)


class LinearHead(Head):
    """A linear score per class on features scaled to length 1; `C` is chosen by cross-validation where it is None.

    Attributes:
        coef_: float32 ndarray of shape (K, d), on the prepared features.
        intercept_: float32 ndarray of shape (K,).
    """

    own = ("coef_", "intercept_")
    C: float | None
    strengths: tuple[float, ...]
    loss = staticmethod(softmax_loss)

    def _candidates(self, n: int) -> list[Candidate]:
        return [{"C": C} for C in (self.strengths if self.C is None else (self.C,))]

    def _scorers(
        self,
        X: np.ndarray,
        target: np.ndarray,
        weight: np.ndarray,
        folds: list[tuple[np.ndarray, np.ndarray]],
    ) -> list[Scorer]:
        def scorer(rows: tuple[np.ndarray, np.ndarray]) -> Scorer:
            train, held_out = rows
            machine, seen = self._machine(X[train], target[train], weight[train]), X[held_out]

            def scores(candidate: Candidate) -> np.ndarray:
                weights, intercept = machine.solve(candidate["C"])
                return seen @ weights + intercept

            return scores

        return in_threads(scorer, folds)

    def _fit_one(self, X: np.ndarray, target: np.ndarray, weight: np.ndarray, chosen: Candidate) -> None:
        weights, self.intercept_ = self._machine(X, target, weight).solve(chosen["C"])
        self.coef_ = np.ascontiguousarray(weights.T)

    def _scores(self, X: np.ndarray) -> np.ndarray:
        return X @ self.coef_.T + self.intercept_

    def terms(self, x: np.ndarray, column: int) -> tuple[np.ndarray, float]:
        """Return (coefficients of shape (d,), constant) with calibrated score = x @ coefficients + constant.

        A head sees its features raised to a power and scaled to length 1. For one photograph that is a factor per
        feature, so its score is linear in the features as they are.

        Args:
            x: float64 ndarray of shape (d,), the features of one photograph.
            column: of the class in `classes_`.
        """
        raised = raise_to(x, self.power)
        coef = self.coef_[column].astype(np.float64)
        if self.sketched_:
            length = float(lengths(sketch(raised[None].astype(np.float32)))[0, 0])
            coef = unsketch(coef, len(x))
        else:
            length = float(lengths(raised[None])[0, 0])
        factor = np.divide(raised, x, out=np.zeros_like(x), where=x != 0) / length
        scale, offset = self.calibration_[0], self.calibration_[1 + column]
        return scale * coef * factor, float(scale * self.intercept_[column] + offset)

    def _machine(self, X: np.ndarray, target: np.ndarray, weight: np.ndarray) -> "_Machine":
        n_classes = len(self.classes_)
        loss, curvature = self.loss(target, weight, n_classes)
        return _Machine(X, loss, curvature, n_classes)


class LogisticHead(LinearHead):
    """Softmax (logistic) regression with an L2 penalty.

    Parameters:
        C: inverse of the penalty; None chooses among `C_LOGISTIC`.
        power: exponent that features are raised to before they are scaled to length 1.
        class_weight: None or "balanced".
        random_state: seed of the folds.
    """

    name = "logistic"
    strengths = C_LOGISTIC

    def __init__(
        self,
        C: float | None = None,
        power: float = 0.5,
        class_weight: str | None = None,
        random_state: int = 0,
    ) -> None:
        self.C = C
        self.power = power
        self.class_weight = class_weight
        self.random_state = random_state


class LinearSVMHead(LinearHead):
    """Linear support-vector machines, one class against the rest, with the squared hinge loss.

    Parameters: as `LogisticHead`; C is chosen among `C_LINEAR_SVM`.
    """

    name = "linear-svm"
    strengths = C_LINEAR_SVM
    loss = staticmethod(squared_hinge_loss)

    def __init__(
        self,
        C: float | None = None,
        power: float = 0.5,
        class_weight: str | None = None,
        random_state: int = 0,
    ) -> None:
        self.C = C
        self.power = power
        self.class_weight = class_weight
        self.random_state = random_state

    def _plain_scale(self) -> float:
        return 4.0  # of two classes a margin apart (scores 1 and -1) one is then all but certain


class _Machine:
    """The features of some photographs, to be solved for several strengths in turn."""

    def __init__(self, X: np.ndarray, loss: Loss, curvature: float, n_classes: int) -> None:
        self.X, self.fewer_rows = X, len(X) < X.shape[1]
        space = Spanned(X @ X.T) if self.fewer_rows else Plain(X)
        self.problem = Problem(space, len(X), loss, curvature, n_classes)

    def solve(self, C: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the weight of every feature in every score, shape (d, K), and the intercepts, shape (K,)."""
        found = self.problem.solve(C)
        return self.X.T @ found.weights if self.fewer_rows else found.weights, found.intercept
