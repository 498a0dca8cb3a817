"""Adding to a feature set: rows go into parts, and a part that was published stays."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import ArrayLike

from embed import files, sources
from embed.cache import failures, manifest
from embed.cache.batch import Batch, part_name, write
from embed.cache.elsewhere import Receipt, check_part
from embed.cache.failures import FAILURES_NAME, Failure
from embed.cache.fold import fold, plan, plan_garbage
from embed.cache.identity import Claim, Wish, lock_set
from embed.cache.listing import next_sequence, part_names
from embed.cache.manifest import part_sequence
from embed.cache.meta import META_NAME, Meta, write_meta
from embed.cache.parts import Part
from embed.cache.pending import Pending, Row
from embed.cache.reader import FeatureCache
from embed.cache.recipe import Recipe
from embed.cache.recover import recover
from embed.cache.sets import FeatureSet, next_extraction
from embed.errors import CacheDamagedError, CacheError, CacheFormatError, FeatureError

ROWS_PER_PART = 2048
PART_BYTES = 24 << 20  # of features in one part, at most: they gather in memory
SECONDS_PER_PART = 30.0
FOLDING = "folding"  # among what is damaged: a part that could not be folded


class FeatureWriter:
    """The one writer of a feature set; a context manager that holds the lock.

    Rows and removals gather in memory and are published together as one part. What ``commit`` returned from is there
    after any crash. Leaving the ``with`` block commits what is left, also after an error elsewhere.

    Attributes
    ----------
    folder : Path
    claim : Claim
        How the set was found.
    known : FeatureCache
        The set as it was when the writer was opened. After a part was lost, ``known.mtimes_ns`` is that of no file for
        rows that it may have superseded: their files have to be read again to know whether they still hold the same.
    failures : list of Failure
        The files that had no row at the end of the last extraction.
    damaged : dict of str to str
        Files of the set that are lost or were made anew, each with a sentence; damaged parts lie in ``damaged/``. Their
        rows are not in ``known``.
    """

    def __init__(
        self,
        feature_set: FeatureSet,
        claim: Claim,
        libraries: Mapping[str, str],
        rows_per_part: int,
        seconds_per_part: float,
        check: bool,
    ) -> None:
        self._libraries = dict(libraries)
        self._meta = feature_set.meta
        self.folder = feature_set.folder
        self.claim = claim
        self._seconds_per_part = seconds_per_part
        recipe, dimension = self._meta.recipe, self._meta.dimension
        row_bytes = np.dtype(recipe.dtype).itemsize * dimension * recipe.views
        self._rows_per_part = max(1, min(rows_per_part, PART_BYTES // row_bytes))
        self._pending = Pending(recipe, dimension)
        self._committed_at = time.monotonic()
        self._adopted: set[str] = set()
        self._foldable = True
        self._parts, self._lost, self.damaged = recover(self.folder, self._meta, check)
        self.known = self._open_known(feature_set)
        try:
            self.known.read_columns()
        except CacheDamagedError:
            # Where what every extraction reads is damaged, the rest is looked at as well.
            self._parts, self._lost, damaged = recover(self.folder, self._meta, check=True)
            self.damaged = damaged | self.damaged
            self.known = self._open_known(feature_set)
        lost = self._meta.lost_rows(len(self.known), len(self._parts))
        if lost and not self._lost:
            # Nobody knows which: what meta.json says stays, until an extraction has looked at every file.
            self.damaged[META_NAME] = f"{self.folder / META_NAME}: {lost}"
            trust_after = max((part.sequence for part in self._parts), default=0)
            self.known = FeatureCache(feature_set, self._parts, trust_after)
        else:
            self._meta = replace(self._meta, complete=False)
        write_meta(self.folder, self._meta)
        try:
            self.failures = failures.read(self.folder)
        except CacheDamagedError as error:
            self.failures = []
            self.damaged[FAILURES_NAME] = str(error)

    def _open_known(self, feature_set: FeatureSet) -> FeatureCache:
        # The lost ones stay in the manifest until an extraction has looked at every file.
        trust_after = max(map(part_sequence, self._lost), default=0)
        return FeatureCache(feature_set, self._parts, trust_after)

    @classmethod
    def open(
        cls,
        cache: Path,
        dataset: str,
        root: Path | str,
        recipe: Recipe,
        dimension: int,
        *,
        libraries: Mapping[str, str] | None = None,
        rows_per_part: int = ROWS_PER_PART,
        seconds_per_part: float = SECONDS_PER_PART,
        check: bool = False,
        wish: Wish | None = None,
        again: str = "",
    ) -> "FeatureWriter":
        """Open the feature set of a data folder and a recipe, and create it where there is none.

        Parameters
        ----------
        cache : Path
            Folder of the feature sets.
        dataset : str
            Name of the data folder; it becomes part of the name of the set.
        root : path, or URL as text
            The data folder, or where else the photographs are; `lock_set` tells which set is that of it.
        recipe : Recipe
        dimension : int
            Values in a row of features.
        libraries : mapping of str to str, optional
            Versions that compute the features, for the record.
        rows_per_part : int
            Rows after which a part is published.
        seconds_per_part : float
            Seconds after which a part is published, however few rows it has.
        check : bool
            Read every byte of the set first and set damaged parts aside. Otherwise names, sizes and indexes are looked at,
            and rows are checked when they are read.
        wish : Wish, optional
            What the user says about which set is that of the data folder.
        again : str
            What looks there again, as `Origin` has it: several folders, or a list, have a set of their own.

        Raises
        ------
        UsageError
            What the user says cannot be.
        CacheLockedError
            Another process writes to the set.
        CacheWriteError
            The disk refused.
        CacheFormatError
            The set is of another or a newer format.
        CacheError
            A part cannot be read.
        """
        cache = Path(cache)
        root = sources.address(root) if isinstance(root, str) else root.absolute()
        files.make_folder(cache)
        claim = lock_set(cache, dataset, root, recipe, wish, again)
        folder, lock, former = claim.folder, claim.lock, claim.meta
        try:
            if former is not None and former.dimension != dimension:
                raise CacheFormatError(
                    f"{folder} holds rows of {former.dimension} values, and this recipe gives {dimension}"
                )
            now = datetime.now(UTC).isoformat(timespec="seconds")
            meta = replace(
                claim.place.of(former or Meta(dataset="", root="", dimension=dimension, recipe=recipe)),
                dataset=claim.dataset,
                created=(former and former.created) or now,
                extracted=now,
                extraction=next_extraction(cache, folder.name),
            )
            feature_set = FeatureSet(folder, meta)
            writer = cls(feature_set, claim, libraries or {}, rows_per_part, seconds_per_part, check)
        except BaseException:
            lock.release()
            raise
        if former is not None and not former.root:
            writer.damaged[META_NAME] = (
                f"{folder / META_NAME} was missing or damaged; it was made anew from the parts"
            )
        return writer

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
        decoder: str = "",
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
        decoder : str
            Name and version of what decoded the image, such as ``"JPEG 1"``.

        Raises
        ------
        FeatureError
            A value is not finite, or does not fit the type that is stored; nothing was added.
        CacheWriteError
            A part was due, and the disk refused it.
        """
        self._pending.put(Row(path, sha256, size, mtime_ns, features, views, decoder))
        self._commit_if_due()

    def copy(self, path: str, size: int, mtime_ns: int, from_row: int) -> None:
        """Add a row with the content and the features of row ``from_row`` of ``known``: a moved or touched file."""
        self._pending.copy(path, size, mtime_ns, self.known, from_row)
        self._commit_if_due()

    def remove(self, path: str) -> None:
        """Remove the row of a path."""
        self._pending.remove(path)
        self._commit_if_due()

    def adopt(self, receipt: Receipt) -> int:
        """Commit a part that another process wrote with `write_part`, and return the number of its rows.

        One that was adopted before is dropped, and gives no rows.

        Raises
        ------
        CacheDamagedError
            It is not there, or not what was written: its rows have to be computed again.
        CacheFormatError
            It is of another recipe.
        CacheWriteError
            The disk refused.
        """
        names = part_names(self.folder)
        temporary = self.folder / receipt.file
        if receipt.digests in self._adopted or any(receipt.digests in name for name in names):
            files.remove(self.folder, [receipt.file] if temporary.exists() else [])
            return 0
        part = check_part(self.folder, self._meta, receipt)
        if self._pending.concern(part.read("path").tolist()):
            self.commit()
        name = part_name(next_sequence(self.folder), receipt.digests)
        files.publish(temporary, self.folder / name)
        self._adopted.add(receipt.digests)
        self._parts.append(self._note(name))
        files.remove(self.folder, [receipt.file] if temporary.exists() else [])
        self._note_libraries()
        self._fold(plan)
        return len(part)

    def commit(self) -> int:
        """Publish what has gathered as one part and return the number of its rows; they are there after any crash.

        Raises
        ------
        CacheWriteError
            The disk refused; nothing was lost, and the rows wait for the next attempt.
        """
        self._committed_at = time.monotonic()
        rows = len(self._pending.rows)
        if rows or self._pending.removed:
            if any(isinstance(row, Row) for row in self._pending.rows.values()):
                self._note_libraries()
            self._parts.append(self._write(self._pending.batch(self.known), next_sequence(self.folder)))
            self._pending.clear()
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
        changed = [part.name for part in self._parts] != self.known.parts
        if changed:
            self._fold(plan_garbage)
        failures.write(self.folder, found)
        if self._lost:
            self._lost.clear()
            self._write_manifest()
        rows = len(FeatureCache(FeatureSet(self.folder, self._meta), self._parts) if changed else self.known)
        self._meta = replace(self._meta, complete=True, rows=rows)
        write_meta(self.folder, self._meta)

    def close(self) -> None:
        """Release the lock; rows that were not committed are given up."""
        self.claim.lock.release()

    def __enter__(self) -> "FeatureWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not isinstance(error, CacheError) or isinstance(error, FeatureError):
                self.commit()
        finally:
            self.close()

    def _commit_if_due(self) -> None:
        overdue = time.monotonic() - self._committed_at >= self._seconds_per_part
        if overdue or len(self._pending.rows) >= self._rows_per_part:
            self.commit()

    def _note_libraries(self) -> None:
        if self._meta.libraries != self._libraries:
            self._meta = replace(self._meta, libraries=self._libraries)
            write_meta(self.folder, self._meta)

    def _write(self, batch: Batch, sequence: int) -> Part:
        with files.Draft(self.folder) as draft:
            name = part_name(sequence, write(draft, batch, self._meta.recipe))
            draft.publish(name)
        return self._note(name)

    def _note(self, name: str) -> Part:
        """Enter a part that was published into the manifest."""
        part = Part(self.folder / name, self._meta)
        manifest.append(self.folder, part.entry)
        return part

    def _fold(self, choose: Callable[[Sequence[Part]], tuple[int, int] | None]) -> None:
        try:
            while self._foldable and (run := choose(self._parts)) is not None:
                start, stop = run
                batch = fold(self._parts, start, stop, part_names(self.folder))
                part = self._write(batch, self._parts[stop - 1].sequence)
                self._parts[start:stop] = [part]
                # The manifest before the deletions: a reader must not miss what was folded.
                self._write_manifest()
                files.remove(self.folder, batch.replaces)
        except CacheDamagedError as error:
            # What is new is committed all the same; the sentence says how the damaged part is mended.
            self._foldable = False
            self.damaged[FOLDING] = str(error)

    def _write_manifest(self) -> None:
        entries = self._lost | {part.name: part.entry for part in self._parts}
        manifest.write(self.folder, entries.values())
