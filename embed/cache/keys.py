"""Paths as the file system spells them, packed: a million of them in some forty megabytes."""

import bisect
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import overload

import numpy as np
from numpy.typing import NDArray

SLASH = ord("/")
SOME = 4096  # that are made at once
PACKED = 1 << 16  # that are packed at once
COMPARED_BYTES = 4 << 20  # of the folders of neighbours, at once


class Keys(Sequence[bytes]):
    """Sorted paths: their bytes end to end, and where each begins.

    Parameters
    ----------
    data : bytes
    starts : ndarray of shape (n + 1,), int64
        Of each path in `data`, and the end of the last.
    """

    def __init__(self, data: bytes, starts: NDArray[np.int64]) -> None:
        self._data = data
        self._starts = starts

    @classmethod
    def of(cls, columns: Iterable[NDArray[np.bytes_]]) -> "Keys":
        """Pack columns of paths end to end; one path of a thousand bytes does not widen the others."""
        data, lengths = io.BytesIO(), [np.zeros(1, np.int64)]  # whose bytes are handed over without a copy
        for column in columns:
            for first in range(0, len(column), PACKED):
                some = column[first : first + PACKED]
                data.write(some.tobytes().replace(b"\0", b""))  # what pads them; no path holds one
                lengths.append(np.char.str_len(some).astype(np.int64))
        starts = np.concatenate(lengths)
        np.cumsum(starts, out=starts)
        return cls(data.getvalue(), starts)

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, row: int) -> bytes: ...
    @overload
    def __getitem__(self, row: slice) -> list[bytes]: ...
    def __getitem__(self, row: int | slice) -> bytes | list[bytes]:
        if isinstance(row, slice):
            first, stop, step = row.indices(len(self))
            ends = self._starts[first : max(first, stop) + 1].tolist()
            return [self._data[start:end] for start, end in pairwise(ends)][::step]
        return self._data[self._starts[row] : self._starts[row + 1]]

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self), SOME):
            yield from self[start : start + SOME]

    def find(self, key: bytes) -> int | None:
        """Return the row of a path, or None."""
        row = bisect.bisect_left(self, key)
        return row if row < len(self) and self[row] == key else None

    def take(self, rows: NDArray[np.int64]) -> "Keys":
        """Return the paths of some rows, in the order of these."""
        lengths = np.diff(self._starts)[rows]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        data = bytearray(int(starts[-1]))
        # Rows that follow each other are copied together: most of them do.
        firsts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
        lasts = np.append(firsts[1:], len(rows))[: len(firsts)] - 1
        places = zip(
            starts[firsts].tolist(),
            self._starts[rows[firsts]].tolist(),
            self._starts[rows[lasts] + 1].tolist(),
            strict=True,
        )
        for into, begin, end in places:
            data[into : into + end - begin] = self._data[begin:end]
        return Keys(bytes(data), starts)

    def folders(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return runs of neighbours that lie in one folder.

        Returns
        -------
        firsts : ndarray of shape (runs,), int64
            The first row of each; a folder with folders among its photographs has several runs.
        run_of : ndarray of shape (n,), int64
            The run of each row.
        """
        data, starts = np.frombuffer(self._data, np.uint8), self._starts[:-1]
        slashes = np.flatnonzero(data == SLASH)
        count = np.searchsorted(slashes, self._starts)
        # Bytes of the folder of each, the slash included; 0 where there is none.
        lengths = np.zeros(len(self), np.int64)
        inside = np.diff(count) > 0
        lengths[inside] = slashes[count[1:][inside] - 1] + 1 - starts[inside]
        changes = np.ones(len(self), bool)
        changes[1:] = np.diff(lengths) != 0
        width = int(lengths.max(initial=0))
        if width:
            padded = np.concatenate([data, np.zeros(width, np.uint8)])
            windows = np.lib.stride_tricks.sliding_window_view(padded, width)
            step = max(2, COMPARED_BYTES // width)
            for first in range(0, len(self) - 1, step - 1):
                some = slice(first, first + step)
                heads = windows[starts[some]]
                differ = (heads[1:] != heads[:-1]) & (np.arange(width) < lengths[some][1:, None])
                changes[some][1:] |= differ.any(axis=1)
        return np.flatnonzero(changes), np.cumsum(changes) - 1
