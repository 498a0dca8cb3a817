"""Vectors of another program become a feature set of a recipe of their own."""

import hashlib
import os
import posixpath
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed import labels, sources
from embed.backbones import network_name
from embed.cache import FeatureCache, FeatureWriter, Recipe, Wish
from embed.errors import InputError, UsageError
from embed.sources import Item
from embed.vectors import names as of_list
from embed.vectors import table
from embed.vectors.matrix import Matrix, of_array, of_npy

SUFFIXES = (".npy", ".parquet", ".csv", ".tsv")
MISSING = ("refuse", "skip", "keep")
READERS = 4  # photographs hashed at once
HASHED_TOGETHER = 256

Progress = Callable[[str, int, int], None]  # what is done, how many of it are, and of how many


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes
    ----------
    features : str
        Name of the feature set.
    folder : Path
        Where it is.
    dimension : int
    dtype : str
        As the vectors are stored.
    rows : int
        Photographs in the set.
    imported, unchanged, removed : int
        Rows that are new or other than before, that were there already, and that left.
    missing : int
        Vectors whose photograph is not there: left out, or kept, as was asked.
    without : int
        Photographs in the data folder that have no vector.
    matched : str
        How the names were matched with the photographs.
    seconds : float
    """

    features: str
    folder: Path
    dimension: int
    dtype: str
    rows: int
    imported: int
    unchanged: int
    removed: int
    missing: int
    without: int
    matched: str
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``embed import --json`` prints."""
        return {**asdict(self), "folder": str(self.folder), "seconds": round(self.seconds, 3)}


@dataclass(frozen=True)
class _Photograph:
    """The photograph of a row: where it is in the data folder, or only what it is called."""

    name: str
    item: Item | None


def import_features(
    vectors: Path | NDArray[Any],
    data: Path,
    cache: Path,
    paths: Any = None,
    *,
    missing: str = "refuse",
    path_column: str | None = None,
    vector_column: str | None = None,
    name: str | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Imported:
    """Make vectors that another program computed a feature set of the photographs in `data`.

    The set is what the vectors say: rows of photographs that are not among them leave. The same vectors again change nothing.
    Nothing is written before all of them were looked at.

    Raises
    ------
    InputError
        The vectors cannot be read, are no finite numbers, are not as many as the names, or of other photographs.
    UsageError
        An argument has a value that cannot work.
    CacheError
        The cache is locked, of a newer format, or cannot be written.
    """
    started = time.perf_counter()
    if missing not in MISSING:
        raise UsageError(f"{missing!r} is not known; it is one of {', '.join(MISSING)}", "missing")
    matrix = _read(vectors, path_column if paths is None else None, vector_column)
    called = matrix.names if paths is None else of_list.read(paths, path_column)
    if called is None:
        raise UsageError(f"is needed: {matrix.shown} does not say which photograph each row is of", "paths")
    if len(called) != matrix.rows:
        raise InputError(
            f"{matrix.shown} has {matrix.rows:,} rows and there are {len(called):,} names: there has to be one for each row, in"
            " the same order"
        )
    source = sources.open(data)
    found = [told for told in source.find() if isinstance(told, Item)]
    photographs, way = _matched(called, found, source.root, missing)
    _check_finite(matrix, called, progress)
    recipe = Recipe(
        backbone=network_name(vectors) if isinstance(vectors, Path) else "array",
        weights=vectors.name if isinstance(vectors, Path) else "array",
        weights_sha256=_digest(vectors, matrix),
        layer=matrix.column,
        pooling="",
        size=0,
        imported=True,
        fit="",
        interpolation="",
        dtype=matrix.dtype.name,
        decoder=0,
    )
    with FeatureWriter.open(
        cache, source.name, source.root, recipe, matrix.dimension, wish=Wish(name)
    ) as writer:
        writing = _Writing(writer, source)
        for start, block in matrix.numbered():
            writing.put(photographs[start : start + len(block)], block)
            progress("importing", start + len(block), matrix.rows)
        removed = writing.remove_others()
        writer.write_failures([])
    absent = sum(one is None or one.item is None for one in photographs)
    return Imported(
        features=writer.name,
        folder=writer.folder,
        dimension=matrix.dimension,
        dtype=matrix.dtype.name,
        rows=writing.written + writing.unchanged,
        imported=writing.written,
        unchanged=writing.unchanged,
        removed=removed,
        missing=absent,
        without=len(found) - (len(photographs) - absent),
        matched=way,
        seconds=time.perf_counter() - started,
    )


def _read(vectors: Path | NDArray[Any], path_column: str | None, vector_column: str | None) -> Matrix:
    if not isinstance(vectors, Path):
        return of_array(np.asarray(vectors), "the array")
    suffix = vectors.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(
            f"{str(vectors)!r} cannot be used: vectors are read from {', '.join(SUFFIXES)}; save them as one of these",
            "vectors",
        )
    if not vectors.is_file():
        raise InputError(f"There is no file {vectors}.")
    if suffix == ".npy":
        if vector_column is not None:
            raise UsageError(f"is for tables, and {vectors} is an array", "vector_column")
        return of_npy(vectors)
    return (table.of_parquet if suffix == ".parquet" else table.of_text)(vectors, path_column, vector_column)


def _digest(vectors: Path | NDArray[Any], matrix: Matrix) -> str:
    """Return what identifies vectors: the sha256 of their file, or of the numbers."""
    if isinstance(vectors, Path):
        with vectors.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    hasher = hashlib.sha256(f"{matrix.rows} {matrix.dimension} {matrix.dtype}".encode())
    for _, block in matrix.numbered():
        hasher.update(np.ascontiguousarray(block, matrix.dtype).data)
    return hasher.hexdigest()


def _matched(
    called: Sequence[str], found: Sequence[Item], root: Path | str, missing: str
) -> tuple[list[_Photograph | None], str]:
    """Return the photograph that each name means, None for one to be left out; and how they were matched."""
    match = labels.match(called, [item.name for item in found], root, None)
    if match.several is not None:
        row, first, second = match.several
        raise InputError(
            f"Row {row + 1}, {called[row]!r}, may be {first} or {second} in {root}; write more of its path."
        )
    absent = [row for row, position in enumerate(match.positions) if position is None]
    if absent and (missing == "refuse" or (missing == "skip" and len(absent) == len(called))):
        example = found[0].name if found else "no photograph"
        raise InputError(
            f"{len(absent):,} of {len(called):,} photographs are not in {root}, the first is {called[absent[0]]!r} (row"
            f" {absent[0] + 1}; what is there is {example}): mend the names or the folder, or set missing to skip, which leaves"
            " them out, or to keep"
        )
    photographs: list[_Photograph | None] = []
    row_of: dict[str, int] = {}
    for row, position in enumerate(match.positions):
        if position is None and missing == "skip":
            photographs.append(None)
            continue
        item = None if position is None else found[position]
        one = _Photograph(_normal(called[row], root) if item is None else item.name, item)
        before = row_of.setdefault(one.name, row)
        if before != row:
            raise InputError(
                f"Rows {before + 1} and {row + 1} are both of {one.name}: a photograph has one vector; leave one of them out."
            )
        photographs.append(one)
    return photographs, match.way


def _normal(name: str, root: Path | str) -> str:
    """Return the name of a photograph that is not there as a path below the data folder."""
    path = posixpath.normpath(name.replace("\0", " "))
    inside = os.fspath(root).rstrip("/") + "/"
    path = path.removeprefix(inside) if path.startswith(inside) else path
    return "/".join(part for part in path.split("/") if part not in ("", ".", "..")) or "unnamed"


def _check_finite(matrix: Matrix, called: Sequence[str], progress: Progress) -> None:
    bad, first, rows = 0, -1, 0
    for start, block in matrix.numbered():
        if block.shape[1] != matrix.dimension:
            raise InputError(
                f"{matrix.shown} has vectors of {matrix.dimension} and of {block.shape[1]} numbers (row {start + 1})"
            )
        with np.errstate(over="ignore"):  # what does not fit becomes infinite
            finite = np.isfinite(block.astype(matrix.dtype)).all(axis=1)
        if not finite.all():
            first = first if bad else start + int(np.argmin(finite))
            bad += int((~finite).sum())
        rows = start + len(block)
        progress("checking", rows, matrix.rows)
    if rows != matrix.rows:
        raise InputError(f"{matrix.shown} says that it has {matrix.rows:,} rows, and {rows:,} can be read")
    if bad:
        raise InputError(
            f"{bad:,} of {matrix.rows:,} rows of {matrix.shown} hold NaN or infinite numbers, or ones too large for"
            f" {matrix.dtype}, the first is row {first + 1}, {called[first]!r}; leave them out or compute them again"
        )


class _Writing:
    """Rows on their way into a feature set: those that are there already are left as they are."""

    def __init__(self, writer: FeatureWriter, source: sources.Source) -> None:
        self._writer = writer
        self._source = source
        self._address = sources.locator(source.root)
        self._known: FeatureCache = writer.known
        self._met = np.zeros(len(self._known), bool)
        self.written = 0
        self.unchanged = 0

    def put(self, photographs: Sequence[_Photograph | None], block: NDArray[Any]) -> None:
        """Put the rows of a block that are new, or other than they were."""
        known = self._known
        kept = block.astype(known.recipe.dtype)
        wanted = [(i, one, known.index_of(one.name)) for i, one in enumerate(photographs) if one is not None]
        rows = np.array([row for _, _, row in wanted if row is not None], np.int64)
        before = dict(zip(rows.tolist(), known.rows(rows), strict=True))
        self._met[rows] = True
        new = []
        for i, one, row in wanted:
            same = row is not None and self._is_current(row, one) and np.array_equal(before[row], kept[i])
            if same:
                self.unchanged += 1
            else:
                new.append((i, one))
        for (i, one), (sha256, size, stamp) in zip(new, self._contents([one for _, one in new]), strict=True):
            self._writer.put(one.name, sha256, size, stamp, kept[i])
            self.written += 1

    def remove_others(self) -> int:
        """Let the rows go that no vector is for, and return how many they are."""
        gone = np.flatnonzero(~self._met).tolist()
        for row in gone:
            self._writer.remove(self._known.path(row))
        return len(gone)

    def _is_current(self, row: int, one: _Photograph) -> bool:
        if one.item is None:
            return self._known.sha256[row].tobytes() == self._of_name(one)
        return bool(self._known.sizes[row] == one.item.size and self._known.mtimes_ns[row] == one.item.stamp)

    def _contents(self, photographs: Sequence[_Photograph]) -> Iterator[tuple[bytes, int, int]]:
        """Yield the sha256, the size and the stamp of each photograph."""

        def content(one: _Photograph) -> tuple[bytes, int, int]:
            if one.item is None:
                return self._of_name(one), 0, 0
            ((item, read),) = self._source.read([one.item])
            if isinstance(read, str):
                raise InputError(f"{self._address(one.name)} {read}; its vector cannot be kept with it")
            return read.sha256, item.size, item.stamp or 0

        with ThreadPoolExecutor(READERS, "read") as pool:
            for start in range(0, len(photographs), HASHED_TOGETHER):
                yield from pool.map(content, photographs[start : start + HASHED_TOGETHER])

    def _of_name(self, one: _Photograph) -> bytes:
        """Return what stands for the content of a photograph that is not there."""
        return hashlib.sha256(b"absent\0" + os.fsencode(self._address(one.name))).digest()
