"""What a model was trained on, as a sample: tells a photograph that is unlike all of it.

A photograph is as familiar as its greatest cosine to a photograph of the sample. It is unlike all of them below what
`UNUSUAL` of the sample have to the others of it, so that the limit is that of the features and of the photographs at
hand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from embed.learn.splits import draw_of

MOST_ROWS = 2_000  # of the sample
MOST_VALUES = 2_500_000  # of the sample, 5 MB; of long features there are fewer rows
FEWEST_ROWS = 100
UNUSUAL = 0.01  # share of the sample that would be told to be unlike the others
STORED = np.dtype("<f2")
BLOCK = 1_024  # photographs compared at a time


@dataclass(frozen=True)
class Reference:
    """A sample of the photographs that a model was fitted on.

    Attributes
    ----------
    rows : float16 ndarray of shape (m, d)
        Their features, scaled to length 1.
    least_similarity : float
        Below it a photograph is unlike all of them.
    """

    rows: np.ndarray
    least_similarity: float

    @cached_property
    def _sample(self) -> np.ndarray:
        return _unit(self.rows)

    def similarity(self, X: np.ndarray) -> np.ndarray:
        """Return the greatest cosine of each photograph to one of the sample, float32 ndarray of shape (n,).

        Parameters
        ----------
        X : float32 ndarray of shape (n, d)
        """
        blocks = [X[start : start + BLOCK] for start in range(0, len(X), BLOCK)]
        nearest = [(_unit(block) @ self._sample.T).max(axis=1) for block in blocks]
        return np.minimum(np.concatenate(nearest), np.float32(1)) if nearest else np.zeros(0, np.float32)


def draw(
    rows: Callable[[np.ndarray], np.ndarray],
    positions: np.ndarray,
    keys: np.ndarray,
    dimension: int,
    seed: int,
) -> Reference | None:
    """Draw a sample of photographs; None where there are not two contents or groups to compare.

    Parameters
    ----------
    rows : callable
        Gives the features of positions, float32 of shape (n, dimension).
    positions : int ndarray of shape (n,)
        The photographs to draw from.
    keys : object ndarray of shape (n,)
        Their contents or groups: photographs of one key are not compared with each other.
    dimension : int
    seed : int
    """
    most = max(FEWEST_ROWS, min(MOST_ROWS, MOST_VALUES // dimension))
    draws = {key: draw_of(key, seed) for key in set(keys)}
    drawn = np.sort(np.argsort([draws[key] for key in keys], kind="stable")[:most])
    if len(set(keys[drawn])) < 2:
        return None
    sample = _unit(rows(positions[drawn])).astype(STORED)
    cosine = _unit(sample) @ _unit(sample).T
    _, key = np.unique(keys[drawn].astype(str), return_inverse=True)
    cosine[key[:, None] == key] = -1
    return Reference(sample, float(np.quantile(cosine.max(axis=1), UNUSUAL)))


def _unit(rows: np.ndarray) -> np.ndarray:
    """Return rows scaled to length 1, float32; one of zeros stays as it is."""
    rows = rows.astype(np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-12))
