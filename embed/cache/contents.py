"""Which rows have a content: two numbers for each row, made once, where more than a few contents are asked about."""

import numpy as np
from numpy.typing import NDArray


class Contents:
    """Rows by the sha256 of their content.

    Parameters
    ----------
    sha256 : ndarray of shape (n, 32), uint8
    rows : ndarray of shape (m,), int64, optional
        Those that count; by default all.
    """

    def __init__(self, sha256: NDArray[np.uint8], rows: NDArray[np.int64] | None = None) -> None:
        starts = np.ascontiguousarray(sha256[:, :8]).view(np.uint64)[:, 0]
        if rows is not None:
            starts = starts[rows]
        order = np.argsort(starts, kind="stable")
        self._sha256 = sha256
        self._rows = order if rows is None else rows[order]
        self._starts = starts[order]

    def rows(self, contents: NDArray[np.uint8]) -> list[list[int]]:
        """Return the rows of each of some contents (k, 32), in order."""
        starts = np.ascontiguousarray(contents[:, :8]).view(np.uint64)[:, 0]
        first, stop = (np.searchsorted(self._starts, starts, side).tolist() for side in ("left", "right"))
        return [
            [row for row in self._rows[begin:end].tolist() if (self._sha256[row] == content).all()]
            for content, begin, end in zip(contents, first, stop, strict=True)
        ]

    def row(self, sha256: bytes) -> int | None:
        """Return the first row of a content, or None."""
        (rows,) = self.rows(np.frombuffer(sha256, np.uint8)[None])
        return next(iter(rows), None)
