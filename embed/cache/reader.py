"""A feature set as it was at one moment, read-only."""

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embed import machine, sources
from embed.cache import exif, failures
from embed.cache.checked import digest
from embed.cache.contents import starts_of
from embed.cache.failures import Failure
from embed.cache.gather import gather
from embed.cache.keys import Keys
from embed.cache.listing import list_parts
from embed.cache.meta import META_NAME, Meta
from embed.cache.origin import Origin, read_origin
from embed.cache.parts import Part
from embed.cache.recipe import Recipe
from embed.cache.replay import Replay
from embed.cache.sets import FeatureSet, find_features, list_features, read_set
from embed.errors import CacheDamagedError, CacheError
from embed.labels import brought, hand

BLOCK_ROWS = 4096
EMPTY = np.empty(0, np.int64)
EMPTY_SHA256 = np.empty((0, 32), np.uint8)
EMPTY_STARTS = np.empty(0, np.uint64)
EMPTY_BYTES = np.empty(0, "S1")
# Of a row whose time stamp cannot be trusted: the file has to be looked at. No file is stored with it.
UNKNOWN_MTIME = np.iinfo(np.int64).min


def _inode(folder: Path) -> tuple[int, int] | None:
    """Return what the file system knows a folder by; None where it is not there."""
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino


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

    Every column is read when it is asked for, and every byte is checked on its way. The snapshot stays readable while
    a writer adds to the set or folds its parts.

    Parameters
    ----------
    feature_set : FeatureSet
    parts : sequence of Part
        In replay order.
    trust_after : int
        The time stamps of rows in parts up to this sequence number prove nothing.

    Attributes
    ----------
    folder : Path
    meta : Meta
    fingerprint : str
        Hexadecimal digest of the parts; another set of parts has another one.
    """

    def __init__(self, feature_set: FeatureSet, parts: Sequence[Part], trust_after: int = 0) -> None:
        self.folder = feature_set.folder
        self.meta: Meta = feature_set.meta
        self.fingerprint = digest("\n".join(part.name for part in parts).encode())
        self._parts = list(parts)
        self._trust_after = trust_after
        self._replay = Replay(parts)
        self._inode = _inode(self.folder)

    def folder_now(self) -> Path:
        """Return the folder of the set, which another process may have given another name meanwhile.

        Raises
        ------
        CacheError
            It is not there any more.
        """
        if _inode(self.folder) == self._inode:
            return self.folder
        others = (one.folder for one in list_features(self.folder.parent))
        found = next((folder for folder in others if _inode(folder) == self._inode), None)
        if found is None:
            raise CacheError(f"the feature set {self.folder} was removed meanwhile; run the command again")
        return found

    @classmethod
    def open(cls, feature_set: FeatureSet) -> "FeatureCache":
        """Open a feature set of ``list_features``; the errors are those of ``open_features``."""
        listing = list_parts(feature_set.folder, feature_set.meta)
        problems = listing.problems()
        if problems:
            more = f" ({len(problems)} damaged in all: see embed verify)" if len(problems) > 1 else ""
            raise CacheDamagedError(next(iter(problems.values())) + more)
        cache = cls(feature_set, listing.parts)
        if lost := cache.lost_rows():
            raise CacheDamagedError(lost)
        return cache

    def lost_rows(self) -> str | None:
        """Return a sentence where ``meta.json`` remembers another number of rows; None where all is well."""
        lost = self.meta.lost_rows(len(self), len(self._parts))
        # A writer may have begun between the look at meta.json and the one at the parts.
        if lost is None or read_set(self.folder) != self.meta:
            return None
        return f"{self.folder / META_NAME}: {lost}"

    @property
    def name(self) -> str:
        """Name of the set, as ``open_features`` takes it."""
        return self.folder.name

    @property
    def root(self) -> Path | str:
        """The data folder at the last extraction; a URL, as text, where the photographs lie elsewhere."""
        return sources.address(self.meta.root)

    @cached_property
    def origin(self) -> Origin:
        """How the photographs were looked for; nothing where that cannot be read, which `verify` tells."""
        try:
            return read_origin(self.folder)
        except CacheError:
            return Origin()

    @property
    def places(self) -> tuple[str, ...]:
        """The folders and archives in the data folder that were given, or are all that is there."""
        return self.origin.places

    @property
    def again(self) -> str:
        """The command that brings the features up to date."""
        if self.recipe.imported:
            return f"embed import {self.recipe.weights}"
        return f"embed extract {self.origin.again or self.root}"

    @property
    def labels_file(self) -> Path:
        """Where labels given by hand are kept: beside these features, or beside others of the same photographs."""
        own = self.folder / hand.NAME
        if own.exists():
            return own
        others = (one.folder for one in list_features(self.folder.parent) if one.meta.root == self.meta.root)
        return next((file for folder in others if (file := folder / hand.NAME).exists()), own)

    @property
    def labels_of_source(self) -> Path | None:
        """The labels that came with the photographs, as the last extraction found them; None where none did."""
        file = self.folder / brought.NAME
        return file if file.exists() else None

    @property
    def recipe(self) -> Recipe:
        """How the features are computed."""
        return self.meta.recipe

    @property
    def dimension(self) -> int:
        """Values in a row of features."""
        return self.meta.dimension

    def __len__(self) -> int:
        return len(self._replay)

    @cached_property
    def keys(self) -> Keys:
        """Paths as the file system spells them, packed."""
        return self._replay.keys()

    @cached_property
    def sha256(self) -> NDArray[np.uint8]:
        """Digest of the content of each photograph; ndarray of shape (n, 32)."""
        return self._replay.column("sha256", EMPTY_SHA256)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Size of each file when it was read, in bytes; ndarray of shape (n,)."""
        return self._replay.column("size", EMPTY)

    @cached_property
    def mtimes_ns(self) -> NDArray[np.int64]:
        """Modification time of each file when it was read, in nanoseconds; ndarray of shape (n,)."""
        mtimes_ns = self._replay.column("mtime_ns", EMPTY)
        if self._trust_after:
            sequences = np.array([part.sequence for part in self._parts], np.int64)
            part_of, _ = self._replay.place(np.arange(len(self)))
            mtimes_ns[sequences[part_of] <= self._trust_after] = UNKNOWN_MTIME
        return mtimes_ns

    @cached_property
    def decoders(self) -> NDArray[np.bytes_]:
        """Name and version of the decoder of each, ``b""`` where it is not known; ndarray of shape (n,)."""
        return self._replay.column("decoder", EMPTY_BYTES)

    def read_columns(self) -> None:
        """Read everything but features and views; contents are checked and not kept, for most are not asked about.

        Raises
        ------
        CacheDamagedError
            A part is damaged.
        """
        _ = self.keys, self.sizes, self.mtimes_ns, self.decoders
        self._replay.check("sha256")
        machine.return_memory()

    @cached_property
    def paths(self) -> NDArray[np.object_]:
        """Paths relative to the data folder; ndarray of shape (n,) of str."""
        paths = np.empty(len(self), object)
        paths[:] = list(map(os.fsdecode, self.keys))
        return paths

    def path(self, row: int) -> str:
        """Return the path of one row; for a few, no object is made for each of the others."""
        return os.fsdecode(self.keys[row])

    def folders(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the first row of each run of neighbours that lie in one folder, and the run of each row."""
        return self.keys.folders()

    def index_of(self, path: str) -> int | None:
        """Return the row of a path, or None."""
        return self.keys.find(os.fsencode(path))

    def row_of_content(self, sha256: bytes) -> int | None:
        """Return the first row of a content, or None."""
        # One comparison of the first eight bytes with all: nothing has to be built for a few questions.
        first = np.frombuffer(sha256, np.uint64, 1)[0]
        for row in np.flatnonzero(self._content_starts == first).tolist():
            if self.content(row) == sha256:
                return int(row)
        return None

    def content(self, row: int) -> bytes:
        """Return the sha256 of the content of one row; where not all are known, those of the others are not read."""
        if "sha256" in vars(self):
            return self.sha256[row].tobytes()
        part_of, rows = self._replay.place(np.array([row]))
        digest: bytes = self._parts[part_of[0]].columns["sha256"].read_row(int(rows[0]))[0].tobytes()
        return digest

    def content_starts(self) -> NDArray[np.uint64]:
        """Return the first eight bytes of the content of each row; ndarray of shape (n,). They are read anew each time."""
        return self._replay.column("sha256", EMPTY_STARTS, starts_of)

    @cached_property
    def _content_starts(self) -> NDArray[np.uint64]:
        return self.content_starts()

    @property
    def X(self) -> NDArray[np.float32]:  # noqa: N802
        """All features, float32, shape (n, d); read anew each time it is asked for.

        Raises
        ------
        CacheDamagedError
            A part is damaged.
        """
        return self.rows(np.arange(len(self)))

    @property
    def views(self) -> NDArray[np.float32] | None:
        """Features of the augmented views, float32, shape (n, views - 1, d); None when the recipe has none."""
        return self.view_rows(np.arange(len(self)))

    def rows(self, indices: ArrayLike) -> NDArray[np.float32]:
        """Return the features of some rows, float32, shape (len(indices), d)."""
        return self._read("features", (self.dimension,), indices)

    def view_rows(self, indices: ArrayLike) -> NDArray[np.float32] | None:
        """Return the views of some rows, float32, shape (len(indices), views - 1, d), or None."""
        if self.recipe.views == 1:
            return None
        return self._read("views", (self.recipe.views - 1, self.dimension), indices)

    def blocks(self, rows: int = BLOCK_ROWS) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield ``(first row, features)`` for up to ``rows`` rows at a time, in order."""
        for start in range(0, len(self), rows):
            yield start, self.rows(np.arange(start, min(start + rows, len(self))))

    @cached_property
    def exif(self) -> dict[str, list[str | None]]:
        """What the photographs say about themselves, a column for each kind of it; nothing where nobody asked for it.

        Raises
        ------
        CacheDamagedError
            The file that holds it is not what was written.
        """
        told = exif.read(self.folder)
        if told is None:
            return {}
        rows = [told.get(digest.tobytes(), exif.Told()) for digest in self.sha256]
        return {name: [getattr(row, name) or None for row in rows] for name in exif.Told._fields}

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

    def _read(self, name: str, shape: tuple[int, ...], indices: ArrayLike) -> NDArray[np.float32]:
        rows = np.asarray(indices, np.int64).reshape(-1)
        if len(rows) and not (-len(self) <= rows.min() and rows.max() < len(self)):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of a feature set of {len(self)}")
        result = np.empty((len(rows), *shape), np.float32)
        part_of, row_in_part = self._replay.place(np.where(rows < 0, rows + len(self), rows))
        # Of parts that hold none of the rows nothing is read.
        touched = np.flatnonzero(np.bincount(part_of)).tolist()  # np.unique would import numpy.ma, 0.1 s
        columns = {part: self._parts[part].columns[name] for part in touched}
        gather(columns, part_of, row_in_part, result)
        return result
