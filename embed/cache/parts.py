"""One part on disk: an immutable file that holds one batch of changes to a feature set."""

import bisect
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.cache.checked import CheckedFile
from embed.cache.columns import KINDS, Column
from embed.cache.hdf5 import Hdf5
from embed.cache.manifest import CONTENT_BYTES, MANIFEST_NAME, NAME, Entry, part_sequence
from embed.cache.meta import Meta
from embed.errors import CacheDamagedError, CacheFormatError

COLUMNS = ("path", "sha256", "size", "mtime_ns", "features")
PATHS = ("path", "removed")


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
            replaces=self._replaces(),
        )

    @cached_property
    def columns(self) -> dict[str, Column]:
        """The datasets of the part, from its checked index.

        Raises
        ------
        CacheDamagedError
            The index is not the one that was written, or the manifest says something else.
        CacheFormatError
            The part is of another format or recipe.
        """
        columns, said = self._columns, self.__dict__.get("entry")
        if said is not None and (len(columns["path"]), len(columns["removed"])) != (said.rows, said.removed):
            raise self._contradicted()
        return columns

    @cached_property
    def _columns(self) -> dict[str, Column]:
        index, path = self.file.index, self.file.path
        recipe, dimension = self._meta.recipe, self._meta.dimension
        if index["recipe_hash"] != recipe.hash:
            raise CacheFormatError(
                f"{path} holds features of another recipe ({index['recipe_hash'][:8]} instead of "
                f"{recipe.hash[:8]}): move it elsewhere"
            )
        datasets = index["datasets"]
        missing = {*COLUMNS, "removed", "replaces"} - datasets.keys()
        if missing:
            raise self.file.damaged(f"it lacks {', '.join(sorted(missing))}")
        columns = {name: Column(self.file, name, datasets[name]) for name in KINDS if name in datasets}
        lengths = {len(columns[name]) for name in (*COLUMNS, *(columns.keys() & {"decoder", "views"}))}
        if len(lengths) != 1:
            raise CacheFormatError(f"{path} has columns of different lengths: {sorted(lengths)}")
        expected = (dimension,), (recipe.views - 1, dimension) if recipe.views > 1 else None
        found = columns["features"].shape[1:], columns["views"].shape[1:] if "views" in columns else None
        if found != expected:
            raise CacheFormatError(f"{path} holds rows of shape {found}, expected {expected}")
        values = {columns[name].dtype for name in ("features", "views") if name in columns}
        if values != {np.dtype(recipe.dtype).newbyteorder("<")} or columns["sha256"].shape[1:] != (
            CONTENT_BYTES,
        ):
            raise self.file.damaged("its index describes values of another type")
        if sum(column.bytes for column in columns.values()) > self.file.length:
            raise self.file.damaged("its index describes more than it has")
        return columns

    def agrees(self) -> bool:
        """Return whether the manifest says of the part what it holds; if not, the part speaks for itself from now on.

        Raises
        ------
        CacheDamagedError
            The part is damaged.
        """
        said = self.__dict__.get("entry")
        if said is None:
            return True
        rows, removed = len(self._columns["path"]), len(self._columns["removed"])
        if (rows, removed, self._replaces()) == (said.rows, said.removed, said.replaces):
            ends = [os.fsdecode(self.path_of(row)) for row in (0, rows - 1)] if said.first is not None else []
            if ends in ([], [said.first, said.last]):
                return True
        for known in ("entry", "columns"):
            self.__dict__.pop(known, None)
        return False

    def path_of(self, row: int) -> bytes:
        """Return the path of one row. Raises CacheDamagedError where the part is damaged."""
        path = self._columns["path"].read_row(row)
        if what := _no_paths(path):
            raise self.file.damaged(f"it holds {what}")
        return bytes(path[0])

    def _replaces(self) -> tuple[str, ...]:
        names = [name.decode(errors="replace") for name in self._columns["replaces"].read().tolist()]
        if not all(map(NAME.fullmatch, names)):
            raise self.file.damaged("it replaces what is no part")
        return tuple(names)

    def __len__(self) -> int:
        return self.entry.rows

    def read(self, column: str) -> NDArray[Any]:
        """Return all of a column, from the disk; no decoders where the part is older than they are.

        Raises
        ------
        CacheDamagedError
            The part is damaged, holds what is no path within a data folder, or other rows than the manifest says.
        """
        if column == "decoder" and column not in self.columns:
            return np.zeros(len(self), "S1")
        values = self.columns[column].read()
        if column in PATHS and (what := _no_paths(values)):
            raise self.file.damaged(f"it holds {what}")
        if column == "path" and "entry" in self.__dict__ and self.entry.first is not None:
            ends = [os.fsencode(str(path)) for path in (self.entry.first, self.entry.last)]
            if [values[0], values[-1]] != ends or not (values[:-1] < values[1:]).all():
                raise self._contradicted()
        return values

    def _contradicted(self) -> CacheDamagedError:
        return CacheDamagedError(
            f"{self.file.path.with_name(MANIFEST_NAME)} is damaged: it does not say what {self.name} holds; run embed "
            "extract, which writes it anew"
        )

    def removed(self) -> list[bytes]:
        """Return the paths whose rows go."""
        removed: list[bytes] = self.read("removed").tolist() if self.entry.removed else []
        return removed


def _no_paths(values: NDArray[np.bytes_]) -> str:
    """Return what is wrong with paths that lead out of the data folder, or are none: "" where all is well."""
    if not len(values):
        return ""
    characters = values.view(np.uint8).reshape(len(values), -1)
    if (characters[:, 0] == 0).any():
        return "an empty path"
    if (characters[:, 0] == ord("/")).any():
        return "an absolute path"
    if ((characters[:, :-1] == 0) & (characters[:, 1:] != 0)).any():
        return "a path with a zero byte"
    # Two dots are rare, and a folder above is only one way to have them.
    if b".." in values.tobytes() and any(b".." in path.split(b"/") for path in values.tolist()):
        return "a path that leads out of the data folder"
    return ""


def side_by_side(parts: Sequence[Part]) -> list[int]:
    """Return the numbers of the parts, from the first on, of which none removes and none reaches into another, by their paths."""
    firsts: list[bytes] = []
    lasts: list[bytes] = []
    numbers: list[int] = []
    empty: list[int] = []
    for number, part in enumerate(parts):
        entry = part.entry
        if entry.removed or (entry.rows and not (entry.first and entry.last)):
            break
        if not (entry.rows and entry.first and entry.last):
            empty.append(number)
            continue
        first, last = os.fsencode(entry.first), os.fsencode(entry.last)
        place = bisect.bisect_left(firsts, first)
        if (place and lasts[place - 1] >= first) or (place < len(firsts) and firsts[place] <= last):
            break
        firsts.insert(place, first)
        lasts.insert(place, last)
        numbers.insert(place, number)
    return empty + numbers


def check_contents(part: Part, hdf5: Hdf5) -> None:
    """Check a part in every way there is: sha256 in its name, every block, every checksum of HDF5.

    Raises
    ------
    CacheDamagedError
        One of them does not hold.
    """
    columns = part.columns
    part.file.check_sha256()
    part.file.check_blocks()
    hdf5.compare(part.file, {name: part.file.index["datasets"][name] for name in columns})
