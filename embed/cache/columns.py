"""One dataset of a part on disk, read straight from the checked bytes of its chunks."""

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.cache.checked import BLOCK_BYTES, CheckedFile
from embed.cache.manifest import MOST_ROWS

MOST_VALUES = 1 << 26  # along an axis
MOST_ROW_BYTES = 1 << 28
MOST_CHUNK_ROWS = 256
MOST_CHUNK_BYTES = 64 << 20  # unless a chunk is one row
TEXT, NUMBERS, BYTES, VALUES = (
    re.compile(text) for text in (r"\|S[1-9][0-9]{0,4}", "<i8", r"\|u1", "<f[24]")
)
# Dtype and number of axes of the datasets that are read; a part may hold others.
KINDS = {
    "path": (TEXT, 1),
    "sha256": (BYTES, 2),
    "size": (NUMBERS, 1),
    "mtime_ns": (NUMBERS, 1),
    "decoder": (TEXT, 1),
    "features": (VALUES, 2),
    "views": (VALUES, 3),
    "removed": (TEXT, 1),
    "replaces": (TEXT, 1),
}
FAST_BYTES = 4  # of a value of float32, which BLAS multiplies
SPAN_BYTES = 4 << 20  # read at once, at most, where chunks lie side by side


class Column:
    """One dataset of a part.

    Parameters
    ----------
    file : CheckedFile
    name : str
    entry : dict
        What the index of the file says about the dataset.

    Raises
    ------
    CacheDamagedError
        It says what cannot be. Nothing of the dataset is read, and no memory taken for it, before this is known.
    """

    def __init__(self, file: CheckedFile, name: str, entry: Any) -> None:
        self._file = file
        try:
            self.dtype, self.shape, self.chunk_rows, self._offsets = _described(
                entry, KINDS[name], file.length
            )
        except (KeyError, TypeError, ValueError) as error:
            raise file.damaged(
                f"its index does not describe {name}: {error or type(error).__name__}"
            ) from error
        self._row_bytes = self.dtype.itemsize * math.prod(self.shape[1:])

    @property
    def bytes(self) -> int:
        """Size of all rows."""
        return len(self) * self._row_bytes

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

    def finite(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return rows of features as they are. Raises CacheDamagedError where one of their values is not finite."""
        # A product is several times faster than a look at each, and is finite unless a value is large or not finite.
        with np.errstate(over="ignore", invalid="ignore"):
            product = np.vdot(values, values) if values.dtype.itemsize == FAST_BYTES else np.nan
        if not np.isfinite(product) and not np.isfinite(values).all():
            raise self._file.damaged("it holds features that are not finite")
        return values

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


def _described(
    entry: dict[str, Any], kind: tuple[re.Pattern[str], int], length: int
) -> tuple[np.dtype[Any], tuple[int, ...], int, list[int]]:
    """Return dtype, shape, height of the chunks, and their offsets, of a dataset in a file of so many bytes."""
    pattern, axes = kind
    text, shape, chunk_rows, offsets = (entry[key] for key in ("dtype", "shape", "chunk_rows", "offsets"))
    if not pattern.fullmatch(text):
        raise ValueError(f"dtype {text!r:.60}")
    dtype = np.dtype(text)
    if (
        len(shape) != axes
        or not all(type(n) is int and 0 <= n <= MOST_VALUES for n in shape)
        or shape[0] > MOST_ROWS
    ):
        raise ValueError(f"shape {shape!r:.60}")
    row_bytes = dtype.itemsize * math.prod(shape[1:])
    if not (
        0 < row_bytes <= MOST_ROW_BYTES and type(chunk_rows) is int and 1 <= chunk_rows <= MOST_CHUNK_ROWS
    ):
        raise ValueError(f"chunks of {chunk_rows!r:.60} rows of {row_bytes} bytes")
    if chunk_rows > 1 and chunk_rows * row_bytes > MOST_CHUNK_BYTES:
        raise ValueError(f"chunks of {chunk_rows * row_bytes} bytes")
    if len(offsets) != -(-shape[0] // chunk_rows):
        raise ValueError(f"{len(offsets)} chunks of {shape[0]} rows")
    last = shape[0] - (len(offsets) - 1) * chunk_rows
    for chunk, offset in enumerate(offsets, 1):
        rows = chunk_rows if chunk < len(offsets) else last
        if type(offset) is not int or not 0 <= offset <= length - rows * row_bytes:
            raise ValueError(f"a chunk at {offset!r:.60}")
    return dtype, tuple(shape), chunk_rows, offsets
