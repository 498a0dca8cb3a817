"""One part on disk: an immutable file that holds one batch of changes to a feature set."""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.cache.checked import CheckedFile
from embed.cache.columns import Column
from embed.cache.manifest import NAME, Entry, part_sequence
from embed.cache.meta import Meta
from embed.errors import CacheError, CacheFormatError

COLUMNS = ("path", "sha256", "size", "mtime_ns", "features")


class Part:
    """A part, opened: what is not known from the manifest is read when it is asked for.

    Parameters
    ----------
    path : Path
        Of the file; its last component is the name of the part.
    meta : Meta
        Of the feature set that it has to belong to.
    entry : Entry, optional
        What the manifest says of it.
    file : CheckedFile, optional
        Where the part still has a temporary name.

    Attributes
    ----------
    name : str
    sequence : int
    file : CheckedFile

    Raises
    ------
    FileNotFoundError
        It is not there (any more).
    CacheDamagedError
        It has not the size that the manifest knows.
    """

    def __init__(
        self, path: Path, meta: Meta, entry: Entry | None = None, file: CheckedFile | None = None
    ) -> None:
        match = NAME.fullmatch(path.name)
        if match is None:
            raise CacheFormatError(f"{path} is no part of a feature set: move it elsewhere")
        self.name = path.name
        self.sequence = part_sequence(path.name)
        self.file = file or CheckedFile(path, match[2], match[3])
        self._meta = meta
        if entry is not None and entry.bytes is not None:
            if entry.bytes != self.file.bytes_on_disk:
                raise self.file.damaged(f"it has {self.file.bytes_on_disk} bytes instead of {entry.bytes}")
            self.__dict__["entry"] = entry

    @cached_property
    def entry(self) -> Entry:
        """What the manifest says of the part, or would say."""
        paths = self.read("path")
        ordered = bool(len(paths)) and bool((paths[:-1] < paths[1:]).all())
        return Entry(
            name=self.name,
            bytes=self.file.bytes_on_disk,
            rows=len(paths),
            removed=len(self.columns["removed"]),
            first=os.fsdecode(paths[0]) if ordered else None,
            last=os.fsdecode(paths[-1]) if ordered else None,
            replaces=tuple(name.decode() for name in self.read("replaces").tolist()),
        )

    @cached_property
    def columns(self) -> dict[str, Column]:
        """The datasets of the part, from its checked index.

        Raises
        ------
        CacheDamagedError
            The index is not the one that was written.
        CacheFormatError
            The part is of another format or recipe.
        """
        index, path = self.file.index, self.file.path
        recipe, dimension = self._meta.recipe, self._meta.dimension
        if index["recipe_hash"] != recipe.hash:
            raise CacheFormatError(
                f"{path} holds features of another recipe ({index['recipe_hash'][:8]} instead of "
                f"{recipe.hash[:8]}): move it elsewhere"
            )
        columns = {name: Column(self.file, entry) for name, entry in index["datasets"].items()}
        lengths = {len(columns[name]) for name in (*COLUMNS, *(columns.keys() & {"decoder", "views"}))}
        if len(lengths) != 1:
            raise CacheFormatError(f"{path} has columns of different lengths: {sorted(lengths)}")
        expected = (dimension,), (recipe.views - 1, dimension) if recipe.views > 1 else None
        found = columns["features"].shape[1:], columns["views"].shape[1:] if "views" in columns else None
        if found != expected:
            raise CacheFormatError(f"{path} holds rows of shape {found}, expected {expected}")
        return columns

    def __len__(self) -> int:
        return self.entry.rows

    def read(self, column: str) -> NDArray[Any]:
        """Return all of a column, from the disk; no decoders where the part is older than they are."""
        if column == "decoder" and column not in self.columns:
            return np.zeros(len(self), "S1")
        return self.columns[column].read()

    def removed(self) -> list[bytes]:
        """Return the paths whose rows go."""
        removed: list[bytes] = self.read("removed").tolist() if self.entry.removed else []
        return removed


def in_order(parts: Sequence[Part]) -> int:
    """Return how many parts, from the first on, lie end to end: none removes, each begins after the one before it."""
    last = b""
    for number, part in enumerate(parts):
        entry = part.entry
        if entry.removed or (
            entry.rows and not (entry.first and entry.last and last < os.fsencode(entry.first))
        ):
            return number
        last = os.fsencode(entry.last) if entry.last else last
    return len(parts)


def check_contents(part: Part) -> None:
    """Check a part in every way there is: sha256 in its name, every block, every checksum of HDF5.

    Raises
    ------
    CacheDamagedError
        One of them does not hold.
    """
    import h5py

    file = part.file
    file.check_sha256()
    file.check_blocks()
    # Only now: HDF5 can hang on bytes that it did not write.
    try:
        with file.stream() as stream, h5py.File(stream, "r") as image:
            for name, column in part.columns.items():
                dataset = image[name]
                for chunk in range(column.chunks):
                    first = chunk * column.chunk_rows
                    rows = np.asarray(dataset[first : first + column.chunk_rows], column.dtype)
                    if rows.tobytes() != column.read_chunk(chunk).tobytes():
                        raise file.damaged(f"its index and HDF5 disagree about {name}")
    except (OSError, KeyError) as error:  # a disk that fails here was read a moment ago
        raise CacheError(f"HDF5 cannot read {file.path}: {error}") from error
