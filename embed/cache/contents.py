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

    def rows(self, sha256: bytes) -> list[int]:
        """Return the rows of a content, in order."""
        start = np.frombuffer(sha256, np.uint64, 1)[0]
        alike = slice(*(int(np.searchsorted(self._starts, start, side)) for side in ("left", "right")))
        return [row for row in self._rows[alike].tolist() if self._sha256[row].tobytes() == sha256]

    def row(self, sha256: bytes) -> int | None:
        """Return the first row of a content, or None."""
        return next(iter(self.rows(sha256)), None)
