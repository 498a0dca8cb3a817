"""Rows of one column, collected from the chunks of many parts."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.cache.checked import BLOCK_BYTES
from embed.cache.listing import THREADS
from embed.cache.parts import Column


def gather(
    columns: Sequence[Column | None],
    part_of: NDArray[np.int64],
    rows: NDArray[np.int64],
    result: NDArray[Any],
) -> None:
    """Fill ``result[i]`` with row ``rows[i]`` of ``columns[part_of[i]]``, each chunk read once, several at a time.

    Raises
    ------
    CacheDamagedError
        A part is damaged.
    """
    if not len(rows):
        return
    heights = np.array([column.chunk_rows if column is not None else 1 for column in columns], np.int64)
    chunks = rows // heights[part_of]
    order = np.lexsort((rows, chunks, part_of))
    changes = np.flatnonzero(np.diff(part_of[order]) | np.diff(chunks[order])) + 1

    def fill(wanted: NDArray[np.int64]) -> None:
        column = columns[part_of[wanted[0]]]
        if column is None:
            raise ValueError("a part lacks the column")
        if len(wanted) * BLOCK_BYTES < column.chunk_bytes:
            for i in wanted:
                result[i] = column.read_row(int(rows[i]))[0]
            return
        chunk = int(chunks[wanted[0]])
        inside = rows[wanted] - chunk * column.chunk_rows
        # Slices where they will do: they are copied several times faster than lists of indices.
        result[_as_slice(wanted)] = column.read_chunk(chunk)[_as_slice(inside)]

    groups = np.split(order, changes)
    if len(groups) == 1:
        fill(groups[0])
        return
    with ThreadPoolExecutor(THREADS) as pool:
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
        gather(self.columns, self.part_of[rows], wanted, result)
        return result


def _as_slice(indices: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    first, last = int(indices[0]), int(indices[-1])
    return slice(first, last + 1) if (np.diff(indices) == 1).all() else indices
