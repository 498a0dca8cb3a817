"""One dataset of a part on disk, read straight from the checked bytes of its chunks."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.cache.checked import BLOCK_BYTES, CheckedFile

SPAN_BYTES = 4 << 20  # read at once, at most, where chunks lie side by side


class Column:
    """One dataset of a part.

    Parameters
    ----------
    file : CheckedFile
    entry : dict
        What the index of the file says about the dataset.
    """

    def __init__(self, file: CheckedFile, entry: dict[str, Any]) -> None:
        self._file = file
        self._offsets: list[int] = entry["offsets"]
        self.dtype = np.dtype(entry["dtype"])
        self.shape = tuple(entry["shape"])
        self.chunk_rows: int = entry["chunk_rows"]
        self._row_bytes = self.dtype.itemsize * int(np.prod(self.shape[1:]))

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return len(self._offsets)

    @property
    def chunk_bytes(self) -> int:
        """Size of a chunk."""
        return self.chunk_rows * self._row_bytes

    def read_chunk(self, chunk: int) -> NDArray[Any]:
        """Return the rows of one chunk in the stored dtype, valid until the next read of this thread."""
        return self._read(self._offsets[chunk], self._rows_in(chunk))

    def read_row(self, row: int) -> NDArray[Any]:
        """Return one row as an array of one row, valid until the next read of this thread."""
        chunk, inside = divmod(row, self.chunk_rows)
        return self._read(self._offsets[chunk] + inside * self._row_bytes, 1)

    def read(self) -> NDArray[Any]:
        """Return all rows."""
        result = np.empty(self.shape, self.dtype)
        for first, stop in self._spans():
            start = self._offsets[first]
            end = self._offsets[stop - 1] + self._rows_in(stop - 1) * self._row_bytes
            data = self._file.read(start, end - start)
            for chunk in range(first, stop):
                rows, at = self._rows_in(chunk), self._offsets[chunk] - start
                values = np.frombuffer(data[at : at + rows * self._row_bytes], self.dtype)
                row = chunk * self.chunk_rows
                result[row : row + rows] = values.reshape(rows, *self.shape[1:])
        return result

    def _spans(self) -> Iterator[tuple[int, int]]:
        """Yield runs of chunks that lie side by side: small ones share their blocks, which are then read once."""
        first = 0
        for chunk in range(1, self.chunks + 1):
            if chunk < self.chunks:
                gap = self._offsets[chunk] - self._offsets[chunk - 1] - self.chunk_bytes
                span = self._offsets[chunk] + self.chunk_bytes - self._offsets[first]
                if 0 <= gap <= BLOCK_BYTES and span <= SPAN_BYTES:
                    continue
            yield first, chunk
            first = chunk

    def _rows_in(self, chunk: int) -> int:
        return min(self.chunk_rows, len(self) - chunk * self.chunk_rows)

    def _read(self, start: int, rows: int) -> NDArray[Any]:
        data = self._file.read(start, rows * self._row_bytes)
        return np.frombuffer(data, self.dtype).reshape(rows, *self.shape[1:])
