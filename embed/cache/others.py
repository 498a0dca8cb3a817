"""Rows of the other feature sets of a cache, by the content of their photograph."""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.cache.columns import Column
from embed.cache.listing import part_names
from embed.cache.meta import Meta, meta_from_parts, read_meta
from embed.cache.names import folder_names
from embed.cache.parts import Part
from embed.cache.recipe import Recipe
from embed.errors import CacheDamagedError, CacheError

MOST_OPEN = 64  # parts that are kept open
SAMPLES = "samples"  # in a cache: the sets of samples, which nobody lists

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Copied:
    """What a row of another set has to give.

    Parameters
    ----------
    features : ndarray of shape (d,)
    views : ndarray of shape (views - 1, d), or None where the recipe has none
    decoder : str
    """

    features: NDArray[Any]
    views: NDArray[Any] | None
    decoder: str


AreCurrent = Callable[[NDArray[np.bytes_]], NDArray[np.bool_]]


class OtherSets:
    """The rows of every other set of a recipe in a cache, those of samples among them. Nothing is opened before the first question; any thread may ask.

    Sixteen bytes are kept of each row, and a row is read, and checked, when it is asked for. A set, or a part, that cannot
    be read is told in the log and left out. No lock is taken.

    Parameters
    ----------
    folder : Path
        Of the set that asks.
    recipe : Recipe
    are_current : callable
        Says of the names and versions of decoders which of them would give the same pixels today.
    """

    def __init__(self, folder: Path, recipe: Recipe, are_current: AreCurrent) -> None:
        self._folder = folder
        self._recipe = recipe
        self._are_current = are_current
        self._lock, self._opening = threading.Lock(), threading.Lock()
        self._parts: list[tuple[Path, Meta]] = []
        self._open: dict[int, Part] = {}
        self._rows: _Rows | None = None

    def find(self, sha256: bytes) -> Copied | None:
        """Return the row of a content, or None where no set has it, or none that can be read."""
        for number, row in self._all().of(sha256):
            try:
                columns = self._part(number).columns
                if columns["sha256"].read_row(row)[0].tobytes() != sha256:
                    continue
                return Copied(
                    self._values(columns["features"], row),
                    self._values(columns["views"], row) if "views" in columns else None,
                    columns["decoder"].read_row(row)[0].decode(errors="replace")
                    if "decoder" in columns
                    else "",
                )
            except (FileNotFoundError, CacheError) as error:
                log.warning("%s", error)
        return None

    def starts(self) -> NDArray[np.uint64]:
        """Return the first eight bytes of the content of every row, ascending."""
        return self._all().starts

    def _all(self) -> "_Rows":
        with self._lock:
            self._rows = self._rows or self._collect()
            return self._rows

    @staticmethod
    def _values(column: Column, row: int) -> NDArray[Any]:
        # A copy: what is read is valid until the next read of this thread.
        return column.finite(column.read_row(row))[0].copy()

    def _collect(self) -> "_Rows":
        found: list[tuple[int, NDArray[np.int64], NDArray[np.uint64]]] = []
        for path, meta in self._paths():
            number = len(self._parts)
            self._parts.append((path, meta))
            try:
                part = self._part(number)
                current = self._are_current(part.read("decoder"))
                starts = np.ascontiguousarray(part.read("sha256")[:, :8]).view(np.uint64)[:, 0]
            except FileNotFoundError:
                continue  # its writer has folded it meanwhile
            except CacheError as error:
                log.warning("%s", error)
                continue
            found.append((number, np.flatnonzero(current), starts[current]))
        return _Rows(found)

    def _paths(self) -> Iterator[tuple[Path, Meta]]:
        """Yield the parts of the other sets; rows that are superseded are as good as others."""
        _, end = folder_names("", self._recipe)
        here = self._folder.parent
        cache = here.parent if here.name == SAMPLES else here
        for folder in [*_folders(cache), *_folders(cache / SAMPLES)]:
            if folder in (self._folder, cache / SAMPLES):
                continue
            try:
                meta = self._meta(folder, lost=folder.name.endswith(end))
                if meta is not None and meta.recipe.hash == self._recipe.hash:
                    yield from ((folder / name, meta) for name in part_names(folder))
            except CacheError as error:
                log.warning("%s", error)

    def _meta(self, folder: Path, *, lost: bool) -> Meta | None:
        try:
            return read_meta(folder)
        except (FileNotFoundError, CacheDamagedError):
            return meta_from_parts(folder, "") if lost else None

    def _part(self, number: int) -> Part:
        with self._opening:
            part = self._open.get(number)
            if part is None:
                while len(self._open) >= MOST_OPEN:
                    del self._open[next(iter(self._open))]
                self._open[number] = part = Part(*self._parts[number])
        return part


def _folders(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if path.is_dir()) if place.is_dir() else []


class _Rows:
    """Rows of many parts by the first eight bytes of their content, in sorted arrays."""

    def __init__(self, found: list[tuple[int, NDArray[np.int64], NDArray[np.uint64]]]) -> None:
        starts = np.concatenate([np.empty(0, np.uint64), *(starts for _, _, starts in found)])
        parts = [np.full(len(rows), number, np.uint32) for number, rows, _ in found]
        order = np.argsort(starts)
        self.starts = starts[order]
        self._parts = np.concatenate([np.empty(0, np.uint32), *parts])[order]
        rows = [rows.astype(np.uint32) for _, rows, _ in found]
        self._rows = np.concatenate([np.empty(0, np.uint32), *rows])[order]

    def of(self, sha256: bytes) -> Iterator[tuple[int, int]]:
        """Yield the part and the row of each that may be of a content."""
        start = np.frombuffer(sha256, np.uint64, 1)[0]
        first, stop = (int(np.searchsorted(self.starts, start, side)) for side in ("left", "right"))
        yield from zip(self._parts[first:stop].tolist(), self._rows[first:stop].tolist(), strict=True)
