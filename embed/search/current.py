"""The index that belongs to the features as they are now: read, brought up to date, or built."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np

from embed.cache import FeatureCache, Lock
from embed.errors import UsageError
from embed.search.faiss_store import FaissStore
from embed.search.filling import fill
from embed.search.index import Index, Measured, most_compared
from embed.search.kinds import AUTO, COMPRESSED, EXACT, IVF
from embed.search.store import Progress, StoreDamagedError
from embed.search.stores import as_written_down, open_store
from embed.search.tuning import IndexOptions, held_out, held_out_count, measured_exact, tune
from embed.search.vectors import CachedVectors, missing_from

MOST_CHANGED = 0.2  # of the vectors may have come or gone before building anew is the better way
SEED = 0


def silent(what: str, done: int, total: int) -> None:
    """Say nothing of what is done."""


def open_index(
    features: FeatureCache, options: IndexOptions | None = None, progress: Progress = silent
) -> Index:
    """Return the index of the features as they are now.

    Few photographs need none: everything is compared. Of many, the index on disk is used where it belongs to these
    features, brought up to date by difference where it belongs to others, and built where it is missing, damaged, or
    another was asked for.

    Parameters
    ----------
    features : FeatureCache
    options : IndexOptions, optional
        What the index is to be; by default what was asked for last.
    progress : callable
        Is told what is done, and how many vectors of how many.

    Raises
    ------
    CacheWriteError
        The index cannot be kept.
    CacheLockedError
        Another process is building it.
    """
    store, asked = _load(features)
    options = options or asked
    if options.store:
        return _elsewhere(features, options, asked, progress)
    exact = _compares(features, options)
    if options == asked and (exact or (store is not None and store.fingerprint == features.fingerprint)):
        return Index(features, None if exact else store)
    folder = FaissStore(features.folder, EXACT).prepare()
    lock = Lock(folder)
    try:
        # Whoever held the lock before may have done the work.
        store, asked = _load(features)
        if exact:
            store = FaissStore(features.folder, EXACT)
            store.commit(features.fingerprint, {"options": asdict(options)})
            return Index(features)
        if store is None or options != asked or not _updated(features, store, progress):
            store = _built(features, options, progress)
        return Index(features, store)
    finally:
        lock.release()


def _elsewhere(
    features: FeatureCache, options: IndexOptions, asked: IndexOptions, progress: Progress
) -> Index:
    """Return an index whose store lies elsewhere, brought up to date. Which one it is stands beside the features."""
    store = open_store(options.store, features)
    options = replace(options, store=as_written_down(options.store))
    if options == asked and store.fingerprint == features.fingerprint:
        return Index(features, store)
    beside = FaissStore(features.folder, EXACT)
    lock = Lock(beside.prepare())
    try:
        fill(features, store, options, progress)
        beside.commit(features.fingerprint, {"options": asdict(options)})
        return Index(features, store)
    finally:
        lock.release()


def measured(index: Index) -> Measured:
    """Return what an index was found to do when it was built; one that compares everything is measured now."""
    if index.store is None:
        return measured_exact(index)
    return replace(_figures(index.store.notes), vectors=len(index.rows))


def _figures(notes: dict[str, Any]) -> Measured:
    """Return what the notes of an index say it was found to do. Raises KeyError or TypeError where they do not."""
    figures = dict(notes["measured"])
    if not all(type(figure) in (int, float) for figure in figures.values()):
        raise TypeError("no figures")
    return Measured(**figures)


def _compares(features: FeatureCache, options: IndexOptions) -> bool:
    few = len(features) <= most_compared(features.dimension)
    return options.kind == EXACT or len(features) == 0 or (options.kind == AUTO and few)


def _load(features: FeatureCache) -> tuple[FaissStore | None, IndexOptions]:
    """Return what was committed last, where it is whole, and what was asked for then."""
    try:
        store = FaissStore.load(features.folder)
        notes = {} if store is None else store.notes
    except StoreDamagedError as error:
        store, notes = None, error.notes
    try:
        if store is not None and store.kind != EXACT:
            _figures(notes)
        return store, IndexOptions(**notes.get("options", {}))
    except (KeyError, TypeError, ValueError, UsageError):
        return None, IndexOptions()


def _updated(features: FeatureCache, store: FaissStore, progress: Progress) -> bool:
    """Bring a store up to date by difference; False where a new one is the better way, or this one is damaged."""
    if store.fingerprint == features.fingerprint:
        return True
    rows = Index(features).rows
    contents = features.sha256[rows]
    try:
        held = store.contents
        gone, come = held[missing_from(held, contents)], rows[missing_from(contents, held)]
        if store.changed + len(gone) + len(come) > MOST_CHANGED * len(rows):
            return False
        store.remove(gone)
        store.add(features.sha256[come], CachedVectors(features, come), progress)
    except StoreDamagedError:
        return False
    store.commit(features.fingerprint, store.notes)
    return True


def _built(features: FeatureCache, options: IndexOptions, progress: Progress) -> FaissStore:
    exact = Index(features)
    rows = np.random.default_rng(SEED).permutation(exact.rows)
    count = held_out_count(len(rows))
    held, rows = np.sort(rows[:count]), np.sort(rows[count:])
    progress("Comparing photographs for the recall", 0, len(rows))
    truth = held_out(exact, rows, held)
    for kind in (COMPRESSED.name, IVF.name) if options.kind == AUTO else (options.kind,):
        store = FaissStore(features.folder, kind)
        store.add(features.sha256[rows], CachedVectors(features, rows), progress)
        progress("Measuring the recall", 0, len(held))
        found = tune(Index(features, store), truth, options.recall)
        if min(found.recall, found.filtered_recall) >= options.recall:
            break
    store.add(features.sha256[held], CachedVectors(features, held), progress)
    store.commit(features.fingerprint, {"options": asdict(options), "measured": asdict(found)})
    return store
