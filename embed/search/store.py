"""The seam of approximate search: what keeps vectors and names candidates, wherever it keeps them.

A store knows photographs by their content (sha256) and answers with contents. Which photographs those are, how similar
they are and which comes first is decided by the features in the cache: whatever a store answers, no photograph is shown
with the similarity of another, and what the cache does not hold is not shown.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from embed.errors import CacheDamagedError, CacheError
from embed.search.vectors import Vectors

Progress = Callable[[str, int, int], None]  # what is done, how many vectors of how many


class StoreDamagedError(CacheDamagedError):
    """An index is not what was written: it is left alone and built anew.

    Parameters
    ----------
    message : str
    notes : dict, optional
        What was last committed with it, where that is still known.
    """

    def __init__(self, message: str, notes: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.notes = notes or {}


class StoreUnreachableError(CacheError):
    "A store that lies elsewhere cannot be asked, or not written to."


class Store(Protocol):
    """Keeps a vector for each content, and names candidates for a query.

    Attributes
    ----------
    kind : str
        How it searches.
    fingerprint : str
        Of the feature set whose contents it holds; "" before the first `commit`. While it holds others than that set,
        it is brought up to date by difference.
    notes : dict
        What `commit` was given last.
    effort, filtered_effort : int
        How much is looked at, without a filter and with one; more finds more and takes longer.
    """

    kind: str
    fingerprint: str
    notes: dict[str, Any]
    effort: int
    filtered_effort: int

    @property
    def efforts(self) -> Sequence[int]:
        """The efforts worth trying, ascending; the last misses as little as this store can."""

    @property
    def contents(self) -> NDArray[np.uint8]:
        """What it holds, uint8 (n, 32), in any order."""

    @property
    def bytes_per_vector(self) -> int:
        """Memory that a search may touch, for each vector."""

    def add(self, contents: NDArray[np.uint8], vectors: Vectors, progress: Progress) -> None:
        """Add contents (n, 32) that it does not hold, with their vectors (n, d) of length one."""

    def remove(self, contents: NDArray[np.uint8]) -> None:
        """Forget contents (n, 32)."""

    def candidates(
        self, vectors: NDArray[np.float32], k: int, allowed: NDArray[np.uint8] | None = None
    ) -> list[NDArray[np.uint8]]:
        """Return contents for each of some queries (m, d), the k nearest among them, in any order.

        Parameters
        ----------
        vectors : ndarray of shape (m, d), float32
            Of length one.
        k : int
        allowed : ndarray of shape (n, 32), uint8, optional
            Only these may be candidates.

        Raises
        ------
        StoreDamagedError
            What lies on disk is not what was written.
        """

    def commit(self, fingerprint: str, notes: dict[str, Any]) -> None:
        """Keep what was added and removed, and say which feature set it belongs to.

        Raises
        ------
        CacheWriteError
            It cannot be kept.
        """
