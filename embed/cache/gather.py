"""Rows of one column, collected from the chunks of many parts."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.cache.checked import BLOCK_BYTES
from embed.cache.columns import Column
from embed.machine import processors

MOST_THREADS = 8
FEW_ROWS = 128


def gather(
    columns: Mapping[int, Column],
    part_of: NDArray[np.int64],
    rows: NDArray[np.int64],
    result: NDArray[Any],
) -> None:
    """Fill ``result[i]`` with row ``rows[i]`` of ``columns[part_of[i]]``, each chunk read once, several at a time.

    Raises
    ------
    CacheDamagedError
        A part is damaged, or holds values that are not finite.
    """
    if not len(rows):
        return
    heights = np.ones(1 + max(columns), np.int64)
    heights[list(columns)] = [column.chunk_rows for column in columns.values()]
    chunks = rows // heights[part_of]
    order = np.lexsort((rows, chunks, part_of))
    changes = np.flatnonzero(np.diff(part_of[order]) | np.diff(chunks[order])) + 1

    def fill(wanted: NDArray[np.int64]) -> None:
        column = columns[int(part_of[wanted[0]])]
        if len(wanted) * BLOCK_BYTES < column.chunk_bytes:
            for i in wanted:
                result[i] = column.finite(column.read_row(int(rows[i])))[0]
            return
        chunk = int(chunks[wanted[0]])
        inside = rows[wanted] - chunk * column.chunk_rows
        # Slices where they will do: they are copied several times faster than lists of indices.
        result[_as_slice(wanted)] = column.finite(column.read_chunk(chunk))[_as_slice(inside)]

    groups = np.split(order, changes)
    if len(rows) <= FEW_ROWS:  # threads would cost more than they bring
        for group in groups:
            fill(group)
        return
    with ThreadPoolExecutor(min(MOST_THREADS, processors())) as pool:
        for _ in pool.map(fill, groups):
            pass


@dataclass(frozen=True)
class Gathered:
    """Rows of the columns of many parts, read when a slice of them is asked for.

    Parameters
    ----------
    columns : sequence of Column
    part_of, rows : ndarray of shape (n,), int64
        Row ``i`` is row ``rows[i]`` of ``columns[part_of[i]]``.
    """

    columns: Sequence[Column]
    part_of: NDArray[np.int64]
    rows: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, then the shape of each."""
        return len(self), *self.columns[0].shape[1:]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        wanted = self.rows[rows]
        result = np.empty((len(wanted), *self.shape[1:]), self.columns[0].dtype)
        gather(dict(enumerate(self.columns)), self.part_of[rows], wanted, result)
        return result


def _as_slice(indices: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    first, last = int(indices[0]), int(indices[-1])
    return slice(first, last + 1) if (np.diff(indices) == 1).all() else indices
