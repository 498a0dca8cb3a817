"""Adding to a feature set: rows go into parts, and a part that was published stays."""

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embed import files
from embed.cache import failures, ledger
from embed.cache.claim import claim, last_extraction
from embed.cache.failures import Failure
from embed.cache.fold import fold, plan, plan_garbage
from embed.cache.folders import FeatureSet, Meta, write_meta
from embed.cache.listing import next_sequence, part_names
from embed.cache.lock import Lock
from embed.cache.parts import Batch, Part, open_part, part_sequence, write
from embed.cache.reader import FeatureCache
from embed.cache.recipe import Recipe
from embed.cache.recover import recover
from embed.errors import CacheError, CacheFormatError

ROWS_PER_PART = 2048
PART_BYTES = 24 << 20  # of features in one part, at most: they gather in memory
SECONDS_PER_PART = 30.0


@dataclass
class _Row:
    """A row that waits for its part: with features of its own, or with those of a known row."""

    sha256: bytes
    size: int
    mtime_ns: int
    features: NDArray[Any] | None
    views: NDArray[Any] | None
    from_row: int | None = None


class FeatureWriter:
    """The one writer of a feature set; a context manager that holds the lock.

    Rows and removals gather in memory and are published together as one part. What ``commit`` returned from is there
    after any crash. Leaving the ``with`` block commits what is left, also after an error elsewhere.

    Attributes
    ----------
    folder : Path
    known : FeatureCache
        The set as it was when the writer was opened. After a part was lost, ``known.mtimes_ns`` is that of no file for
        rows that it may have superseded: their files have to be read again to know whether they still hold the same.
    damaged : dict of str to str
        Parts that are lost, each with a sentence; damaged ones lie in ``damaged/``. Their rows are not in ``known``.
    """

    def __init__(
        self,
        feature_set: FeatureSet,
        lock: Lock,
        libraries: Mapping[str, str],
        rows_per_part: int,
        seconds_per_part: float,
    ) -> None:
        self._libraries = dict(libraries)
        self._meta = feature_set.meta
        self.folder = feature_set.folder
        self._lock = lock
        self._seconds_per_part = seconds_per_part
        recipe, dimension = self._meta.recipe, self._meta.dimension
        self._dtype = np.dtype(recipe.dtype)
        self._view_shape = (recipe.views - 1, dimension)
        row_bytes = self._dtype.itemsize * dimension * recipe.views
        self._rows_per_part = max(1, min(rows_per_part, PART_BYTES // row_bytes))
        self._rows: dict[bytes, _Row] = {}
        self._removed: set[bytes] = set()
        self._committed_at = time.monotonic()
        self._parts, self.damaged = recover(self.folder, recipe.hash)
        # Their names stay in the ledger until an extraction has looked at every file.
        self._lost = set(self.damaged)
        trust_after = max(map(part_sequence, self.damaged), default=0)
        self.known = FeatureCache(feature_set, self._parts, trust_after)

    @classmethod
    def open(
        cls,
        cache: Path,
        dataset: str,
        root: Path,
        recipe: Recipe,
        dimension: int,
        *,
        libraries: Mapping[str, str] | None = None,
        rows_per_part: int = ROWS_PER_PART,
        seconds_per_part: float = SECONDS_PER_PART,
    ) -> "FeatureWriter":
        """Open the feature set of a data folder and a recipe, and create it where there is none.

        Parameters
        ----------
        cache : Path
            Folder of the feature sets.
        dataset : str
            Name of the data folder; it becomes part of the name of the set.
        root : Path
            The data folder. A set of the same name whose data folder still exists elsewhere is another set.
        recipe : Recipe
        dimension : int
            Values in a row of features.
        libraries : mapping of str to str, optional
            Versions that compute the features, for the record.
        rows_per_part : int
            Rows after which a part is published.
        seconds_per_part : float
            Seconds after which a part is published, however few rows it has.

        Raises
        ------
        CacheLockedError
            Another process writes to the set.
        CacheWriteError
            The disk refused.
        CacheFormatError, CacheDamagedError
            The set cannot be added to as it is.
        """
        cache, root = Path(cache), Path(root).absolute()
        files.make_folder(cache)
        folder, lock, former = claim(cache, dataset, root, recipe)
        try:
            if former is not None and former.dimension != dimension:
                raise CacheFormatError(
                    f"{folder} holds rows of {former.dimension} values, and this recipe gives {dimension}"
                )
            now = datetime.now(UTC).isoformat(timespec="seconds")
            meta = replace(
                former or Meta(dataset=dataset, root="", dimension=dimension, recipe=recipe, created=now),
                root=str(root),
                extracted=now,
                extraction=last_extraction(cache) + 1,
                complete=False,
            )
            write_meta(folder, meta)
            return cls(FeatureSet(folder, meta), lock, libraries or {}, rows_per_part, seconds_per_part)
        except BaseException:
            lock.release()
            raise

    @property
    def name(self) -> str:
        """Name of the set, as ``open_features`` takes it."""
        return self.folder.name

    def put(
        self,
        path: str,
        sha256: bytes,
        size: int,
        mtime_ns: int,
        features: ArrayLike,
        views: ArrayLike | None = None,
    ) -> None:
        """Add the row of a photograph, or put it in the place of its former one.

        Parameters
        ----------
        path : str
            Relative to the data folder.
        sha256 : bytes
            Of the content, 32 bytes.
        size, mtime_ns : int
            Of the file.
        features : ndarray of shape (d,)
        views : ndarray of shape (views - 1, d), if the recipe has views

        Raises
        ------
        CacheWriteError
            A part was due, and the disk refused it.
        """
        stored = self._stored(features, (self._meta.dimension,), path)
        stored_views = None
        if self._meta.recipe.views > 1:
            stored_views = self._stored(views, self._view_shape, path)
        self._add(path, _Row(bytes(sha256), size, mtime_ns, stored, stored_views))

    def copy(self, path: str, size: int, mtime_ns: int, from_row: int) -> None:
        """Add a row with the content and the features of row ``from_row`` of ``known``: a moved or touched file."""
        sha256 = self.known.sha256[from_row].tobytes()
        self._add(path, _Row(sha256, size, mtime_ns, None, None, from_row))

    def remove(self, path: str) -> None:
        """Remove the row of a path."""
        key = os.fsencode(path)
        self._rows.pop(key, None)
        self._removed.add(key)
        self._commit_if_due()

    def commit(self) -> int:
        """Publish what has gathered as one part and return the number of its rows; they are there after any crash.

        Raises
        ------
        CacheWriteError
            The disk refused; nothing was lost, and the rows wait for the next attempt.
        """
        self._committed_at = time.monotonic()
        rows = len(self._rows)
        if rows or self._removed:
            computed = any(row.from_row is None for row in self._rows.values())
            if computed and self._meta.libraries != self._libraries:
                self._meta = replace(self._meta, libraries=self._libraries)
                write_meta(self.folder, self._meta)
            self._publish(self._batch(), next_sequence(self.folder))
            self._rows.clear()
            self._removed.clear()
            self._fold(plan)
        return rows

    def fold(self) -> None:
        """Fold small parts, and rewrite those whose rows are mostly dead; ``commit`` does the first by itself."""
        self._fold(plan)
        self._fold(plan_garbage)

    def write_failures(self, found: Iterable[Failure]) -> None:
        """End an extraction that looked at every file: commit, and put the files without a row into failures.csv.

        From here on the set is complete; a part that was lost is forgotten, for all its rows have been seen to.

        Raises
        ------
        CacheWriteError
            The disk refused.
        """
        self.commit()
        self._fold(plan_garbage)
        failures.write(self.folder, found)
        if self._lost:
            self._lost.clear()
            self._write_ledger()
        self._meta = replace(self._meta, complete=True)
        write_meta(self.folder, self._meta)

    def close(self) -> None:
        """Release the lock; rows that were not committed are given up."""
        self._lock.release()

    def __enter__(self) -> "FeatureWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not isinstance(error, CacheError):
                self.commit()
        finally:
            self.close()

    def _stored(self, values: ArrayLike | None, shape: tuple[int, ...], path: str) -> NDArray[Any]:
        given = np.asarray(values)
        if given.shape != shape:
            raise ValueError(f"{path}: features of shape {given.shape}, expected {shape}")
        if self._dtype == np.float32:
            return given.astype(np.float32)
        with np.errstate(over="ignore"):
            stored = given.astype(self._dtype)
        if np.isinf(stored).any() and not np.isinf(given).any():
            raise CacheError(f"{path}: its features do not fit {self._dtype}; store them as float32")
        return stored

    def _add(self, path: str, row: _Row) -> None:
        key = os.fsencode(path)
        self._removed.discard(key)
        self._rows[key] = row
        self._commit_if_due()

    def _commit_if_due(self) -> None:
        overdue = time.monotonic() - self._committed_at >= self._seconds_per_part
        if overdue or len(self._rows) >= self._rows_per_part:
            self.commit()

    def _batch(self) -> Batch:
        keys = sorted(self._rows)
        rows = [self._rows[key] for key in keys]
        features = np.empty((len(rows), self._meta.dimension), self._dtype)
        views = np.empty((len(rows), *self._view_shape), self._dtype) if self._meta.recipe.views > 1 else None
        copied = [i for i, row in enumerate(rows) if row.from_row is not None]
        known = np.array([rows[i].from_row for i in copied], np.int64)
        features[copied] = self.known.rows(known)
        if views is not None:
            views[copied] = self.known.view_rows(known)
        for i, row in enumerate(rows):
            if row.from_row is None:
                features[i] = row.features
                if views is not None:
                    views[i] = row.views
        return Batch(
            paths=keys,
            sha256=np.frombuffer(b"".join(row.sha256 for row in rows), np.uint8).reshape(-1, 32),
            sizes=np.array([row.size for row in rows], np.int64),
            mtimes_ns=np.array([row.mtime_ns for row in rows], np.int64),
            features=features,
            views=views,
            removed=sorted(self._removed),
        )

    def _publish(self, batch: Batch, sequence: int) -> Part:
        with files.Draft(self.folder) as draft:
            name = write(draft, batch, self._meta.recipe, sequence)
            draft.publish(name)
        ledger.append(self.folder, name)
        part = open_part(self.folder / name)
        if not batch.replaces:
            self._parts.append(part)
        return part

    def _fold(self, choose: Any) -> None:
        while (run := choose(self._parts)) is not None:
            start, stop = run
            on_disk = part_names(self.folder)
            batch = fold(self._parts, start, stop, on_disk)
            part = self._publish(batch, self._parts[stop - 1].sequence)
            self._parts[start:stop] = [part]
            # The ledger before the deletions: a reader must not miss what was folded.
            self._write_ledger()
            files.remove(self.folder, batch.replaces)

    def _write_ledger(self) -> None:
        ledger.write(self.folder, self._lost.union(part.name for part in self._parts))
