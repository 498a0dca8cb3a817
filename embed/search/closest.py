"""The two photographs that look most alike: what is to be said where none is there twice."""

from dataclasses import dataclass

import numpy as np

from embed import labels
from embed.cache import FeatureCache
from embed.search.current import open_index, silent
from embed.search.outliers import QUERY_VALUES
from embed.search.store import Progress
from embed.search.vectors import distinct_rows


@dataclass(frozen=True)
class Pair:
    """Two photographs of different content.

    Attributes
    ----------
    one, other : str
        Their paths.
    similarity : float
        The cosine.
    """

    one: str
    other: str
    similarity: float


def closest_pair(
    features: FeatureCache, *, label_rule: str = "folder", progress: Progress = silent
) -> Pair | None:
    """Return the two photographs of different content that look most alike; None where there are no two.

    Parameters
    ----------
    features : FeatureCache
    label_rule : str
        Which photographs are asked about, where it says so.
    progress : callable
        Is told what is done, and how many photographs of how many.
    """
    asked = labels.of(features, label_rule).asked
    index = open_index(features, progress=progress).keep()
    rows = index.rows
    if asked is not None:
        rows = np.flatnonzero(asked)
        rows = rows[distinct_rows(features.sha256[rows])]
    best: Pair | None = None
    at_once = max(1, QUERY_VALUES // features.dimension)
    for start in range(0, len(rows), at_once):
        block = rows[start : start + at_once]
        for row, (others, similarities) in zip(
            block, index.search(features.rows(block), 2, asked), strict=True
        ):
            other = np.flatnonzero(others != row)[:1]
            if len(other) and (best is None or similarities[other[0]] > best.similarity):
                best = Pair(
                    features.path(row), features.path(others[other[0]]), float(similarities[other[0]])
                )
        progress("Comparing photographs", start + len(block), len(rows))
    return best
