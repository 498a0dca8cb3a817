"""The index that belongs to the features as they are now: read, brought up to date, or built."""

import numpy as np

from embed.cache import FeatureCache
from embed.search import storage
from embed.search.exact import Exact
from embed.search.index import Index, Slots, Vectors
from embed.search.kinds import Cells, cell_count
from embed.search.tuning import AUTO, PATIENCE_MILLISECONDS, Demand, choose, measured_exact, tuned
from embed.search.vectors import normalised

BLOCK_ROWS = 4096
MOST_CHANGES = 0.2  # share of the slots that may be new or empty before building anew is the better way
MOST_GROWTH = 2  # times as many cells as there are would be right: they are laid out anew
NO_SLOTS = Slots(np.empty((0, 32), np.uint8), np.empty(0, np.int64))


def open_index(features: FeatureCache, demand: Demand | None = None) -> Index:
    """Return the index of the features as they are now.

    The stored one is used where it belongs to these features, brought up to date where it belonged to earlier ones,
    and built anew where it is missing or damaged. Where it cannot be stored, the next search does the work again.

    Args:
        features: the feature set.
        demand: what the index is to be; by default what was demanded last.
    """
    table = storage.load_table(features.folder)
    if table is not None and demand in (None, table.demand):
        demand = table.demand
        if table.fingerprint == features.fingerprint:
            stored = storage.load_vectors(features.folder, table)
            if stored is not None:
                return Index(stored, table.slots, table.measured, _reader(features, table.slots))
        index = _updated(features, table)
    else:
        demand = demand or Demand()
        index = None
    if index is None:
        slots, vectors = distinct_vectors(features)
        index = choose(vectors, slots, demand)
    table = storage.Table(features.fingerprint, demand, index.kind.name, index.measured, index.slots)
    storage.save(features.folder, table, index.kind)
    return Index(index.kind, index.slots, index.measured, _reader(features, index.slots))


def distinct_vectors(features: FeatureCache) -> tuple[Slots, np.ndarray]:
    """Return the distinct contents of a feature set and the vector of each, float32 (slots, d), of length one."""
    slots = NO_SLOTS.after(features.sha256)
    return slots, _all_vectors(features, slots)


def _updated(features: FeatureCache, table: storage.Table) -> Index | None:
    """Return the stored index with what came added and what went removed; None where a new one is the better way."""
    before, after = table.slots, table.slots.after(features.sha256)
    gone = np.flatnonzero(before.alive & ~after.alive[: len(before)])
    come = np.arange(len(before), len(after))
    if len(come) + int((~after.alive[: len(before)]).sum()) > MOST_CHANGES * len(after):
        return None
    kind = storage.load_vectors(features.folder, table, writable=True)
    if kind is None:
        return None
    moves = kind.remove(gone)
    kind.add(normalised(features.rows(after.first_rows(come))), come)
    slots = after.without(gone) if moves else after
    if isinstance(kind, Exact):
        index = measured_exact(kind, slots)
        slow = table.demand.kind == AUTO and index.measured.milliseconds > PATIENCE_MILLISECONDS
        return None if slow else index
    if isinstance(kind, Cells) and cell_count(len(after)) > MOST_GROWTH * kind.index.nlist:
        return None
    return tuned(kind, measured_exact(Exact.build(_all_vectors(features, slots)), slots), table.demand)


def _reader(features: FeatureCache, slots: Slots) -> Vectors:
    """Return the function that fetches the vectors of slots from the features."""
    return lambda wanted: normalised(features.rows(slots.first_rows(wanted)))


def _all_vectors(features: FeatureCache, slots: Slots) -> np.ndarray:
    """Return the vector of every slot, float32 (slots, d); zeros for an empty one."""
    vectors = np.zeros((len(slots), features.dimension), np.float32)
    alive = np.flatnonzero(slots.alive)
    read = _reader(features, slots)
    for start in range(0, len(alive), BLOCK_ROWS):
        block = alive[start : start + BLOCK_ROWS]
        vectors[block] = read(block)
    return vectors
