"""Photographs that are there more than once: the same file, or the same picture saved, scaled, flipped or cropped."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embed import labels
from embed.cache import FeatureCache
from embed.errors import UsageError
from embed.search.current import silent
from embed.search.index import Index
from embed.search.similar import check_similarity
from embed.search.store import Progress
from embed.search.vectors import SIMILARITY_DECIMALS, CachedVectors, Vectors, blocks

THRESHOLD = 0.92  # finds nearly all edited copies of photographs and next to nothing else; see benchmarks/duplicates.py

BLOCK = 2048  # rows and columns compared at once: 16 MB of similarities
KEPT_VALUES = 1 << 28  # of vectors that are kept in memory, 1 GB; of more only the bounds are
MOST_PAIRS = 1 << 25  # that are put in groups; nobody looks at more
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
    little like the next, do not run together. Every pair is compared, however many there are, in at most 1 GB and some 500 bytes
    for each photograph.

    Parameters
    ----------
    features : FeatureCache
    threshold : float
        Least similarity to the first of the group.
    across_splits : bool
        Only groups with photographs of more than one split: what was trained on is tested with.
    label_rule : str
        Where splits come from, and which photographs are asked for.
    progress : callable
        Is told what is done, and how many photographs of how many.

    Raises
    ------
    UsageError
        The threshold is no similarity, or more than 33 million pairs are above it.
    """
    check_similarity(threshold)
    labelled = labels.of(features, label_rule)
    splits = labelled.splits
    index = Index(features)
    distinct, copies = index.rows, index.copies(index.rows)
    if labelled.asked is not None:
        copies = [rows[labelled.asked[rows]] for rows in copies]
        distinct = distinct[[len(rows) > 0 for rows in copies]]
        copies = [rows for rows in copies if len(rows)]
    vectors: Vectors = CachedVectors(features, distinct)
    if len(vectors) * features.dimension <= KEPT_VALUES:
        vectors = vectors[np.arange(len(vectors))]
    groups = []
    for members in _stars(
        np.array(list(map(len, copies))), near_pairs(vectors, threshold, progress), threshold
    ):
        rows = [(int(row), similarity) for number, similarity in members for row in copies[number]]
        if across_splits and len({splits[row] for row, _ in rows} - {None}) < 2:
            continue
        groups.append(
            DuplicateGroup(
                [
                    Duplicate(features.path(row), similarity, labelled.labels[row], splits[row])
                    for row, similarity in rows
                ]
            )
        )
    return sorted(groups, key=lambda group: features.index_of(group.photographs[0].path) or 0)


Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


def near_pairs(vectors: Vectors, threshold: float, progress: Progress = silent) -> Iterator[Pairs]:
    """Yield every pair of vectors (n, d) of length one that are similar enough: some i, as many j, i < j, and similarities.

    Blocks are compared with blocks. Long vectors are first cut down to their leading axes and the length of what is
    left; by the Cauchy–Schwarz inequality the products of those are no smaller than the similarities, so that only pairs
    above the threshold there have to be compared as a whole. Nothing is missed.
    """
    bounds = _bounds(vectors, threshold)
    for top in range(0, len(vectors), BLOCK):
        progress("Comparing photographs", top, len(vectors))
        upper = bounds[np.arange(top, min(top + BLOCK, len(vectors)))]
        own = upper if bounds is vectors else vectors[np.arange(top, top + len(upper))]
        for left in range(top, len(vectors), BLOCK):
            lower = upper if left == top else bounds[np.arange(left, min(left + BLOCK, len(vectors)))]
            near = upper @ lower.T >= threshold - SLACK
            i, j = np.divmod(np.flatnonzero(np.triu(near, 1) if top == left else near), near.shape[1])
            if not len(i):
                continue
            # Of vectors that are not in memory only the few are read that a bound leaves.
            wanted = np.flatnonzero(np.bincount(j, minlength=len(lower)))
            others = lower[wanted] if bounds is vectors else vectors[wanted + left]
            j_other = np.searchsorted(wanted, j)
            for some in blocks(len(i), vectors.shape[1]):
                cosines = np.einsum("nd,nd->n", own[i[some]], others[j_other[some]], dtype=np.float64)
                similarities = np.minimum(cosines.round(SIMILARITY_DECIMALS), 1.0)
                keep = similarities >= threshold
                yield i[some][keep] + top, j[some][keep] + left, similarities[keep]


def _bounds(vectors: Vectors, threshold: float) -> Vectors:
    """Return short vectors, float32 (n, AXES + 1), whose inner products are at least those of the vectors.

    Where they would not tell many pairs apart, the vectors themselves are their own bounds.
    """
    count, dimension = vectors.shape
    if dimension <= 2 * AXES or count <= 2 * SAMPLE:
        return vectors  # cutting would cost more than it saves
    generator = np.random.default_rng(SEED)
    sample = vectors[np.sort(generator.permutation(count)[:SAMPLE])]
    # Subspace iteration: nearly the principal axes at a fraction of the cost, and any orthonormal axes are right.
    axes = generator.standard_normal((dimension, AXES), dtype=np.float32)
    for _ in range(ITERATIONS):
        axes = np.linalg.qr(sample.T @ (sample @ axes))[0]
    short = _cut(sample, axes)
    if np.mean(short @ short.T >= threshold) > MOST_CANDIDATES:
        return vectors
    bounds = np.empty((count, AXES + 1), np.float32)
    for some in blocks(count, dimension):
        bounds[some] = _cut(vectors[np.arange(some.start, some.stop)], axes)
    return bounds


def _cut(vectors: NDArray[np.float32], axes: NDArray[np.float32]) -> NDArray[np.float32]:
    leading = vectors @ axes
    rest = np.sqrt(np.maximum(0, 1 - np.einsum("nd,nd->n", leading, leading, dtype=np.float64)))
    return np.column_stack([leading, rest.astype(np.float32)])


def _stars(
    copies: NDArray[np.int64], pairs: Iterator[Pairs], threshold: float
) -> Iterator[list[tuple[int, float]]]:
    """Yield groups of (number, similarity to the first), the first with the most neighbours that are still free.

    A content of which there are several copies is a group of its own if nothing else is near.
    """
    found: list[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]] = []
    count = 0
    for i, j, similarities in pairs:
        found.append((i.astype(np.int32), j.astype(np.int32), similarities))
        if (count := count + len(i)) > MOST_PAIRS:
            raise UsageError(
                f"{threshold:g} is met by more than {MOST_PAIRS:,} pairs; choose a higher one.", "threshold"
            )
    nothing = np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float64)
    i, j, similarities = map(np.concatenate, zip(nothing, *found, strict=True))
    found.clear()
    centres, others = np.concatenate([i, j]), np.concatenate([j, i])
    similarities = np.concatenate([similarities, similarities])
    order = np.lexsort((others, -similarities, centres))
    others, similarities = others[order], similarities[order]
    neighbours = np.bincount(centres, minlength=len(copies))
    starts = np.concatenate([[0], np.cumsum(neighbours)])
    free = (neighbours > 0) | (copies > 1)
    for centre in np.argsort(-neighbours, kind="stable").tolist():
        if not free[centre]:
            continue
        free[centre] = False
        around = slice(starts[centre], starts[centre + 1])
        near = [
            (one, similarity)
            for one, similarity in zip(others[around].tolist(), similarities[around].tolist(), strict=True)
            if free[one]
        ]
        free[[one for one, _ in near]] = False
        if near or copies[centre] > 1:
            yield [(centre, 1.0), *near]
