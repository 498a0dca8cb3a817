"""Vectors of length one, whose inner product is their cosine similarity, and the rows that they belong to."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from embed.cache import FeatureCache
from embed.errors import NoFeaturesError

SIMILARITY_DECIMALS = 6  # float32 features carry no more
BLOCK_VALUES = 1 << 22  # values read at once: 16 MB


def check_not_empty(features: FeatureCache, rows: NDArray[np.int64] | None = None) -> None:
    """Raise NoFeaturesError where there is no photograph, in a feature set or among some rows of it."""
    if len(features if rows is None else rows) == 0:
        raise NoFeaturesError(
            f"There is no photograph in {features.name}: run `embed extract` on some first."
        )


class Vectors(Protocol):
    """Vectors that need not be in memory: an ndarray of shape (n, d), or what gives rows as one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of vectors and of values in each."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: NDArray[np.int64], /) -> NDArray[np.float32]: ...


class CachedVectors:
    """The vectors of some rows of a feature set, of length one, read when they are asked for.

    Parameters
    ----------
    features : FeatureCache
    rows : ndarray of shape (n,), int64
    """

    def __init__(self, features: FeatureCache, rows: NDArray[np.int64]) -> None:
        self._features = features
        self._rows = rows

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of vectors and of values in each."""
        return len(self._rows), self._features.dimension

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, places: NDArray[np.int64], /) -> NDArray[np.float32]:
        return normalise(self._features.rows(self._rows[places]))


def blocks(count: int, dimension: int) -> Iterator[slice]:
    """Yield slices of so many rows, each of about 16 MB."""
    height = max(1, BLOCK_VALUES // max(1, dimension))
    for start in range(0, count, height):
        yield slice(start, min(start + height, count))


def normalised(X: np.ndarray) -> NDArray[np.float32]:
    """Return a float32 copy of X, shape (n, d), with every row scaled to length one; see `normalise`."""
    return normalise(np.array(X, dtype=np.float32, order="C", ndmin=2))


def normalise(X: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale every row of X, shape (n, d), to length one where it lies, and return it.

    A row of zeros has no direction: it stays zero, and its similarity to everything is 0.
    """
    # In float64 the squares of the largest float32 do not overflow, nor do those of the smallest vanish.
    lengths = np.sqrt(np.einsum("nd,nd->n", X, X, dtype=np.float64))
    lengths[lengths == 0] = 1
    X /= lengths[:, None]
    return X


def similarities(vectors: np.ndarray, query: np.ndarray) -> NDArray[np.float64]:
    """Return the cosine of each row of vectors (n, d) with one query (d,), float64 (n,), rounded, in [-1, 1].

    All arguments have length one. The sum is taken in float64 and in one fixed order: neither the number of threads
    nor the other queries of a batch change a digit.
    """
    cosines = np.einsum("nd,d->n", vectors, query, dtype=np.float64)
    return np.clip(cosines.round(SIMILARITY_DECIMALS), -1.0, 1.0) + 0.0  # no -0.0


def as_keys(contents: NDArray[np.uint8]) -> list[bytes]:
    """Return contents, uint8 (n, 32), as keys of a dictionary; trailing zeros are cut, so that equal still means equal."""
    keys: list[bytes] = np.ascontiguousarray(contents).view("S32")[:, 0].tolist()
    return keys


def distinct_rows(contents: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the first row of each content, int64, in order."""
    starts = _starts(contents)
    order = np.argsort(starts, kind="stable")
    same = np.diff(starts[order]) == 0
    # Only those that begin alike are looked at one by one.
    alike = np.sort(order[np.append(same, False) | np.insert(same, 0, False)]) if len(starts) else order
    first: dict[bytes, int] = {}
    again = [
        row
        for row, key in zip(alike.tolist(), as_keys(contents[alike]), strict=True)
        if first.setdefault(key, row) != row
    ]
    return np.delete(np.arange(len(contents)), again)


def rows_with(contents: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> dict[bytes, list[int]]:
    """Return the rows that have each of a few contents; one that no row has is left out."""
    # One look into a small table for every row: nothing has to be sorted or built for a few questions.
    table = np.zeros(1 << 16, bool)
    table[_starts(wanted) & np.uint64(0xFFFF)] = True
    near = np.flatnonzero(table[_starts(contents) & np.uint64(0xFFFF)])
    keys = set(as_keys(wanted))
    found: dict[bytes, list[int]] = {}
    for row, key in zip(near.tolist(), as_keys(contents[near]), strict=True):
        if key in keys:
            found.setdefault(key, []).append(row)
    return found


def missing_from(contents: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the places of the contents that are not among others, int64, in order."""
    if not len(others):
        return np.arange(len(contents))
    by_start = np.argsort(starts := _starts(others))
    wanted = _starts(contents)
    order = np.argsort(wanted)  # what is looked up in order is found several times faster
    found = np.empty(len(wanted), np.int64)
    found[order] = np.minimum(np.searchsorted(starts[by_start], wanted[order]), len(others) - 1)
    missing = np.ones(len(contents), bool)
    for some in blocks(len(contents), contents.shape[1]):
        missing[some] = (contents[some] != others[by_start[found[some]]]).any(axis=1)
    # Of those that begin alike another may be the right one.
    doubtful = np.flatnonzero(missing)
    doubtful = doubtful[starts[by_start[found[doubtful]]] == wanted[doubtful]]
    if len(doubtful):
        known = rows_with(others, contents[doubtful])
        missing[doubtful] = [key not in known for key in as_keys(contents[doubtful])]
    return np.flatnonzero(missing)


def _starts(contents: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the first eight bytes of each content as a number."""
    return np.ascontiguousarray(contents[:, :8]).view(np.uint64)[:, 0]
