"""The index of a feature set: which photographs are most similar to a vector."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.cache import Contents, FeatureCache
from embed.search import exact
from embed.search.kinds import EXACT
from embed.search.store import Store, StoreDamagedError, StoreUnreachableError
from embed.search.vectors import as_keys, distinct_rows, normalise, normalised, rows_with, similarities

EXACT_VALUES = 1 << 26  # values that are compared with a query in 50 ms, on two cores: 52,000 × 1,280
TIES = 8  # candidates beyond k, so that float32 rounding cannot push the k-th answer out


def most_compared(dimension: int) -> int:
    """Return how many photographs are compared one by one with a query; more need a store."""
    return EXACT_VALUES // max(1, dimension)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What an index was found to do on this machine when it was built.

    Attributes
    ----------
    vectors : int
        In the set, each content once.
    recall : float
        Share of the true ten nearest that are found, for photographs that were held out of the index.
    recall_low, recall_high : float
        The 95 % interval of it, by Wilson over the photographs asked about.
    filtered_recall : float
        The same where only photographs that are like one another may answer, as with a rare label.
    queries : int
        Photographs held out and asked about.
    milliseconds, exact_milliseconds : float
        Processor time of one query, and of one that is compared with everything.
    megabytes : float
        That a search may touch.
    """

    vectors: int
    recall: float = 1.0
    recall_low: float = 1.0
    recall_high: float = 1.0
    filtered_recall: float = 1.0
    queries: int = 0
    milliseconds: float = 0.0
    exact_milliseconds: float = 0.0
    megabytes: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the figures as a JSON object."""
        return asdict(self)


class Index:
    """The photographs of a feature set, each content once, searched by cosine similarity.

    Attributes
    ----------
    features : FeatureCache
    store : Store or None
        Names candidates; None where everything is compared.
    given_up : StoreDamagedError or StoreUnreachableError, optional
        Why the store is no longer asked.
    """

    def __init__(self, features: FeatureCache, store: Store | None = None) -> None:
        self.features = features
        self.store = store
        self.given_up: StoreDamagedError | StoreUnreachableError | None = None
        self._distinct: NDArray[np.int64] | None = None
        self._kept: exact.Kept | None = None
        self._contents: Contents | None = None

    def keep(self) -> "Index":
        """Read and check what every search needs, once, for many of them; return the index itself.

        Where everything is compared these are the vectors, float32 of length one, 256 MiB at most; where a store is asked, the
        contents of the photographs, some 80 bytes for each.
        """
        _ = self.rows
        self._contents = Contents(self.features.sha256)
        if self.store is not None:
            _ = self.store.contents
        elif len(self.features) <= most_compared(self.features.dimension):
            self._kept = exact.Kept(self.features)
        return self

    @property
    def kind(self) -> str:
        """How it searches."""
        return EXACT if self.store is None else self.store.kind

    @property
    def rows(self) -> NDArray[np.int64]:
        """The first row of each content, int64."""
        if self._distinct is None:
            self._distinct = distinct_rows(self.features.sha256)
        return self._distinct

    def search(
        self, queries: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None = None
    ) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Return for each query the rows of its k most similar contents and their similarities, most similar first.

        Of copies the first row that is allowed stands for all. Fewer than k come back where fewer are allowed. A store
        that turns out damaged, or cannot be asked any more, is not asked again: everything is compared.

        Parameters
        ----------
        queries : ndarray of shape (m, d), float32
            Of any length.
        k : int
        allowed : ndarray of shape (rows,), bool, optional
            Which rows may answer.
        """
        queries = normalised(queries)
        few = allowed is not None and allowed.sum() <= most_compared(queries.shape[1])
        if self.store is None or few:
            return self._compared(queries, k, allowed)
        sha256 = self.features.sha256
        try:
            names = self.store.candidates(
                queries, min(k + TIES, len(self.features)), None if allowed is None else sha256[allowed]
            )
        except (StoreDamagedError, StoreUnreachableError) as error:
            self.store, self.given_up = None, error
            return self._compared(queries, k, allowed)
        first = {
            key: row
            for key, rows in self._rows_with(np.concatenate(names)).items()
            for row in (rows if allowed is None else [row for row in rows if allowed[row]])[:1]
        }
        found = [[first[key] for key in as_keys(one) if key in first] for one in names]
        return self._ranked(queries, [np.array(rows, np.int64) for rows in found], k)

    def _compared(
        self, queries: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None
    ) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        rows = self.rows
        if allowed is not None:
            rows = np.flatnonzero(allowed)
            rows = rows[distinct_rows(self.features.sha256[rows])]
        if self._kept is not None:
            found = self._kept.nearest(rows, queries, k + TIES)
        else:
            found = exact.nearest(self.features, rows, queries, k + TIES)
        return self._ranked(queries, found, k)

    def _ranked(
        self, queries: NDArray[np.float32], candidates: list[NDArray[np.int64]], k: int
    ) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        every = np.unique(np.concatenate([np.empty(0, np.int64), *candidates]))
        vectors = normalise(self.features.rows(every)) if self._kept is None else self._kept.vectors[every]
        ranked = []
        for query, rows in zip(queries, candidates, strict=True):
            scores = similarities(vectors[np.searchsorted(every, rows)], query)
            # Where the score is the same the content decides, whatever the history of the index.
            names = [self.features.sha256[row].tobytes() for row in rows]
            order = sorted(zip((-scores).tolist(), names, range(len(rows)), strict=True))
            best = [place for _, _, place in order[:k]]
            ranked.append((rows[best], scores[best]))
        return ranked

    def copies(self, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Return for each of some rows all rows that have its content."""
        sha256 = self.features.sha256[rows]
        found = self._rows_with(sha256)
        return [np.array(found[key], np.int64) for key in as_keys(sha256)]

    def _rows_with(self, contents: NDArray[np.uint8]) -> dict[bytes, list[int]]:
        """Return the rows that have each of a few contents; one that no row has is left out."""
        if self._contents is None:
            return rows_with(self.features.sha256, contents)
        found = zip(as_keys(contents), self._contents.rows(contents), strict=True)
        return {key: rows for key, rows in found if rows}
