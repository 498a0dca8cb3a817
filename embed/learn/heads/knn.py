"""The nearest neighbours' vote."""

import numpy as np

from embed.learn.heads.base import Candidate, Head, Scorer
from embed.learn.heads.threads import in_threads

NEIGHBOURS = (1, 3, 5, 10, 20, 50, 100)
SHARPNESS = 10.0  # a neighbour's vote counts exp(SHARPNESS (cosine - 1))
PSEUDO_VOTES = 0.05  # of one full vote, given to every class, so that no probability is zero
MOST_QUERIES = 2_048  # photographs compared at a time


class KNNHead(Head):
    """The k photographs with the highest cosine vote, the more similar the stronger.

    Parameters:
        n_neighbors: k; None chooses among `NEIGHBOURS`.
        power: exponent that features are raised to before they are scaled to length 1.
        class_weight: None or "balanced": votes are divided by how frequent their class is.
        random_state: seed of the folds.

    Attributes:
        X_: float32 ndarray of shape (n, d), the prepared photographs.
        target_: int ndarray of shape (n,), the column of their classes.
        weight_: float64 ndarray of shape (n,), the weight of their votes.
    """

    name = "knn"
    own = ("X_", "target_", "weight_")

    def __init__(
        self,
        n_neighbors: int | None = None,
        power: float = 0.5,
        class_weight: str | None = None,
        random_state: int = 0,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.power = power
        self.class_weight = class_weight
        self.random_state = random_state

    def _candidates(self, n: int) -> list[Candidate]:
        # The most neighbours first: the smoothest vote is the most regularised.
        numbers = NEIGHBOURS[::-1] if self.n_neighbors is None else (self.n_neighbors,)
        return [{"n_neighbors": number} for number in dict.fromkeys(min(number, n) for number in numbers)]

    def _scorers(
        self,
        X: np.ndarray,
        target: np.ndarray,
        weight: np.ndarray,
        folds: list[tuple[np.ndarray, np.ndarray]],
    ) -> list[Scorer]:
        numbers = [candidate["n_neighbors"] for candidate in self._candidates(len(X))]

        def scorer(rows: tuple[np.ndarray, np.ndarray]) -> Scorer:
            train, held_out = rows
            of_all = votes(X[train], target[train], weight[train], X[held_out], numbers, len(self.classes_))
            return lambda candidate: of_all[numbers.index(candidate["n_neighbors"])]

        return in_threads(scorer, folds)

    def _fit_one(self, X: np.ndarray, target: np.ndarray, weight: np.ndarray, chosen: Candidate) -> None:
        self.X_, self.target_, self.weight_ = X, target, weight

    def _scores(self, X: np.ndarray) -> np.ndarray:
        numbers = [self.chosen_["n_neighbors"]]
        return votes(self.X_, self.target_, self.weight_, X, numbers, len(self.classes_))[0]


def votes(
    X: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    queries: np.ndarray,
    numbers: list[int],
    n_classes: int,
) -> np.ndarray:
    """Return the logarithm of every class's share of the votes, for each number of neighbours: (numbers, n, K)."""
    result = np.empty((len(numbers), len(queries), n_classes))
    most = min(max(numbers), len(X))
    for start in range(0, len(queries), MOST_QUERIES):
        block = slice(start, min(start + MOST_QUERIES, len(queries)))
        similarity = queries[block] @ X.T
        nearest = np.argpartition(-similarity, most - 1, axis=1)[:, :most]
        cosine = np.take_along_axis(similarity, nearest, axis=1)
        order = np.argsort(-cosine, axis=1, kind="stable")
        nearest, cosine = (
            np.take_along_axis(nearest, order, axis=1),
            np.take_along_axis(cosine, order, axis=1),
        )
        vote = np.exp(SHARPNESS * (cosine.astype(np.float64) - 1)) * weight[nearest]
        rows = np.arange(len(nearest))
        counted = np.zeros((len(nearest), n_classes))
        for neighbour in range(most):
            counted[rows, target[nearest[:, neighbour]]] += vote[:, neighbour]
            for i, number in enumerate(numbers):
                if min(number, most) == neighbour + 1:
                    result[i, block] = np.log(counted / counted.sum(axis=1, keepdims=True) + PSEUDO_VOTES)
    return result
