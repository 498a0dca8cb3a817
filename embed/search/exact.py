"""Every vector is compared with the query.

These are the answers of FAISS's `IndexFlatIP`, computed by NumPy: FAISS takes longer to import than a search over a
hundred thousand vectors takes, and walks through the vectors of a single query with one processor only.
"""

import mmap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

BLOCK = 65_536  # vectors that are compared at once: the scores of 256 queries are 64 MB


class Exact:
    """A matrix of vectors. See `embed.search.kinds.Kind`."""

    name = "exact"
    suffix = ".npy"
    effort = 0
    efforts = [0]  # noqa: RUF012

    def __init__(self, matrix: np.ndarray) -> None:
        self.matrix = matrix  # float32 (n, d), of length one

    @classmethod
    def build(cls, vectors: np.ndarray) -> "Exact":
        """Return the index of vectors, float32 (n, d), which it keeps."""
        return cls(vectors)

    @classmethod
    def load(cls, path: Path, data: mmap.mmap, *, writable: bool) -> "Exact":
        """Return the index that was written; it stays where it is mapped to."""
        data.seek(0)
        npy.read_magic(data)
        shape, _, dtype = npy.read_array_header_1_0(data)
        return cls(np.frombuffer(data, dtype, offset=data.tell()).reshape(shape))

    def write(self, write: Callable[[Any], Any]) -> None:
        """Hand all bytes of a .npy file to a function, piece by piece."""
        npy.write_array_header_1_0(_Writer(write), npy.header_data_from_array_1_0(self.matrix))
        for start in range(0, len(self.matrix), BLOCK):
            write(np.ascontiguousarray(self.matrix[start : start + BLOCK]).data)

    @property
    def bytes_per_vector(self) -> int:
        return 4 * self.matrix.shape[1]

    def search(self, queries: np.ndarray, k: int, allowed: np.ndarray | None) -> np.ndarray:
        best = [_Best(k) for _ in queries]
        for start in range(0, len(self.matrix), BLOCK):
            scores = queries @ self.matrix[start : start + BLOCK].T
            if allowed is not None:
                scores[:, ~allowed[start : start + BLOCK]] = -np.inf
            for one, row in zip(best, scores, strict=True):
                one.add(row, start)
        return np.stack([one.slots for one in best])

    def vectors(self, slots: np.ndarray) -> np.ndarray | None:
        return self.matrix[slots]

    def add(self, vectors: np.ndarray, slots: np.ndarray) -> None:
        self.matrix = np.concatenate([self.matrix, vectors])

    def remove(self, slots: np.ndarray) -> bool:
        self.matrix = np.delete(self.matrix, slots, axis=0)
        return True


class _Best:
    """The best k of all scores that came by; fewer where there were not so many."""

    def __init__(self, k: int) -> None:
        self.slots = np.empty(0, np.int64)
        self._scores = np.empty(0, np.float32)
        self._k = k
        self._worst = -np.inf  # of the best k

    def add(self, scores: np.ndarray, start: int) -> None:
        """Look at the scores of the slots from `start` on."""
        better = np.flatnonzero(scores > self._worst)
        self.slots = np.concatenate([self.slots, better + start])
        self._scores = np.concatenate([self._scores, scores[better]])
        if len(self.slots) > self._k:
            keep = np.argpartition(-self._scores, self._k - 1)[: self._k]
            self.slots, self._scores = self.slots[keep], self._scores[keep]
        if len(self.slots) == self._k:
            self._worst = float(self._scores.min())


class _Writer:
    """A function that takes bytes, as the file that NumPy writes a header to."""

    def __init__(self, write: Callable[[Any], Any]) -> None:
        self.write = write
