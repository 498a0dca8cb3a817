"""Groups of photographs that are alike, for a set that has no labels.

k-means on the leading principal components, each photograph scaled to length one there, because it agrees with the labels
of photographs that have some better than HDBSCAN does, which leaves most of them in no group; see
``benchmarks/clusters.py``. The number of groups is the one with the greatest silhouette.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embed.cache import FeatureCache
from embed.errors import UsageError
from embed.machine import one_thread
from embed.search.components import components, in_blocks
from embed.search.current import silent
from embed.search.store import Progress
from embed.search.vectors import SIMILARITY_DECIMALS, CachedVectors, as_keys, check_not_empty, distinct_rows

AXES = 32  # principal components
SAMPLE = 10_000  # photographs at most that number and centres are found on
JUDGED = 2_000  # of them for the silhouette, which compares each with each
STARTS = 5  # of k-means, of which the best one counts
MOST_GROUPS = 100  # that are chosen, not asked for
FEWEST = 5  # photographs in a group that is chosen, on average


@dataclass(frozen=True)
class Cluster:
    """Photographs that are alike.

    Attributes
    ----------
    rows : ndarray of shape (n,), int64
        Of the feature set, the one nearest the centre first.
    similarity : ndarray of shape (n,), float64
        Cosine of each to the centre, the mean of the group.
    """

    rows: NDArray[np.int64]
    similarity: NDArray[np.float64]

    @property
    def tightness(self) -> float:
        """Mean similarity to the centre: 1 where all are the same."""
        return float(self.similarity.mean())


@dataclass(frozen=True)
class Clusters:
    """The groups, the largest first; every photograph is in one.

    Attributes
    ----------
    groups : list of Cluster
    asked : int or None
        How many were asked for; None where the number was chosen.
    seed : int
    """

    groups: list[Cluster]
    asked: int | None
    seed: int


def clusters(
    features: FeatureCache,
    count: int | None = None,
    *,
    rows: NDArray[np.int64] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Clusters:
    """Group photographs: what is alike is together, and copies of one content are.

    The same features and the same seed give the same groups. No more than a sample and one block of features is in memory.

    Parameters
    ----------
    features : FeatureCache
    count : int, optional
        How many groups; by default as many as tell the photographs apart best.
    rows : ndarray of shape (n,), int64, optional
        The photographs; by default all.
    seed : int
    progress : callable
        Is told what is done, and how many photographs of how many.

    Raises
    ------
    NoFeaturesError
        There is no photograph.
    UsageError
        So many groups cannot be.
    """
    rows = np.arange(len(features)) if rows is None else rows
    check_not_empty(features, rows)
    contents = features.sha256[rows]
    first = distinct_rows(contents)
    if count is not None and not 1 <= count <= len(first):
        raise UsageError(
            f"{count} cannot be: it is 1 to {len(first)}, the number of different photographs", "groups"
        )
    vectors = CachedVectors(features, rows[first])
    group_of = _grouped(_reduced(vectors, seed, progress), count, seed, progress)
    nearness = _nearness(vectors, group_of, progress)
    own = _place(contents, first)
    group_of, nearness = group_of[own], nearness[own]
    found = []
    for group in np.unique(group_of):
        members = np.flatnonzero(group_of == group)
        order = np.argsort(-nearness[members], kind="stable")
        found.append(Cluster(rows[members[order]], nearness[members[order]]))
    return Clusters(sorted(found, key=lambda one: (-len(one.rows), one.rows[0])), count, seed)


def _reduced(vectors: CachedVectors, seed: int, progress: Progress) -> NDArray[np.float32]:
    """Return the leading components of each vector, of length one, float32 (n, axes); all zero where all are the same."""
    reduced = components(vectors, AXES, seed, progress)
    lengths = np.linalg.norm(reduced, axis=1, keepdims=True)
    return np.divide(reduced, lengths, where=lengths > 0, out=np.zeros_like(reduced))


def _grouped(
    reduced: NDArray[np.float32], count: int | None, seed: int, progress: Progress
) -> NDArray[np.int64]:
    """Return the group of each point, int64 (n,), by k-means; points of one place are in one group."""
    from sklearn.cluster import KMeans

    generator = np.random.default_rng(seed)
    sample = reduced[np.sort(generator.permutation(len(reduced))[:SAMPLE])]
    places = len(np.unique(sample, axis=0))
    counts = [min(count, places)] if count is not None else _counts(len(sample), places)
    best, labels_of_best = -np.inf, None
    judged = np.sort(generator.permutation(len(sample))[:JUDGED])
    with one_thread():
        for number in counts:
            progress("Trying numbers of groups", number, counts[-1])
            fitted = KMeans(number, n_init=STARTS, random_state=seed).fit(sample)
            silhouette = _silhouette(sample[judged], fitted.labels_[judged]) if len(counts) > 1 else 0.0
            if silhouette > best:
                best, labels_of_best = silhouette, fitted
        assert labels_of_best is not None
        if len(sample) == len(reduced):
            return labels_of_best.labels_.astype(np.int64)
        centres = labels_of_best.cluster_centers_
        return KMeans(len(centres), init=centres, n_init=1).fit_predict(reduced).astype(np.int64)


def _counts(photographs: int, places: int) -> list[int]:
    """Return the numbers of groups to try: every small one, then ever fewer."""
    most = min(MOST_GROUPS, max(2, photographs // FEWEST), places - 1)
    if most < 2:
        return [1]
    return np.unique(
        np.concatenate([np.arange(2, min(11, most + 1)), np.geomspace(2, most, 25).astype(int)])
    ).tolist()


def _silhouette(points: NDArray[np.float32], groups: NDArray[np.int32]) -> float:
    """Return how much nearer points are to their group than to the next one; nothing can be said of a single group."""
    from sklearn.metrics import silhouette_score

    there = len(np.unique(groups))
    return float(silhouette_score(points, groups)) if 1 < there < len(points) else -1.0


def _nearness(vectors: CachedVectors, group_of: NDArray[np.int64], progress: Progress) -> NDArray[np.float64]:
    """Return the cosine of each vector to the mean of its group, float64 (n,)."""
    sums = np.zeros((int(group_of.max()) + 1, vectors.shape[1]))
    for place, block in in_blocks(vectors):
        progress("Finding the centres", place.start, len(vectors))
        np.add.at(sums, group_of[place], block)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    centres = np.divide(sums, lengths, where=lengths > 0, out=np.zeros_like(sums))
    nearness = [
        np.einsum("nd,nd->n", block, centres[group_of[place]], dtype=np.float64)
        for place, block in in_blocks(vectors)
    ]
    return np.clip(np.concatenate(nearness).round(SIMILARITY_DECIMALS), -1.0, 1.0)


def _place(contents: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which of the distinct contents each row has, int64 (n,)."""
    place = {key: i for i, key in enumerate(as_keys(contents[rows]))}
    return np.fromiter((place[key] for key in as_keys(contents)), np.int64, len(contents))
