"""The directions along which photographs differ most, found on a sample of them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from embed.machine import one_thread
from embed.search.store import Progress
from embed.search.vectors import CachedVectors, blocks

SAMPLE = 10_000  # photographs at most that they are found on
SAMPLE_VALUES = 1 << 26  # of their features: 256 MB
SAME = 1e-6  # variance of vectors of length one below which all of them are one picture


def components(vectors: CachedVectors, axes: int, seed: int, progress: Progress) -> NDArray[np.float32]:
    """Return the leading principal components of each vector, float32 (n, axes); all zero where all vectors are the same.

    There are fewer axes where there are fewer vectors, or features. No more than a sample and one block is in memory.
    """
    from sklearn.decomposition import PCA

    count, dimension = vectors.shape
    progress("Finding what tells the photographs apart", 0, count)
    most = max(2, min(SAMPLE, SAMPLE_VALUES // dimension))
    sample = vectors[np.sort(np.random.default_rng(seed).permutation(count)[:most])]
    axes = min(axes, len(sample), dimension)
    if len(sample) < 2 or sample.var(axis=0, dtype=np.float64).sum() < SAME:
        return np.zeros((count, axes), np.float32)
    # The last bits depend on the number of threads, and all that follows on the last bits.
    with one_thread():
        pca = PCA(axes, random_state=seed).fit(sample)
        return np.concatenate([pca.transform(block) for _, block in in_blocks(vectors)]).astype(np.float32)


def in_blocks(vectors: CachedVectors) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield the vectors a block at a time, each with its place."""
    for place in blocks(*vectors.shape):
        yield place, vectors[np.arange(place.start, place.stop)]
