"""Photographs far from all others."""

from dataclasses import dataclass

import numpy as np

from embed import labels
from embed.cache import FeatureCache
from embed.search.current import open_index

NEIGHBOURS = 10
QUERIES_AT_ONCE = 512


@dataclass(frozen=True)
class Outlier:
    """A photograph and how near its neighbours are."""

    path: str
    similarity: float  # mean over the ten nearest others; the lower, the further away
    label: str | None


def outliers(features: FeatureCache, *, label_rule: str = "folder") -> list[Outlier]:
    """Return every photograph with the mean similarity to its ten nearest others, the furthest first."""
    labelled = labels.assign(features.paths.tolist(), label_rule, features.root)
    index = open_index(features)
    slots = np.flatnonzero(index.slots.alive)
    nearness = np.zeros(len(index.slots))
    for start in range(0, len(slots), QUERIES_AT_ONCE):
        block = slots[start : start + QUERIES_AT_ONCE]
        found = index.search(index.vectors(block), NEIGHBOURS + 1)
        for slot, (others, similarities) in zip(block, found, strict=True):
            near = similarities[others != slot][:NEIGHBOURS]
            nearness[slot] = near.mean() if len(near) else 0.0
    rows = np.argsort(nearness[index.slots.of_row], kind="stable")
    return [
        Outlier(features.paths[row], round(float(nearness[index.slots.of_row[row]]), 6), labelled.labels[row])
        for row in rows
    ]
