"""Pairs of photographs whose features are similar: every one of them, however many photographs there are."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from embed.search.current import silent
from embed.search.store import Progress
from embed.search.vectors import SIMILARITY_DECIMALS, Vectors, blocks

BLOCK = 2048  # rows and columns compared at once: 16 MB of similarities
AXES = 128  # of the bound
SAMPLE = 2048  # vectors that the axes are computed from
SLACK = 1e-4  # of float32 sums; what lies this close below the threshold is compared as a whole
MOST_CANDIDATES = 0.005  # share of pairs above which comparing all of them as a whole costs less
ITERATIONS = 3
SEED = 0

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
