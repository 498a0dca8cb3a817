"""Kept outputs of a layer in batches, in an order that is drawn anew for each epoch, in bounded memory whatever their number."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from embed.cache import FeatureCache

BUFFER_BYTES = 128 << 20  # of rows, as float32 with all their views, that are mixed
RUN_BYTES = 256 << 10  # of neighbours on disk that are read together

Batch = tuple[NDArray[np.float32], NDArray[np.int64]]


class Batches:
    """Outputs of photographs, and the numbers of their classes.

    Runs of neighbours are drawn, read until the buffer is full, and mixed there.

    Parameters
    ----------
    outputs : FeatureCache
        Whose rows are the flattened outputs of a layer.
    rows : ndarray of shape (n,), int64
        Of the photographs, ascending.
    y : ndarray of shape (n,), int64
    shape : tuple of int
        Of the output of the layer for one picture.
    size : int
        Photographs in a batch.
    seed : int
    """

    def __init__(
        self,
        outputs: FeatureCache,
        rows: NDArray[np.int64],
        y: NDArray[np.int64],
        shape: tuple[int, ...],
        size: int,
        seed: int,
    ) -> None:
        self._outputs, self._rows, self._y = outputs, rows, y
        self._shape, self._size, self._seed = shape, size, seed
        self._views = outputs.recipe.views
        row_bytes = 2 * outputs.dimension * self._views
        self._run = max(1, RUN_BYTES // row_bytes)
        self._buffer = max(size, BUFFER_BYTES // (2 * row_bytes))

    def __len__(self) -> int:
        """Batches in an epoch."""
        return math.ceil(len(self._rows) / self._size)

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of an epoch: every photograph once, in a view that is drawn; the same ones for the same number."""
        random = np.random.default_rng([self._seed, number])
        view_of = random.integers(0, self._views, len(self._rows))
        runs = np.array_split(np.arange(len(self._rows)), -(-len(self._rows) // self._run))
        left: NDArray[np.int64] = np.empty(0, np.int64)
        places: list[NDArray[np.int64]] = []
        gathered = 0
        for i, run in enumerate(random.permutation(len(runs)).tolist(), 1):
            places.append(runs[run])
            gathered += len(runs[run])
            if gathered < self._buffer and i < len(runs):
                continue
            mixed = np.concatenate([left, random.permutation(np.concatenate(places))])
            whole = len(mixed) if i == len(runs) else len(mixed) // self._size * self._size
            yield from self._read(mixed[:whole], view_of)
            left, places, gathered = mixed[whole:], [], 0

    def plain(self) -> Iterator[Batch]:
        """Yield all photographs, not augmented, in order."""
        places = np.arange(len(self._rows))
        view_of = np.zeros(len(places), np.int64)
        for start in range(0, len(places), self._buffer):
            yield from self._read(places[start : start + self._buffer], view_of)

    def _read(self, places: NDArray[np.int64], view_of: NDArray[np.int64]) -> Iterator[Batch]:
        x = np.empty((len(places), self._outputs.dimension), np.float32)
        augmented = view_of[places] > 0
        x[~augmented] = self._outputs.rows(self._rows[places[~augmented]])
        if augmented.any():
            views = self._outputs.view_rows(self._rows[places[augmented]])
            assert views is not None
            x[augmented] = views[np.arange(len(views)), view_of[places[augmented]] - 1]
        for start in range(0, len(places), self._size):
            batch = slice(start, start + self._size)
            yield x[batch].reshape(-1, *self._shape), self._y[places[batch]]
