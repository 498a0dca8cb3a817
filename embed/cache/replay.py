"""Which rows of the parts make up the set, and in which order."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.cache.keys import Keys
from embed.cache.parts import Part, side_by_side

GONE = -1  # in the place of a row


class Replay:
    """The rows of a set in the order of their paths, counted through all of its parts.

    Where no part reaches into another, in whatever order they were written, nothing is read. Otherwise only the paths of parts
    among whose rows later ones were put or removed are.

    Parameters
    ----------
    parts : sequence of Part
        In replay order.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        first = side_by_side(parts)
        self._order = np.array([*first, *range(len(first), len(parts))], np.int64)
        self._parts = [parts[number] for number in self._order.tolist()]
        self._starts = np.cumsum([0, *map(len, self._parts)])
        self._rows = None if len(first) == len(parts) else self._merge(len(first))

    def __len__(self) -> int:
        return int(self._starts[-1]) if self._rows is None else len(self._rows)

    def place(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the number of the part that holds each of some rows, and the row there."""
        rows = rows if self._rows is None else self._rows[rows]
        part_of = np.searchsorted(self._starts, rows, side="right") - 1
        return self._order[part_of], rows - self._starts[part_of]

    def live(self) -> NDArray[np.int64]:
        """Return how many rows of each part are in the set."""
        part_of, _ = self.place(np.arange(len(self)))
        return np.bincount(part_of, minlength=len(self._parts))

    def keys(self) -> Keys:
        """Return the paths as the file system spells them, in their order."""
        keys = Keys.of(part.read("path") for part in self._parts)
        return keys if self._rows is None else keys.take(self._rows)

    def check(self, name: str) -> None:
        """Read a column of every part and keep nothing of it. Raises CacheDamagedError."""
        for part in self._parts:
            part.read(name)

    def column(
        self,
        name: str,
        empty: NDArray[Any],
        made: Callable[[NDArray[Any]], NDArray[Any]] = lambda values: values,
    ) -> NDArray[Any]:
        """Return a column of all rows, or what is made of it; `empty` is one of no rows, for a set without any."""
        values = np.concatenate([empty, *(made(part.read(name)) for part in self._parts)])
        return values if self._rows is None else values[self._rows]

    def _merge(self, n: int) -> NDArray[np.int64]:
        """Merge the first `n` parts, which lie side by side, with what the others change."""
        parts, starts = self._parts, self._starts
        entries = np.concatenate([changed(part) for part in parts[n:]])
        rows_of = [
            np.r_[np.full(part.entry.removed, GONE), np.arange(start, start + len(part))]
            for part, start in zip(parts[n:], starts[n:], strict=False)
        ]
        order = np.argsort(entries, kind="stable")  # of parts that are sorted each
        entries = entries[order]
        last = np.append(entries[1:] != entries[:-1], True)
        keys, new = entries[last], np.concatenate(rows_of)[order][last]
        places, known = self._places(n, keys)
        rows = np.arange(starts[n])
        rows[places[known]] = new[known]
        fresh = ~known & (new != GONE)
        rows = np.insert(rows, places[fresh], new[fresh])
        return rows[rows != GONE]

    def _places(self, n: int, keys: NDArray[np.bytes_]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return where paths belong among the rows of the first `n` parts, and which of them are there."""
        places, known = np.zeros(len(keys), np.int64), np.zeros(len(keys), bool)
        filled = [i for i in range(n) if len(self._parts[i])]
        firsts = [os.fsencode(self._parts[i].entry.first or "") for i in filled]
        begin = 0
        for i, end in zip(
            filled, [*np.searchsorted(keys, np.array(firsts[1:], "S")), len(keys)], strict=False
        ):
            if begin < end:
                wanted, paths = keys[begin:end], self._parts[i].read("path")
                inside = np.searchsorted(paths, wanted)
                places[begin:end] = self._starts[i] + inside
                known[begin:end] = paths[np.minimum(inside, len(paths) - 1)] == wanted
            begin = end
        return places, known


def changed(part: Part) -> NDArray[np.bytes_]:
    """Return the paths that a part removes, then those that it puts."""
    return np.concatenate([np.array(part.removed(), "S"), part.read("path")])
