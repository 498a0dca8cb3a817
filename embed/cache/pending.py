"""Rows and removals that wait for their part."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embed.cache.batch import Batch
from embed.cache.reader import FeatureCache
from embed.cache.recipe import Recipe
from embed.errors import FeatureError

LARGEST = np.iinfo(np.int64).max
SMALLEST = -LARGEST  # one more than the smallest, which stands for a time that is not known


def stored(value: int) -> int:
    """Return a size or a time in nanoseconds as a row keeps it: the nearest that an int64 holds."""
    return min(max(value, SMALLEST), LARGEST)


@dataclass(frozen=True)
class Row:
    """The row of a photograph.

    Parameters
    ----------
    path : str
        Relative to the data folder.
    sha256 : bytes
        Of the content, 32 bytes.
    size, mtime_ns : int
        Of the file when it was read.
    features : ndarray of shape (d,)
    views : ndarray of shape (views - 1, d), optional
        Where the recipe has views.
    decoder : str
        Name and version of what decoded the image, such as ``"JPEG 1"``.
    """

    path: str
    sha256: bytes
    size: int
    mtime_ns: int
    features: ArrayLike
    views: ArrayLike | None = None
    decoder: str = ""


@dataclass(frozen=True)
class _Copy:
    """A row with the content and the features of row ``from_row`` of the set as it was opened."""

    sha256: bytes
    size: int
    mtime_ns: int
    decoder: bytes
    from_row: int


class Pending:
    """Changes that gather in memory until they are published as one part.

    Parameters
    ----------
    recipe : Recipe
    dimension : int

    Attributes
    ----------
    rows : dict
        By path, as the file system spells it.
    removed : set of bytes
    """

    def __init__(self, recipe: Recipe, dimension: int) -> None:
        self._dtype = np.dtype(recipe.dtype)
        self._shape = (dimension,)
        self._view_shape = (recipe.views - 1, dimension) if recipe.views > 1 else None
        self.rows: dict[bytes, Row | _Copy] = {}
        self.removed: set[bytes] = set()

    def put(self, row: Row) -> None:
        """Add a row, in the place of one of the same path.

        Raises
        ------
        FeatureError
            A value is not finite, or does not fit the type that is stored.
        """
        features = self._checked(row.features, self._shape)
        views = self._checked(row.views, self._view_shape) if self._view_shape else None
        whole = Row(row.path, bytes(row.sha256), row.size, row.mtime_ns, features, views, row.decoder)
        self._add(os.fsencode(row.path), whole)

    def copy(self, path: str, size: int, mtime_ns: int, known: FeatureCache, from_row: int) -> None:
        """Add a row with the content and the features of a known one."""
        sha256, decoder = known.content(from_row), bytes(known.decoders[from_row])
        self._add(os.fsencode(path), _Copy(sha256, size, mtime_ns, decoder, from_row))

    def remove(self, path: str) -> None:
        """Remove the row of a path."""
        key = os.fsencode(path)
        self.rows.pop(key, None)
        self.removed.add(key)

    def concern(self, paths: Iterable[bytes]) -> bool:
        """Return whether any of the paths is among those that change."""
        return any(path in self.rows or path in self.removed for path in paths)

    def clear(self) -> None:
        """Forget everything."""
        self.rows.clear()
        self.removed.clear()

    def batch(self, known: FeatureCache | None = None) -> Batch:
        """Return what has gathered, in the order of paths; features of copied rows are read from `known`."""
        keys = sorted(self.rows)
        rows = [self.rows[key] for key in keys]
        features = np.empty((len(rows), *self._shape), self._dtype)
        views = np.empty((len(rows), *self._view_shape), self._dtype) if self._view_shape else None
        copied: list[int] = []
        for i, row in enumerate(rows):
            if isinstance(row, _Copy):
                copied.append(i)
            else:
                features[i] = row.features
                if views is not None:
                    views[i] = row.views
        if copied and known is not None:
            from_rows = [row.from_row for row in rows if isinstance(row, _Copy)]
            features[copied] = known.rows(from_rows)
            if views is not None:
                views[copied] = known.view_rows(from_rows)
        return Batch(
            paths=keys,
            sha256=np.frombuffer(b"".join(row.sha256 for row in rows), np.uint8).reshape(-1, 32),
            sizes=np.array([stored(row.size) for row in rows], np.int64),
            mtimes_ns=np.array([stored(row.mtime_ns) for row in rows], np.int64),
            decoders=[row.decoder.encode() if isinstance(row, Row) else row.decoder for row in rows],
            features=features,
            views=views,
            removed=sorted(self.removed),
        )

    def _add(self, key: bytes, row: Row | _Copy) -> None:
        self.removed.discard(key)
        self.rows[key] = row

    def _checked(self, values: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[Any]:
        given = np.asarray(values)
        if given.shape != shape:
            raise ValueError(f"features of shape {given.shape}, expected {shape}")
        if not np.isfinite(given).all():
            raise FeatureError("has features that are not finite")
        with np.errstate(over="ignore"):
            kept = given.astype(self._dtype)
        if not np.isfinite(kept).all():
            raise FeatureError(f"has features too large for {self._dtype}: store float32")
        return kept
