"""One vector for each photograph, a block at a time however many there are: out of an array, or of a ``.npy`` file.

Nothing in a file is ever executed: arrays of Python objects, which could be, are refused.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.errors import InputError

BLOCK_BYTES = 16 << 20
LARGEST_DIMENSION = 1 << 20
NUMBERS = "fiub"  # kinds of NumPy

Blocks = Callable[[], Iterator[NDArray[Any]]]


@dataclass(frozen=True)
class Matrix:
    """One vector for each photograph.

    Parameters
    ----------
    shown : str
        Its name, for people.
    rows, dimension : int
    dtype : dtype
        As they are stored: float16 where they come so, otherwise float32.
    blocks : callable
        Gives the vectors (≤ n, dimension) from the first, in order; it can be called again.
    column : str
        Of a table: the one that holds them, or the first of those that do; otherwise empty.
    names : sequence of str, optional
        What the photographs are called, where a table says it.
    """

    shown: str
    rows: int
    dimension: int
    dtype: np.dtype
    blocks: Blocks
    column: str = ""
    names: Sequence[str] | None = None

    def numbered(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield each block with the number of its first row."""
        start = 0
        for block in self.blocks():
            yield start, block
            start += len(block)


def of_npy(file: Path) -> Matrix:
    headers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        with file.open("rb") as stream:
            header = headers.get(np.lib.format.read_magic(stream))
            if header is None:
                raise InputError(f"{file} is an array with named fields, not a matrix of numbers (n, d)")
            shape, by_columns, dtype = header(stream)
            start = stream.tell()
            length = stream.seek(0, 2) - start
    except (ValueError, EOFError, SyntaxError, TypeError, MemoryError) as error:
        raise InputError(f"{file} is no .npy file, or a damaged one: {line(error)}") from error
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from error
    check(str(file), shape, dtype)
    needed = shape[0] * shape[1] * dtype.itemsize  # as Python counts: no overflow
    if needed > length:
        raise InputError(
            f"{file} is cut short: {shape[0]:,} × {shape[1]:,} numbers take {needed:,} bytes, and {length:,} are there"
        )
    order: Any = "F" if by_columns else "C"
    return of_array(np.memmap(file, dtype, "r", start, shape, order), str(file))


def of_array(array: NDArray[Any], shown: str) -> Matrix:
    check(shown, array.shape, array.dtype)
    rows, dimension = array.shape
    step = _rows_of_block(dimension, array.dtype.itemsize)
    return Matrix(
        shown,
        rows,
        dimension,
        stored(array.dtype),
        lambda: (np.asarray(array[first : first + step]) for first in range(0, rows, step)),
    )


def check(shown: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    if dtype.hasobject:
        raise InputError(
            f"{shown} holds Python objects, which are never loaded: save an array of float32, such as np.stack(vectors)"
        )
    if dtype.kind not in NUMBERS:
        raise InputError(f"{shown} holds {dtype}, not real numbers")
    if len(shape) != 2:
        raise InputError(f"{shown} has the shape {shape}; it has to be (n, d), one row for each photograph")
    if not shape[0] or not shape[1]:
        raise InputError(f"{shown} is empty: its shape is {shape}")
    if shape[1] > LARGEST_DIMENSION:
        raise InputError(
            f"{shown} has {shape[1]:,} numbers in a row, and {LARGEST_DIMENSION:,} are the most; is it transposed?"
        )


def stored(dtype: np.dtype) -> np.dtype:
    return np.dtype(np.float16 if dtype.kind == "f" and dtype.itemsize == 2 else np.float32)


def _rows_of_block(dimension: int, itemsize: int) -> int:
    return max(1, BLOCK_BYTES // (dimension * itemsize))


def line(error: BaseException) -> str:
    """Return what a library says, on one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(".")
