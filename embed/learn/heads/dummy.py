"""What every other head has to beat."""

import numpy as np

from embed.learn.heads.base import Candidate, Head


class DummyHead(Head):
    """Always the most frequent class of training, with the frequencies as probabilities.

    Parameters:
        class_weight: None or "balanced": every class is then equally frequent.
        random_state: without effect.

    Attributes:
        class_prior_: float64 ndarray of shape (K,), the share of each class.
    """

    name = "dummy"
    own = ("class_prior_",)
    power = 1.0

    def __init__(self, class_weight: str | None = None, random_state: int = 0) -> None:
        self.class_weight = class_weight
        self.random_state = random_state

    def _candidates(self, n: int) -> list[Candidate]:
        return [{}]

    def _search(
        self,
        X: np.ndarray,
        target: np.ndarray,
        weight: np.ndarray,
        candidates: list[Candidate],
        groups: object,
    ) -> None:
        self._without_search(candidates)

    def _fit_one(self, X: np.ndarray, target: np.ndarray, weight: np.ndarray, chosen: Candidate) -> None:
        self.class_prior_ = self._prior(target, weight)

    def _scores(self, X: np.ndarray) -> np.ndarray:
        return np.tile(np.log(self.class_prior_), (len(X), 1))

    def _prior(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return np.bincount(target, weights=weight, minlength=len(self.classes_)) / weight.sum()
