"""Bring a store that lies elsewhere up to date with a feature set, by difference, and measure what it finds."""

from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from embed.cache import FeatureCache
from embed.search.index import Index
from embed.search.store import Progress, Store
from embed.search.tuning import IndexOptions, held_out, held_out_count, tune
from embed.search.vectors import CachedVectors, missing_from

MOST_CHANGED = 0.2  # of the vectors may have come or gone before the recall is measured again
SEED = 0


def fill(features: FeatureCache, store: Store, options: IndexOptions, progress: Progress) -> None:
    """Give a store what it lacks and take away what it has too much; its fingerprint comes last.

    Where most is new, or something else was asked for, some photographs are held out first, and the recall is that of
    questions about them.

    Raises
    ------
    StoreUnreachableError
        It cannot be written to; what was written stays, and the rest is added next time.
    """
    rows = Index(features).rows
    before = store.notes if store.notes.get("options") == asdict(options) else {}
    counted = dict(before.get("measured", {})).get("vectors", 0)
    gone, come = _difference(features, store, rows)
    notes = before
    if not counted or len(gone) + len(come) + abs(len(rows) - counted) > MOST_CHANGED * len(rows):
        shuffled = np.random.default_rng(SEED).permutation(rows)
        count = held_out_count(len(rows))
        held, inside = np.sort(shuffled[:count]), np.sort(shuffled[count:])
        progress("Comparing photographs for the recall", 0, len(inside))
        truth = held_out(Index(features), inside, held)
        _exchange(features, store, *_difference(features, store, inside), progress)
        progress("Measuring the recall", 0, len(held))
        found = tune(Index(features, store), truth, options.recall)
        gone, come = _difference(features, store, rows)
        notes = {"options": asdict(options), "measured": asdict(found)}
    _exchange(features, store, gone, come, progress)
    store.commit(features.fingerprint, notes)


def _difference(
    features: FeatureCache, store: Store, rows: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the contents that a store holds beside those of some rows, and the rows that it lacks."""
    contents, held = features.sha256[rows], store.contents
    return held[missing_from(held, contents)], rows[missing_from(contents, held)]


def _exchange(
    features: FeatureCache, store: Store, gone: NDArray[np.uint8], come: NDArray[np.int64], progress: Progress
) -> None:
    store.remove(gone)
    store.add(features.sha256[come], CachedVectors(features, come), progress)
