"""A feature set as it was at one moment, read-only."""

import bisect
import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embed.cache import failures
from embed.cache.checked import digest
from embed.cache.failures import Failure
from embed.cache.folders import FeatureSet, Meta, find_features
from embed.cache.gather import gather
from embed.cache.listing import list_parts
from embed.cache.parts import Column, Part, in_order
from embed.cache.recipe import Recipe
from embed.errors import CacheDamagedError, CacheFormatError

BLOCK_ROWS = 4096
EMPTY = np.empty(0, np.int64)
EMPTY_SHA256 = np.empty((0, 32), np.uint8)
UNKNOWN_MTIME = np.iinfo(
    np.int64
).min  # of a row whose time stamp cannot be trusted: the file has to be looked at


def open_features(cache: Path, name: str | None = None) -> "FeatureCache":
    """Open the feature set of that name, or the one extracted last.

    Parameters
    ----------
    cache : Path
        Folder of the feature sets.
    name : str, optional
        Name of one of them, such as ``"photos--mobilenetv2-1a2b3c4d"``.

    Raises
    ------
    NoFeaturesError
        There is none.
    CacheDamagedError
        A part is damaged or missing.
    CacheFormatError
        A file is foreign or of a newer format.
    """
    return FeatureCache.open(find_features(Path(cache), name))


class FeatureCache:
    """A feature set as it was at one moment. Rows are in the order of ``os.fsencode(path)``.

    Features are read when they are asked for, and every byte is checked on its way. The snapshot stays readable while
    a writer adds to the set or folds its parts.

    Attributes
    ----------
    folder : Path
    meta : Meta
    keys : list of bytes
        Paths as the file system spells them.
    sha256 : ndarray of shape (n, 32), uint8
        Of the content of each photograph.
    sizes, mtimes_ns : ndarray of shape (n,), int64
        Of each file when it was read.
    fingerprint : str
        Hexadecimal digest of the parts; another set of parts has another one.
    """

    def __init__(self, feature_set: FeatureSet, parts: Sequence[Part], trust_after: int = 0) -> None:
        self.folder = feature_set.folder
        self.meta: Meta = feature_set.meta
        self.fingerprint = digest("\n".join(part.name for part in parts).encode())
        self._parts = list(parts)
        self._check_shapes()
        starts = np.cumsum([0, *map(len, self._parts)])
        self.keys, rows = _replay(self._parts, starts)
        self._part_of = np.searchsorted(starts, rows, side="right") - 1
        self._row_in_part = rows - starts[self._part_of]
        self.sha256 = np.concatenate([EMPTY_SHA256, *(part.sha256 for part in self._parts)])[rows]
        self.sizes = np.concatenate([EMPTY, *(part.sizes for part in self._parts)])[rows]
        self.mtimes_ns = np.concatenate([EMPTY, *(part.mtimes_ns for part in self._parts)])[rows]
        if trust_after and len(rows):
            sequences = np.array([part.sequence for part in self._parts], np.int64)
            self.mtimes_ns[sequences[self._part_of] <= trust_after] = UNKNOWN_MTIME

    @classmethod
    def open(cls, feature_set: FeatureSet) -> "FeatureCache":
        """Open a feature set of ``list_features``; the errors are those of ``open_features``."""
        listing = list_parts(feature_set.folder, feature_set.meta.recipe.hash)
        problems = listing.problems()
        if problems:
            more = f" ({len(problems)} damaged in all: see embed verify)" if len(problems) > 1 else ""
            raise CacheDamagedError(next(iter(problems.values())) + more)
        return cls(feature_set, listing.parts)

    @property
    def name(self) -> str:
        """Name of the set, as ``open_features`` takes it."""
        return self.folder.name

    @property
    def root(self) -> Path:
        """The data folder at the last extraction."""
        return Path(self.meta.root)

    @property
    def recipe(self) -> Recipe:
        """How the features are computed."""
        return self.meta.recipe

    @property
    def dimension(self) -> int:
        """Values in a row of features."""
        return self.meta.dimension

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def paths(self) -> NDArray[np.object_]:
        """Paths relative to the data folder; ndarray of shape (n,) of str."""
        return np.array([os.fsdecode(key) for key in self.keys] + [None], object)[:-1]

    def index_of(self, path: str) -> int | None:
        """Return the row of a path, or None."""
        key = os.fsencode(path)
        row = bisect.bisect_left(self.keys, key)
        return row if row < len(self.keys) and self.keys[row] == key else None

    def row_of_content(self, sha256: bytes) -> int | None:
        """Return the first row of a content, or None."""
        # One comparison of the first eight bytes with all: nothing has to be built for a few questions.
        first = np.frombuffer(sha256, np.uint64, 1)[0]
        for row in np.flatnonzero(self._content_starts == first):
            if self.sha256[row].tobytes() == sha256:
                return int(row)
        return None

    @cached_property
    def _content_starts(self) -> NDArray[np.uint64]:
        return np.ascontiguousarray(self.sha256[:, :8]).view(np.uint64)[:, 0]

    @property
    def X(self) -> NDArray[np.float32]:  # noqa: N802
        """All features, float32, shape (n, d); read anew each time it is asked for.

        Raises
        ------
        CacheDamagedError
            A part is damaged.
        """
        return self._read([part.features for part in self._parts], (self.dimension,), np.arange(len(self)))

    @property
    def views(self) -> NDArray[np.float32] | None:
        """Features of the augmented views, float32, shape (n, views - 1, d); None when the recipe has none."""
        shape = self._view_shape
        if shape is None:
            return None
        return self._read([part.views for part in self._parts], shape, np.arange(len(self)))

    def rows(self, indices: ArrayLike) -> NDArray[np.float32]:
        """Return the features of some rows, float32, shape (len(indices), d)."""
        columns = [part.features for part in self._parts]
        return self._read(columns, (self.dimension,), self._checked(indices))

    def view_rows(self, indices: ArrayLike) -> NDArray[np.float32] | None:
        """Return the views of some rows, float32, shape (len(indices), views - 1, d), or None."""
        shape = self._view_shape
        if shape is None:
            return None
        return self._read([part.views for part in self._parts], shape, self._checked(indices))

    def blocks(self, rows: int = BLOCK_ROWS) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield ``(first row, features)`` for up to ``rows`` rows at a time, in order."""
        for start in range(0, len(self), rows):
            yield start, self.rows(np.arange(start, min(start + rows, len(self))))

    def failures(self) -> list[Failure]:
        """Return the files that have no row, as the last complete extraction found them."""
        return failures.read(self.folder)

    @property
    def bytes_on_disk(self) -> int:
        """Size of the parts."""
        return sum(part.file.bytes_on_disk for part in self._parts)

    @property
    def parts(self) -> list[str]:
        """Names of the live parts, in the order in which they are replayed."""
        return [part.name for part in self._parts]

    @property
    def _view_shape(self) -> tuple[int, int] | None:
        return (self.recipe.views - 1, self.dimension) if self.recipe.views > 1 else None

    def _check_shapes(self) -> None:
        for part in self._parts:
            expected = (self.dimension,), self._view_shape
            found = part.features.shape[1:], part.views.shape[1:] if part.views is not None else None
            if found != expected:
                raise CacheFormatError(f"{part.file.path} holds rows of shape {found}, expected {expected}")

    def _checked(self, indices: ArrayLike) -> NDArray[np.int64]:
        rows = np.asarray(indices, np.int64).reshape(-1)
        if len(rows) and not (-len(self) <= rows.min() and rows.max() < len(self)):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of a feature set of {len(self)}")
        return np.where(rows < 0, rows + len(self), rows)

    def _read(
        self, columns: Sequence[Column | None], shape: tuple[int, ...], indices: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        result = np.empty((len(indices), *shape), np.float32)
        gather(columns, self._part_of[indices], self._row_in_part[indices], result)
        return result


def _replay(parts: Sequence[Part], starts: NDArray[np.int64]) -> tuple[list[bytes], NDArray[np.int64]]:
    """Return the paths in order, and for each the row that holds it, counted through all parts."""
    paths = [path for part in parts for path in part.paths.tolist()]
    # One extraction into a new set writes its paths in order: nothing is superseded, nothing has to be sorted.
    if in_order(parts):
        return paths, np.arange(len(paths))
    state: dict[bytes, int] = {}
    for part, start in zip(parts, starts.tolist(), strict=False):
        for path in part.removed:
            state.pop(path, None)
        state.update(zip(part.paths.tolist(), range(start, start + len(part)), strict=True))
    keys = sorted(state)
    return keys, np.fromiter((state[path] for path in keys), np.int64, len(state))
