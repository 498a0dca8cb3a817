"""Folding: many small parts become one, without rewriting more than a bounded multiple of what was added.

Parts of ``CLOSED_BYTES`` and more are closed: they are rewritten only when most of their rows are dead. Among the
newer, open ones a run is folded once there are more than ``MOST_OPEN``, from the oldest part that is no larger than a
third (``GROWTH``) of everything after it. A row is therefore rewritten when its part grows to four times its size: in all, no
more than four times the bytes that were added are written, however they arrive.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.cache.batch import Batch
from embed.cache.gather import Gathered
from embed.cache.parts import Part
from embed.cache.replay import GONE, Replay, changed

FOLD_BYTES = 256 << 20  # of a folded part, at most: ten million rows of 1,280 values make some 300 parts
CLOSED_BYTES = FOLD_BYTES // 2
GROWTH = 3
# More than log(CLOSED_BYTES / smallest part) / log(1 + 1 / GROWTH): not all can be larger than their share of what follows.
MOST_OPEN = 32
DEAD_SHARE = 0.5  # of the rows of a closed part, from which on it is rewritten


def plan(parts: Sequence[Part]) -> tuple[int, int] | None:
    """Return the run of small parts, ``(start, stop)``, that should become one, or None."""
    weights = [part.file.bytes_on_disk for part in parts]
    closed = [i for i, weight in enumerate(weights) if weight >= CLOSED_BYTES]
    first_open = closed[-1] + 1 if closed else 0
    if len(parts) - first_open <= MOST_OPEN:
        return None
    newer = sum(weights[first_open:])
    for start in range(first_open, len(parts) - 1):
        newer -= weights[start]
        if weights[start] * GROWTH <= newer:
            return _widen(parts, start, _reach(weights, start))
    return None


def plan_garbage(parts: Sequence[Part]) -> tuple[int, int] | None:
    """Return a part, as a run of one, most of whose rows are superseded or removed by later ones, or None."""
    live = Replay(parts).live()
    for i, part in reversed(list(enumerate(parts))):
        dead = len(part) - live[i]
        if part.file.bytes_on_disk >= CLOSED_BYTES and dead > DEAD_SHARE * len(part):
            return _widen(parts, i, i + 1)
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


def fold(parts: Sequence[Part], start: int, stop: int, on_disk: Collection[str]) -> Batch:
    """Return the batch that stands for ``parts[start:stop]`` among all parts: live rows, and removals still needed.

    Features are read when the batch is written. ``on_disk`` are the names in the folder: a part that one of the run
    replaced, and that is still there, stays replaced.
    """
    run = parts[start:stop]
    starts = np.cumsum([0, *map(len, run)])
    # One entry for each removal, then for each row of a part: the last one of a path holds.
    entries = np.concatenate([changed(part) for part in run])
    row_of = np.concatenate(
        [
            np.r_[np.full(part.entry.removed, GONE), np.arange(first, first + len(part))]
            for part, first in zip(run, starts, strict=False)
        ]
    )
    paths, from_end = np.unique(entries[::-1], return_index=True)
    rows = row_of[::-1][from_end]
    current = ~_is_in(paths, map(changed, parts[stop:]))
    removed = paths[current & (rows == GONE)]
    removed = removed[_is_in(removed, (part.read("path") for part in parts[:start]))]
    live = current & (rows != GONE)
    rows = rows[live]
    part_of = np.searchsorted(starts, rows, side="right") - 1
    within = rows - starts[part_of]
    views = [part.columns["views"] for part in run if "views" in part.columns]

    def column(name: str) -> NDArray[Any]:
        return np.concatenate([part.read(name) for part in run])[rows]

    return Batch(
        paths=paths[live],
        sha256=column("sha256"),
        sizes=column("size"),
        mtimes_ns=column("mtime_ns"),
        decoders=column("decoder"),
        features=Gathered([part.columns["features"] for part in run], part_of, within),
        views=Gathered(views, part_of, within) if views else None,
        removed=removed,
        replaces=sorted({name for part in run for name in (part.name, *part.entry.replaces)} & set(on_disk)),
    )


def _is_in(paths: NDArray[np.bytes_], others: Iterable[NDArray[np.bytes_]]) -> NDArray[np.bool_]:
    """Return which of the paths are in one of the others."""
    found = np.zeros(len(paths), bool)
    if len(paths):
        for other in others:
            found |= np.isin(paths, other)
    return found
