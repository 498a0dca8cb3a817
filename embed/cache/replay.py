"""Which rows of the parts make up the set, and in which order."""

import bisect
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.cache.parts import Part, in_order

GONE = -1  # in the place of a row


class Replay:
    """The rows of a set in the order of their paths, counted through all of its parts.

    Where each part goes on after the last path of the one before it, nothing is read. Otherwise only the paths of parts
    among whose rows later ones were put or removed are.

    Parameters
    ----------
    parts : sequence of Part
        In replay order.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = list(parts)
        self._starts = np.cumsum([0, *map(len, self._parts)])
        end_to_end = in_order(self._parts)
        self._rows = None if end_to_end == len(self._parts) else self._merge(end_to_end)

    def __len__(self) -> int:
        return int(self._starts[-1]) if self._rows is None else len(self._rows)

    def place(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the number of the part that holds each of some rows, and the row there."""
        rows = rows if self._rows is None else self._rows[rows]
        part_of = np.searchsorted(self._starts, rows, side="right") - 1
        return part_of, rows - self._starts[part_of]

    def live(self) -> NDArray[np.int64]:
        """Return how many rows of each part are in the set."""
        part_of, _ = self.place(np.arange(len(self)))
        return np.bincount(part_of, minlength=len(self._parts))

    def keys(self) -> list[bytes]:
        """Return the paths as the file system spells them, in their order."""
        paths = [path for part in self._parts for path in part.read("path").tolist()]
        return paths if self._rows is None else [paths[row] for row in self._rows.tolist()]

    def column(self, name: str, empty: NDArray[Any]) -> NDArray[Any]:
        """Return a column of all rows; `empty` is one of no rows, for a set without any."""
        values = np.concatenate([empty, *(part.read(name) for part in self._parts)])
        return values if self._rows is None else values[self._rows]

    def _merge(self, n: int) -> NDArray[np.int64]:
        """Merge the first `n` parts, which lie end to end, with what the others change."""
        parts, starts = self._parts, self._starts
        changes: dict[bytes, int] = {}
        for part, start in zip(parts[n:], starts[n:].tolist(), strict=False):
            changes.update(dict.fromkeys(part.removed(), GONE))
            changes.update(zip(part.read("path").tolist(), range(start, start + len(part)), strict=True))
        keys = sorted(changes)
        new = np.fromiter((changes[key] for key in keys), np.int64, len(keys))
        places, known = self._places(n, keys)
        rows = np.arange(starts[n])
        rows[places[known]] = new[known]
        fresh = ~known & (new != GONE)
        rows = np.insert(rows, places[fresh], new[fresh])
        return rows[rows != GONE]

    def _places(self, n: int, keys: list[bytes]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return where paths belong among the rows of the first `n` parts, and which of them are there."""
        filled = [i for i in range(n) if len(self._parts[i])]
        if not filled:
            return np.zeros(len(keys), np.int64), np.zeros(len(keys), bool)
        firsts = [os.fsencode(self._parts[i].entry.first or "") for i in filled]
        places, known = np.zeros(len(keys), np.int64), np.zeros(len(keys), bool)
        ends = [bisect.bisect_left(keys, first) for first in firsts[1:]] + [len(keys)]
        begin = 0
        for i, end in zip(filled, ends, strict=True):
            if begin < end:
                wanted, paths = np.array(keys[begin:end], "S"), self._parts[i].read("path")
                inside = np.searchsorted(paths, wanted)
                places[begin:end] = self._starts[i] + inside
                known[begin:end] = paths[np.minimum(inside, len(paths) - 1)] == wanted
            begin = end
        return places, known
