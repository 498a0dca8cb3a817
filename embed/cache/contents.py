"""Which rows have a content: two numbers for each row, made once, where more than a few contents are asked about."""

import numpy as np
from numpy.typing import NDArray


def starts_of(sha256: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the first eight bytes of each digest (n, 32)."""
    return np.ascontiguousarray(sha256[:, :8]).view(np.uint64)[:, 0]


class Starts:
    """Rows by the first eight bytes of their content: twelve bytes for each row.

    Parameters
    ----------
    starts : ndarray of shape (n,), uint64
        Of every row.
    count : ndarray of shape (n,), bool
        Which of them do.
    """

    def __init__(self, starts: NDArray[np.uint64], count: NDArray[np.bool_]) -> None:
        order = np.argsort(starts, kind="stable")
        self._rows = order[count[order]].astype(np.uint32)
        del order
        self.starts = starts[self._rows]

    def rows(self, sha256: bytes) -> list[int]:
        """Return the rows that may be of a content, in order."""
        start = np.frombuffer(sha256, np.uint64, 1)[0]
        first, stop = (int(np.searchsorted(self.starts, start, side)) for side in ("left", "right"))
        return [int(row) for row in self._rows[first:stop]]


class Contents:
    """Rows by the sha256 of their content.

    Parameters
    ----------
    sha256 : ndarray of shape (n, 32), uint8
    """

    def __init__(self, sha256: NDArray[np.uint8]) -> None:
        starts = starts_of(sha256)
        self._sha256 = sha256
        self._rows = np.argsort(starts, kind="stable")
        self._starts = starts[self._rows]

    def rows(self, contents: NDArray[np.uint8]) -> list[list[int]]:
        """Return the rows of each of some contents (k, 32), in order."""
        starts = starts_of(contents)
        first, stop = (np.searchsorted(self._starts, starts, side).tolist() for side in ("left", "right"))
        return [
            [row for row in self._rows[begin:end].tolist() if (self._sha256[row] == content).all()]
            for content, begin, end in zip(contents, first, stop, strict=True)
        ]

    def row(self, sha256: bytes) -> int | None:
        """Return the first row of a content, or None."""
        (rows,) = self.rows(np.frombuffer(sha256, np.uint8)[None])
        return next(iter(rows), None)
