"""Photographs that are there more than once: the same file, or the same picture saved, scaled, flipped or cropped."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from embed import labels
from embed.cache import FeatureCache
from embed.errors import UsageError
from embed.search.current import distinct_vectors
from embed.search.index import Slots
from embed.search.vectors import SIMILARITY_DECIMALS

THRESHOLD = 0.92  # finds nearly all edited copies of photographs and next to nothing else; see benchmarks/duplicates.py

BLOCK = 2048  # rows and columns compared at once: 16 MB of similarities
AXES = 128  # of the bound
SAMPLE = 2048  # vectors that the axes are computed from
SLACK = 1e-4  # of float32 sums; what lies this close below the threshold is looked at exactly
MOST_CANDIDATES = 0.005  # share of pairs above which comparing all of them as a whole costs less
ITERATIONS = 3
SEED = 0


@dataclass(frozen=True)
class Duplicate:
    """One photograph of a group."""

    path: str
    similarity: float  # to the first of the group
    split: str | None


@dataclass(frozen=True)
class DuplicateGroup:
    """Photographs of one picture; each is as similar to the first as was asked for, or has the same content."""

    photographs: list[Duplicate]


def duplicates(
    features: FeatureCache,
    threshold: float = THRESHOLD,
    *,
    across_splits: bool = False,
    label_rule: str = "folder",
) -> list[DuplicateGroup]:
    """Return the groups of photographs that show the same picture, in the order of their first paths.

    A group has a first photograph that all others are similar to: pictures that merely follow from one another, each a
    little like the next, do not run together.

    Args:
        features: the feature set.
        threshold: least similarity to the first of the group.
        across_splits: only groups with photographs of more than one split: what was trained on is tested with.
        label_rule: where splits come from.
    """
    if not -1 <= threshold <= 1:
        raise UsageError(f"--threshold {threshold:g} is no similarity; it lies between -1 and 1.")
    splits = labels.assign(features.paths.tolist(), label_rule, features.root).splits
    slots, vectors = distinct_vectors(features)
    groups = []
    for members in _stars(slots, near_pairs(vectors, threshold)):
        rows = [(int(row), similarity) for slot, similarity in members for row in slots.rows(slot)]
        if across_splits and len({splits[row] for row, _ in rows} - {None}) < 2:
            continue
        groups.append(
            DuplicateGroup(
                [Duplicate(features.paths[row], similarity, splits[row]) for row, similarity in rows]
            )
        )
    return sorted(groups, key=lambda group: features.index_of(group.photographs[0].path) or 0)


def near_pairs(vectors: np.ndarray, threshold: float) -> Iterator[tuple[int, int, float]]:
    """Yield every pair (i, j, similarity), i < j, of vectors (n, d) of length one that are similar enough.

    Blocks are compared with blocks. Long vectors are first cut down to their leading axes and the length of what is
    left; by the Cauchy–Schwarz inequality the products of those are no smaller than the similarities, so that only pairs
    above the threshold there have to be compared as a whole. Nothing is missed.
    """
    bounds = _bounds(vectors, threshold)
    for top in range(0, len(vectors), BLOCK):
        for left in range(top, len(vectors), BLOCK):
            near = bounds[top : top + BLOCK] @ bounds[left : left + BLOCK].T >= threshold - SLACK
            i, j = np.divmod(np.flatnonzero(np.triu(near, 1) if top == left else near), near.shape[1])
            for start in range(0, len(i), BLOCK):
                a, b = i[start : start + BLOCK] + top, j[start : start + BLOCK] + left
                cosines = np.einsum("nd,nd->n", vectors[a], vectors[b], dtype=np.float64)
                similarities = np.minimum(cosines.round(SIMILARITY_DECIMALS), 1.0)
                keep = similarities >= threshold
                yield from zip(a[keep].tolist(), b[keep].tolist(), similarities[keep].tolist(), strict=True)


def _bounds(vectors: np.ndarray, threshold: float) -> np.ndarray:
    """Return short vectors, float32 (n, AXES + 1), whose inner products are at least those of the vectors.

    Where they would not tell many pairs apart, the vectors themselves are their own bounds.
    """
    count, dimension = vectors.shape
    if dimension <= 2 * AXES or count <= 2 * AXES:
        return vectors
    generator = np.random.default_rng(SEED)
    sample = vectors[np.sort(generator.permutation(count)[:SAMPLE])]
    # Subspace iteration: nearly the principal axes at a fraction of the cost, and any orthonormal axes are right.
    axes = generator.standard_normal((dimension, AXES), dtype=np.float32)
    for _ in range(ITERATIONS):
        axes = np.linalg.qr(sample.T @ (sample @ axes))[0]
    short = _cut(sample, axes)
    if np.mean(short @ short.T >= threshold) > MOST_CANDIDATES:
        return vectors
    return _cut(vectors, axes)


def _cut(vectors: np.ndarray, axes: np.ndarray) -> np.ndarray:
    leading = vectors @ axes
    rest = np.sqrt(np.maximum(0, 1 - np.einsum("nd,nd->n", leading, leading, dtype=np.float64)))
    return np.column_stack([leading, rest.astype(np.float32)])


def _stars(slots: Slots, pairs: Iterator[tuple[int, int, float]]) -> Iterator[list[tuple[int, float]]]:
    """Yield groups of (slot, similarity to the first), the first with the most neighbours that are still free.

    A slot of which there are several photographs is a group of its own if nothing else is near.
    """
    near: dict[int, dict[int, float]] = defaultdict(dict)
    for i, j, similarity in pairs:
        near[i][j] = near[j][i] = similarity
    for slot in range(len(slots)):
        if slot not in near and len(slots.rows(slot)) > 1:
            near[slot] = {}
    free = set(near)
    for centre in sorted(near, key=lambda slot: (-len(near[slot]), slot)):
        if centre not in free:
            continue
        others = sorted((slot for slot in near[centre] if slot in free), key=lambda slot: -near[centre][slot])
        free -= {centre, *others}
        if others or len(slots.rows(centre)) > 1:
            yield [(centre, 1.0), *((slot, near[centre][slot]) for slot in others)]
