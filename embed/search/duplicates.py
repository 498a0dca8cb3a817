"""Photographs that are there more than once: the same file, or the same picture saved, scaled, flipped or cropped."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embed import labels
from embed.cache import FeatureCache
from embed.search.current import silent
from embed.search.index import Index
from embed.search.similar import check_similarity
from embed.search.store import Progress
from embed.search.vectors import SIMILARITY_DECIMALS, CachedVectors

THRESHOLD = 0.92  # finds nearly all edited copies of photographs and next to nothing else; see benchmarks/duplicates.py

BLOCK = 2048  # rows and columns compared at once: 16 MB of similarities
AXES = 128  # of the bound
SAMPLE = 2048  # vectors that the axes are computed from
SLACK = 1e-4  # of float32 sums; what lies this close below the threshold is compared as a whole
MOST_CANDIDATES = 0.005  # share of pairs above which comparing all of them as a whole costs less
ITERATIONS = 3
SEED = 0


@dataclass(frozen=True)
class Duplicate:
    """One photograph of a group.

    Attributes
    ----------
    path : str
    similarity : float
        To the first of the group.
    label, split : str or None
    """

    path: str
    similarity: float
    label: str | None
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
    progress: Progress = silent,
) -> list[DuplicateGroup]:
    """Return the groups of photographs that show the same picture, in the order of their first paths.

    A group has a first photograph that all others are similar to: pictures that merely follow from one another, each a
    little like the next, do not run together.

    Parameters
    ----------
    features : FeatureCache
    threshold : float
        Least similarity to the first of the group.
    across_splits : bool
        Only groups with photographs of more than one split: what was trained on is tested with.
    label_rule : str
        Where labels and splits come from.
    progress : callable
        Is told what is done, and how many photographs of how many.

    Raises
    ------
    UsageError
        The threshold is no similarity.
    """
    check_similarity(threshold)
    labelled = labels.of(features, label_rule)
    splits = labelled.splits
    index = Index(features)
    copies = index.copies(index.rows)
    vectors = CachedVectors(features, index.rows)[np.arange(len(index.rows))]
    groups = []
    for members in _stars(list(map(len, copies)), near_pairs(vectors, threshold, progress)):
        rows = [(int(row), similarity) for number, similarity in members for row in copies[number]]
        if across_splits and len({splits[row] for row, _ in rows} - {None}) < 2:
            continue
        groups.append(
            DuplicateGroup(
                [
                    Duplicate(features.paths[row], similarity, labelled.labels[row], splits[row])
                    for row, similarity in rows
                ]
            )
        )
    return sorted(groups, key=lambda group: features.index_of(group.photographs[0].path) or 0)


def near_pairs(
    vectors: NDArray[np.float32], threshold: float, progress: Progress = silent
) -> Iterator[tuple[int, int, float]]:
    """Yield every pair (i, j, similarity), i < j, of vectors (n, d) of length one that are similar enough.

    Blocks are compared with blocks. Long vectors are first cut down to their leading axes and the length of what is
    left; by the Cauchy–Schwarz inequality the products of those are no smaller than the similarities, so that only pairs
    above the threshold there have to be compared as a whole. Nothing is missed.
    """
    bounds = _bounds(vectors, threshold)
    for top in range(0, len(vectors), BLOCK):
        progress("Comparing photographs", top, len(vectors))
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


def _stars(copies: list[int], pairs: Iterator[tuple[int, int, float]]) -> Iterator[list[tuple[int, float]]]:
    """Yield groups of (number, similarity to the first), the first with the most neighbours that are still free.

    A content of which there are several copies is a group of its own if nothing else is near.
    """
    near: dict[int, dict[int, float]] = defaultdict(dict)
    for i, j, similarity in pairs:
        near[i][j] = near[j][i] = similarity
    for number, count in enumerate(copies):
        if number not in near and count > 1:
            near[number] = {}
    free = set(near)
    for centre in sorted(near, key=lambda number: (-len(near[number]), number)):
        if centre not in free:
            continue
        others = sorted((one for one in near[centre] if one in free), key=lambda one: -near[centre][one])
        free -= {centre, *others}
        if others or copies[centre] > 1:
            yield [(centre, 1.0), *((one, near[centre][one]) for one in others)]
