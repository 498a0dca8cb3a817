"""Folding: many small parts become one, without rewriting more than a bounded multiple of what was added.

Parts of ``CLOSED_BYTES`` and more are closed: they are rewritten only when most of their rows are dead. Among the
newer, open ones a run is folded once there are more than ``MOST_OPEN``, from the oldest part that is no larger than
everything after it. A row is therefore rewritten when its part at least doubles: once for each doubling from one row
to a closed part, and once more at most.
"""

from collections.abc import Collection, Sequence

import numpy as np

from embed.cache.gather import gather
from embed.cache.parts import Batch, Part
from embed.cache.recipe import Recipe

FOLD_BYTES = 64 << 20  # of a folded part, at most; it is built in memory
CLOSED_BYTES = FOLD_BYTES // 2
MOST_OPEN = (
    16  # more than log2(CLOSED_BYTES / smallest part): not all can be larger than everything after them
)
DEAD_SHARE = 0.5  # of the rows of a closed part, from which on it is rewritten


def plan(parts: Sequence[Part], most_open: int = MOST_OPEN) -> tuple[int, int] | None:
    """Return the run of small parts, ``(start, stop)``, that should become one, or None."""
    weights = [part.file.bytes_on_disk for part in parts]
    closed = [i for i, weight in enumerate(weights) if weight >= CLOSED_BYTES]
    first_open = closed[-1] + 1 if closed else 0
    if len(parts) - first_open <= most_open:
        return None
    newer = sum(weights[first_open:])
    for start in range(first_open, len(parts) - 1):
        newer -= weights[start]
        if weights[start] <= newer:
            return _widen(parts, start, _reach(weights, start))
    return None


def plan_garbage(parts: Sequence[Part]) -> tuple[int, int] | None:
    """Return a part, as a run of one, most of whose rows are superseded or removed by later ones, or None."""
    gone: set[bytes] = set()
    for i, part in reversed(list(enumerate(parts))):
        paths = part.paths.tolist()
        dead = sum(path in gone for path in paths)
        if part.file.bytes_on_disk >= CLOSED_BYTES and dead > DEAD_SHARE * len(part):
            return _widen(parts, i, i + 1)
        gone.update(paths, part.removed)
    return None


def _reach(weights: Sequence[int], start: int) -> int:
    """Return where the run from ``start`` ends so that the folded part is not too large."""
    stop, total = start + 2, weights[start] + weights[start + 1]
    while stop < len(weights) and total + weights[stop] <= FOLD_BYTES:
        total += weights[stop]
        stop += 1
    return stop


def _widen(parts: Sequence[Part], start: int, stop: int) -> tuple[int, int]:
    """Take in the parts that share a sequence number with the ends (two hosts may have chosen the same one)."""
    while start > 0 and parts[start - 1].sequence == parts[start].sequence:
        start -= 1
    while stop < len(parts) and parts[stop].sequence == parts[stop - 1].sequence:
        stop += 1
    return start, stop


def fold(parts: Sequence[Part], start: int, stop: int, recipe: Recipe, on_disk: Collection[str]) -> Batch:
    """Return the batch that stands for ``parts[start:stop]`` among all parts: live rows, and removals still needed.

    ``on_disk`` are the names in the folder: a part that one of the run replaced, and that is still there, stays
    replaced.
    """
    run = parts[start:stop]
    later: set[bytes] = set()
    for part in parts[stop:]:
        later.update(part.paths.tolist(), part.removed)
    state: dict[bytes, tuple[int, int] | None] = {}
    for i, part in enumerate(run):
        state.update((path, None) for path in part.removed)
        state.update((path, (i, row)) for row, path in enumerate(part.paths.tolist()))
    paths = sorted(path for path, place in state.items() if place is not None and path not in later)
    removed = {path for path, place in state.items() if place is None and path not in later}
    if removed:
        older = {path for part in parts[:start] for path in part.paths.tolist()}
        removed &= older
    places = np.array([state[path] for path in paths], np.int64).reshape(-1, 2)
    part_of, rows = places[:, 0], places[:, 1]
    flat = np.cumsum([0, *map(len, run)])[part_of] + rows
    features = np.empty((len(paths), *run[0].features.shape[1:]), recipe.dtype)
    gather([part.features for part in run], part_of, rows, features)
    views = None
    if run[0].views is not None:
        views = np.empty((len(paths), *run[0].views.shape[1:]), recipe.dtype)
        gather([part.views for part in run], part_of, rows, views)
    return Batch(
        paths=paths,
        sha256=np.concatenate([part.sha256 for part in run])[flat],
        sizes=np.concatenate([part.sizes for part in run])[flat],
        mtimes_ns=np.concatenate([part.mtimes_ns for part in run])[flat],
        features=features,
        views=views,
        removed=sorted(removed),
        replaces=sorted({name for part in run for name in (part.name, *part.replaces)} & set(on_disk)),
    )
