"""Rows of one column, collected from the chunks of many parts."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
        if len(wanted) == 1:
            result[wanted[0]] = column.read_row(int(rows[wanted[0]]))[0]
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


def _as_slice(indices: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    first, last = int(indices[0]), int(indices[-1])
    return slice(first, last + 1) if (np.diff(indices) == 1).all() else indices
