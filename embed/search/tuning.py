"""Choosing a kind of index, and how hard it has to look, by measuring."""

import time
from dataclasses import dataclass

import numpy as np

from embed.errors import UsageError
from embed.search.exact import Exact
from embed.search.index import Index, Measured, Slots
from embed.search.kinds import KINDS, Cells, Graph, Kind

ANSWERS = 10  # recall@10
TUNING_QUERIES = 200
MEASURING_QUERIES = 500  # others than those tuned with
TIMED_QUERIES = 20
PATIENCE_MILLISECONDS = 50.0  # a search that answers within this needs no faster one
SEED = 0
AUTO = "auto"


@dataclass(frozen=True)
class Demand:
    """What an index is to be."""

    kind: str = AUTO
    recall: float = 0.99  # of an approximate kind

    def __post_init__(self) -> None:
        if self.kind != AUTO and self.kind not in KINDS:
            raise UsageError(f"--kind {self.kind!r} is not known; it is one of {', '.join([AUTO, *KINDS])}.")
        if not 0 < self.recall <= 1:
            raise UsageError(f"--recall {self.recall:g} is no share; it lies above 0 and is at most 1.")


def choose(vectors: np.ndarray, slots: Slots, demand: Demand) -> Index:
    """Return an index of vectors, float32 (slots, d), that meets a demand.

    Left to itself it is exact while that answers within 50 ms. Above, the cells are tried first, as they are built
    fast and can be added to and taken from, and then a graph, where the cells are not fast enough either. What does
    not reach the recall, or not sooner than comparing everything, is not taken.
    """
    exact = measured_exact(Exact.build(vectors), slots)
    if demand.kind == Exact.name:
        return exact
    if demand.kind != AUTO:
        return tuned(KINDS[demand.kind].build(vectors), exact, demand)
    best = exact
    for kind in (Cells, Graph):
        if best.measured.milliseconds <= PATIENCE_MILLISECONDS:
            break
        tried = tuned(kind.build(vectors), exact, demand)
        if (
            tried.measured.recall >= demand.recall
            and tried.measured.milliseconds < best.measured.milliseconds
        ):
            best = tried
    return best


def measured_exact(kind: Exact, slots: Slots) -> Index:
    """Return an exact index and how fast it is; it misses nothing."""
    index = Index(kind, slots, Measured(vectors=0), kind.matrix.__getitem__)
    milliseconds = _milliseconds(index, index.vectors(np.flatnonzero(slots.alive)[:TIMED_QUERIES]))
    index.measured = Measured(
        vectors=len(index),
        milliseconds=milliseconds,
        exact_milliseconds=milliseconds,
        megabytes=_megabytes(index),
    )
    return index


def tuned(kind: Kind, exact: Index, demand: Demand) -> Index:
    """Return an approximate index with the least effort that reaches a recall, and what it then does.

    Args:
        kind: how it searches.
        exact: an exact index of the same vectors in the same slots.
        demand: the recall to reach; where it cannot be reached the greatest effort stays set.
    """
    index = Index(kind, exact.slots, exact.measured, exact.vectors)
    order = np.random.default_rng(SEED).permutation(np.flatnonzero(exact.slots.alive))
    tuning, measuring = order[:TUNING_QUERIES], order[TUNING_QUERIES:][:MEASURING_QUERIES]
    if len(measuring) == 0:
        measuring = tuning
    tenth = _tenth(exact, tuning)
    low, high = 0, len(kind.efforts) - 1
    while low < high:  # more effort never finds less
        middle = (low + high) // 2
        kind.effort = kind.efforts[middle]
        if _recall(index, exact, tuning, tenth) >= demand.recall:
            high = middle
        else:
            low = middle + 1
    tenth = _tenth(exact, measuring)
    for effort in kind.efforts[low:]:
        kind.effort = effort
        recall = _recall(index, exact, measuring, tenth)
        if recall >= demand.recall:
            break
    index.measured = Measured(
        vectors=len(index),
        recall=round(recall, 5),
        milliseconds=_milliseconds(index, exact.vectors(measuring[:TIMED_QUERIES])),
        exact_milliseconds=exact.measured.milliseconds,
        megabytes=_megabytes(index),
    )
    return index


def _tenth(exact: Index, slots: np.ndarray) -> np.ndarray:
    """Return the similarity of the tenth nearest other vector of each slot: what is found has to be as near."""
    found = exact.search(exact.vectors(slots), ANSWERS + 1)
    return np.array([similarities[-1] for _, similarities in found])


def _recall(index: Index, exact: Index, slots: np.ndarray, tenth: np.ndarray) -> float:
    """Return the share of the ten nearest others of each slot that are found."""
    shares = []
    for slot, (found, similarities), least in zip(
        slots, index.search(exact.vectors(slots), ANSWERS + 1), tenth, strict=True
    ):
        near = int(((similarities >= least) & (found != slot)).sum())
        shares.append(min(near, ANSWERS) / min(ANSWERS, len(exact) - 1))
    return float(np.mean(shares))


def _milliseconds(index: Index, queries: np.ndarray) -> float:
    """Return the time of one query: the median over some, each measured twice and taken where undisturbed.

    It is the processor time of the thread that asks, which takes its share of the work to the end: what one waits for
    on a machine that does nothing else. Were it the clock on the wall, a busy minute would choose a graph for good.
    """
    if len(queries) == 0:
        return 0.0
    times = [min(_elapsed(index, query), _elapsed(index, query)) for query in queries]
    return round(1000 * float(np.median(times)), 3)


def _elapsed(index: Index, query: np.ndarray) -> float:
    started = time.thread_time()
    index.search(query[None], ANSWERS)
    return time.thread_time() - started


def _megabytes(index: Index) -> float:
    return round(index.kind.bytes_per_vector * len(index) / 1e6, 3)
