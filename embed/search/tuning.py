"""How hard an index has to search, and what it then finds, by photographs that are not in it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embed.errors import UsageError
from embed.search.index import Index, Measured, most_compared
from embed.search.kinds import AUTO, NAMES
from embed.search.vectors import CachedVectors

ANSWERS = 10  # recall@10
TUNING_QUERIES = 200
MEASURING_QUERIES = 500  # others than those tuned with
HELD_OUT_SHARE = 0.1  # at most
TIMED_QUERIES = 20
LEAST_FILTERED_SHARE = 0.05
CONFIDENCE = 0.95
SEED = 0


@dataclass(frozen=True)
class IndexOptions:
    """What an index is to be.

    Parameters
    ----------
    kind : {"auto", "exact", "compressed", "ivf", "hnsw"}
    recall : float
        Share of the true ten nearest that one which does not compare everything has to find.
    store : str
        Where it is kept, if not beside the features: a place that ends in ``.lance``, or a URL of PostgreSQL.

    Raises
    ------
    UsageError
        A value cannot work.
    """

    kind: str = AUTO
    recall: float = 0.99
    store: str = ""

    def __post_init__(self) -> None:
        if self.store and self.kind != AUTO:
            raise UsageError(f"is {self.kind!r}; a store elsewhere has a kind of its own", "kind")
        if self.kind not in NAMES:
            raise UsageError(f"{self.kind!r} is not known; it is one of {', '.join(NAMES)}.", "kind")
        if not 0 < self.recall <= 1:
            raise UsageError(f"{self.recall:g} is no share; it lies above 0 and is at most 1.", "recall")


@dataclass(frozen=True)
class HeldOut:
    """Rows to ask about that are not in the index, and how similar their tenth nearest in the index is.

    Attributes
    ----------
    queries : ndarray of shape (m, d), float32
        Of length one.
    tenth, filtered_tenth : ndarray of shape (m,), float64
        The least similarity that counts as found: among all rows in the index, and among those that are allowed.
    allowed : ndarray of shape (rows,), bool
        A filter that is hard: rows that are like one another, as those with a rare label are.
    """

    queries: NDArray[np.float32]
    tenth: NDArray[np.float64]
    filtered_tenth: NDArray[np.float64]
    allowed: NDArray[np.bool_]


def held_out_count(contents: int) -> int:
    """Return how many of so many contents are held out of an index, to be asked about and added afterwards."""
    return min(TUNING_QUERIES + MEASURING_QUERIES, int(HELD_OUT_SHARE * contents))


def held_out(exact: Index, rows: NDArray[np.int64], held: NDArray[np.int64]) -> HeldOut:
    """Compare held-out rows with the rows of an index that is about to be built.

    Parameters
    ----------
    exact : Index
        Of the same features, without a store.
    rows, held : ndarray of int64
        What goes into the index, and what does not; no content is in both.
    """
    features = exact.features
    vectors = CachedVectors(features, held)[np.arange(len(held))]
    inside = np.zeros(len(features), bool)
    inside[rows] = True
    allowed = np.zeros(len(features), bool)
    few = max(int(LEAST_FILTERED_SHARE * len(rows)), most_compared(features.dimension) + 1)
    if len(held) and few < len(rows):
        ((alike, _),) = exact.search(vectors[:1], few, inside)
        allowed[alike] = True
    return HeldOut(vectors, _tenth(exact, vectors, inside), _tenth(exact, vectors, allowed), allowed)


def tune(index: Index, truth: HeldOut, recall: float) -> Measured:
    """Set the least efforts that find enough, without and with a filter, and return what they do.

    An effort is found by bisection on some of the held-out rows, and raised on the others where it is not enough
    there; what is reported is of those others alone.

    Raises
    ------
    StoreDamagedError, StoreUnreachableError
        The store could not be asked to the end.
    """
    store = index.store
    assert store is not None
    effort, found = _least_effort(index, truth.queries, truth.tenth, None, recall)
    filtered_effort, filtered = _least_effort(
        index, truth.queries, truth.filtered_tenth, truth.allowed, recall
    )
    # What a filter leaves over is further away, never nearer; and a small index has no hard filter to be tuned with.
    store.effort, store.filtered_effort = effort, max(effort, filtered_effort)
    measuring = slice(_tuning_count(truth.queries), None)
    queries = truth.queries[measuring]
    interval = _interval(found, len(queries))
    return Measured(
        vectors=len(index.rows),
        recall=round(found, 5),
        recall_low=interval[0],
        recall_high=interval[1],
        filtered_recall=round(filtered, 5),
        queries=len(queries),
        milliseconds=milliseconds(index, queries),
        exact_milliseconds=milliseconds(Index(index.features), queries),
        megabytes=round(store.bytes_per_vector * len(index.rows) / 1e6, 3),
    )


def measured_exact(index: Index) -> Measured:
    """Return what an index that compares everything does."""
    vectors = CachedVectors(index.features, index.rows[:TIMED_QUERIES])
    once = milliseconds(index, vectors[np.arange(len(vectors))])
    size = 4e-6 * len(index.rows) * index.features.dimension
    return Measured(
        vectors=len(index.rows), milliseconds=once, exact_milliseconds=once, megabytes=round(size, 3)
    )


def _tenth(exact: Index, queries: NDArray[np.float32], allowed: NDArray[np.bool_]) -> NDArray[np.float64]:
    found = exact.search(queries, ANSWERS, allowed)
    return np.array([scores[-1] if len(scores) else np.inf for _, scores in found])


def _least_effort(
    index: Index,
    queries: NDArray[np.float32],
    tenth: NDArray[np.float64],
    allowed: NDArray[np.bool_] | None,
    recall: float,
) -> tuple[int, float]:
    """Return the least effort that finds a share of the ten nearest, and the share that it finds."""
    store = index.store
    assert store is not None
    efforts = list(store.efforts)
    tuning = slice(0, _tuning_count(queries))
    measuring = slice(tuning.stop, None)

    def found(effort: int, some: slice) -> float:
        store.effort = store.filtered_effort = effort
        return _recall(index, queries[some], tenth[some], allowed)

    low, high = (0 if len(queries) else len(efforts) - 1), len(efforts) - 1
    while low < high:  # more effort never finds less
        middle = (low + high) // 2
        low, high = (low, middle) if found(efforts[middle], tuning) >= recall else (middle + 1, high)
    while (share := found(efforts[low], measuring)) < recall and low < len(efforts) - 1:
        low += 1
    return efforts[low], share


def _tuning_count(queries: NDArray[np.float32]) -> int:
    return len(queries) * TUNING_QUERIES // (TUNING_QUERIES + MEASURING_QUERIES)


def _recall(
    index: Index, queries: NDArray[np.float32], tenth: NDArray[np.float64], allowed: NDArray[np.bool_] | None
) -> float:
    possible = min(ANSWERS, len(index.rows) if allowed is None else int(allowed.sum()))
    if not possible or not len(queries):
        return 1.0
    found = index.search(queries, ANSWERS, allowed)
    if index.given_up is not None:  # what everything compared would find says nothing of the store
        raise index.given_up
    near = [
        min(int((scores >= least).sum()), possible) for (_, scores), least in zip(found, tenth, strict=True)
    ]
    return float(np.mean(near)) / possible


def _interval(recall: float, queries: int) -> tuple[float, float]:
    """Return the 95 % interval of a recall, as if the answers to one query stood or fell together."""
    if queries == 0:
        return 0.0, 1.0
    from scipy.stats import binomtest

    found = binomtest(round(recall * queries), queries).proportion_ci(CONFIDENCE, "wilson")
    return round(float(found.low), 5), round(float(found.high), 5)


def milliseconds(index: Index, queries: NDArray[np.float32]) -> float:
    """Return the processor time of one query: the median over some, each measured twice and taken where undisturbed.

    The clock on the wall would measure whoever else keeps the machine busy.
    """
    if len(queries) == 0:
        return 0.0
    times = [
        min(_elapsed(lambda query=query: index.search(query[None], ANSWERS)) for _ in range(2))  # type: ignore[misc]
        for query in queries[:TIMED_QUERIES]
    ]
    return round(1000 * float(np.median(times)), 3)


def _elapsed(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started
