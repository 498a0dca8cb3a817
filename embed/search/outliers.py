"""Photographs far from all others."""

from dataclasses import dataclass

import numpy as np

from embed import labels
from embed.cache import FeatureCache
from embed.search.current import open_index, silent
from embed.search.store import Progress

NEIGHBOURS = 10
QUERIES_AT_ONCE = 1024


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
    features: FeatureCache, *, label_rule: str = "folder", progress: Progress = silent
) -> list[Outlier]:
    """Return every photograph with the mean similarity to its ten nearest others, the furthest first.

    Parameters
    ----------
    features : FeatureCache
    label_rule : str
        Where labels come from.
    progress : callable
        Is told what is done, and how many photographs of how many.
    """
    labelled = labels.of(features, label_rule)
    index = open_index(features, progress=progress)
    rows = index.rows
    nearness = np.zeros(len(features))
    for start in range(0, len(rows), QUERIES_AT_ONCE):
        block = rows[start : start + QUERIES_AT_ONCE]
        found = index.search(features.rows(block), NEIGHBOURS + 1)
        for row, copies, (others, similarities) in zip(block, index.copies(block), found, strict=True):
            near = similarities[others != row][:NEIGHBOURS]
            nearness[copies] = near.mean() if len(near) else 0.0
        progress("Comparing photographs", start + len(block), len(rows))
    order = np.argsort(nearness, kind="stable")
    return [
        Outlier(features.paths[row], round(float(nearness[row]), 6), labelled.labels[row]) for row in order
    ]
