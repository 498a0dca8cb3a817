"""Every vector is compared with the query.

For one question it is a matrix product of NumPy over the features where they lie, every byte checked on its way: importing FAISS
takes longer than a search over ten thousand vectors. For many, FAISS keeps vectors of length one, and is faster.
"""

import numpy as np
from numpy.typing import NDArray

from embed.cache import FeatureCache
from embed.search.vectors import blocks, normalise, normalised


def nearest(
    features: FeatureCache, rows: NDArray[np.int64], queries: NDArray[np.float32], k: int
) -> list[NDArray[np.int64]]:
    """Return for each query the k rows that are most similar, in any order; fewer where there are not so many.

    Parameters
    ----------
    features : FeatureCache
    rows : ndarray of int64
        Which may answer.
    queries : ndarray of shape (m, d), float32
        Of length one.
    k : int
    """
    best = [_Best(k) for _ in queries]
    for block in blocks(len(rows), features.dimension):
        scores = _scores(queries, features.rows(rows[block]))
        for one, of_query in zip(best, scores, strict=True):
            one.add(of_query, block.start)
    return [rows[one.places] for one in best]


def _scores(queries: NDArray[np.float32], X: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cosines of queries (m, d) of length one with rows X (n, d) of any length."""
    squares = np.einsum("nd,nd->n", X, X)
    if not (np.isfinite(squares) & (squares > np.finfo(np.float32).tiny)).all():
        return queries @ normalised(X).T  # too long, too short, or zero
    # The threads of BLAS cost more than they bring for one query, above all on a busy machine.
    products = np.einsum("nd,d->n", X, queries[0])[None] if len(queries) == 1 else queries @ X.T
    return products / np.sqrt(squares)


class Kept:
    """Vectors of length one in memory, compared by FAISS.

    Parameters
    ----------
    features : FeatureCache
        Read and checked as a whole.
    """

    def __init__(self, features: FeatureCache) -> None:
        import faiss

        self._flat = faiss.IndexFlatIP(features.dimension)
        for block in blocks(len(features), features.dimension):
            self._flat.add(normalise(features.rows(np.arange(block.start, block.stop))))
        # The memory of FAISS itself, not a copy.
        values = faiss.rev_swig_ptr(self._flat.get_xb(), self._flat.ntotal * features.dimension)
        self.vectors: NDArray[np.float32] = values.reshape(-1, features.dimension)

    def nearest(
        self, rows: NDArray[np.int64], queries: NDArray[np.float32], k: int
    ) -> list[NDArray[np.int64]]:
        """Return what the function `nearest` does."""
        import faiss

        if not len(rows):
            return [rows for _ in queries]
        some = None
        if len(rows) < len(self.vectors):
            some = faiss.SearchParameters(sel=faiss.IDSelectorBatch(rows))
        found = self._flat.search(queries, min(k, len(rows)), params=some)[1]
        return [of_query[of_query >= 0] for of_query in found]


class _Best:
    """The best k of all scores that came by; fewer where there were not so many."""

    def __init__(self, k: int) -> None:
        self.places = np.empty(0, np.int64)
        self._scores = np.empty(0, np.float32)
        self._k = k
        self._worst = -np.inf  # of the best k

    def add(self, scores: NDArray[np.float32], start: int) -> None:
        """Consider the scores of the places from `start` on."""
        better = np.flatnonzero(scores > self._worst)
        self.places = np.concatenate([self.places, better + start])
        self._scores = np.concatenate([self._scores, scores[better]])
        if len(self.places) > self._k:
            keep = np.argpartition(-self._scores, self._k - 1)[: self._k]
            self.places, self._scores = self.places[keep], self._scores[keep]
        if len(self.places) == self._k:
            self._worst = float(self._scores.min())
