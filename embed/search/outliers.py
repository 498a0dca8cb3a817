"""Photographs far from all others."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from embed import labels
from embed.cache import FeatureCache
from embed.search.current import measured, open_index, silent
from embed.search.store import Progress

NEIGHBOURS = 10
QUERY_VALUES = (
    1 << 20
)  # of the photographs asked about at once; those of their candidates take up to 76 times as much


@dataclass(frozen=True)
class Outlier:
    """A photograph and how near its neighbours are.

    Attributes
    ----------
    path : str
    similarity : float
        Mean over the ten nearest others; the lower, the further away.
    label : str or None
    """

    path: str
    similarity: float
    label: str | None


def outliers(
    features: FeatureCache,
    *,
    label_rule: str = "folder",
    progress: Progress = silent,
    notice: Callable[[str], None] = lambda _: None,
) -> list[Outlier]:
    """Return every photograph with the mean similarity to its ten nearest others, the furthest first.

    Parameters
    ----------
    features : FeatureCache
    label_rule : str
        Where labels come from.
    progress : callable
        Is told what is done, and how many photographs of how many.
    notice : callable
        Is told, in a sentence, where the neighbours are not found by comparing everything.
    """
    labelled = labels.of(features, label_rule)
    index = open_index(features, progress=progress).keep()
    if index.store is not None:
        notice(
            f"The neighbours are found through the index, which finds {measured(index).recall:.1%} of them."
        )
    rows = index.rows
    nearness = np.zeros(len(features))
    at_once = max(1, QUERY_VALUES // features.dimension)
    for start in range(0, len(rows), at_once):
        block = rows[start : start + at_once]
        found = index.search(features.rows(block), NEIGHBOURS + 1)
        for row, copies, (others, similarities) in zip(block, index.copies(block), found, strict=True):
            near = similarities[others != row][:NEIGHBOURS]
            nearness[copies] = near.mean() if len(near) else 0.0
        progress("Comparing photographs", start + len(block), len(rows))
    order = np.argsort(nearness, kind="stable")
    if labelled.asked is not None:
        order = order[labelled.asked[order]]
    return [
        Outlier(features.path(row), round(float(nearness[row]), 6), labelled.labels[row])
        for row in order.tolist()
    ]
