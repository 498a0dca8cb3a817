"""One part: an immutable HDF5 file that holds one batch of changes to a feature set.

``cache/README.md`` is the specification of what is written here.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from embed.cache.checked import (
    BLOCK_BYTES,
    DIGEST_CHARACTERS,
    FORMAT_VERSION,
    CheckedFile,
    block_sum,
    pack_index,
)
from embed.cache.recipe import Recipe
from embed.errors import CacheFormatError
from embed.files import Draft

FORMAT = "embed features"
CHUNK_ROWS = 256
CHUNK_BYTES = 8 << 20  # upper bound of a chunk of very long rows
NAME = re.compile(r"part-(\d{8,12})-([0-9a-f]{16})-([0-9a-f]{16})\.h5")


class Rows(Protocol):
    """Rows that need not be in memory: an ndarray, or what gives slices as one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, then the shape of each."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> NDArray[Any]: ...


@dataclass
class Batch:
    """Rows put and paths removed, in one step. No path is both.

    Parameters
    ----------
    paths : sequence of bytes
        Relative to the data folder, as the file system spells them.
    sha256 : ndarray of shape (n, 32), uint8
    sizes, mtimes_ns : ndarray of shape (n,), int64
    features : ndarray of shape (n, d), or rows of that shape that are read when they are written
    views : the same of shape (n, views - 1, d), or None when the recipe has one view
    removed : sequence of bytes
    replaces : list of str
        Names of the parts whose content this one holds; readers ignore them.
    """

    paths: Sequence[bytes] | NDArray[np.bytes_]
    sha256: NDArray[np.uint8]
    sizes: NDArray[np.int64]
    mtimes_ns: NDArray[np.int64]
    features: Rows
    views: Rows | None = None
    removed: Sequence[bytes] | NDArray[np.bytes_] = ()
    replaces: Sequence[str] = ()


def part_sequence(name: str) -> int:
    """Return the sequence number in the name of a part."""
    return int(name.split("-")[1])


def replay_order(name: str) -> tuple[int, str]:
    """Return the key by which parts are replayed."""
    return part_sequence(name), name


def write(draft: Draft, batch: Batch, recipe: Recipe, sequence: int) -> str:
    """Write the part that holds a batch, and return the name it is to have; the same batch gives the same bytes.

    Raises
    ------
    CacheWriteError
        The disk refused.
    CacheDamagedError
        A part from which rows of the batch are read is damaged.
    """
    # In a thread of its own: Ctrl-C raises in the main one, and HDF5 crashes where an exception passes through it.
    with ThreadPoolExecutor(1) as aside:
        datasets = aside.submit(_write_hdf5, draft, batch, recipe).result()
    length, hasher, sums = draft.size, hashlib.sha256(), []
    for block in draft.blocks(BLOCK_BYTES):
        hasher.update(block)
        sums.append(block_sum(block))
    index = {
        "format_version": FORMAT_VERSION,
        "recipe_hash": recipe.hash,
        "length": length,
        "blocks": sums,
        "datasets": datasets,
    }
    index_digest, tail = pack_index(index)
    draft.seek(length)
    draft.write(tail)
    hasher.update(tail)
    return f"part-{sequence:08d}-{index_digest}-{hasher.hexdigest()[:DIGEST_CHARACTERS]}.h5"


def _write_hdf5(draft: Draft, batch: Batch, recipe: Recipe) -> dict[str, Any]:
    """Write the HDF5 file, and return what the index says about its datasets."""
    import h5py

    dtype = np.dtype(recipe.dtype).newbyteorder("<")
    columns: dict[str, tuple[Rows, np.dtype[Any]]] = {
        "path": _bytes_column(batch.paths),
        "sha256": (np.reshape(batch.sha256, (-1, 32)), np.dtype(np.uint8)),
        "size": (batch.sizes, np.dtype("<i8")),
        "mtime_ns": (batch.mtimes_ns, np.dtype("<i8")),
        "removed": _bytes_column(batch.removed),
        "replaces": _bytes_column([name.encode() for name in batch.replaces]),
        "features": (batch.features, dtype),
    }
    if batch.views is not None:
        columns["views"] = (batch.views, dtype)
    with h5py.File(draft, "w") as file:
        file.attrs["format"] = FORMAT
        file.attrs["format_version"] = FORMAT_VERSION
        file.attrs["recipe_hash"] = recipe.hash
        file.attrs["recipe"] = json.dumps(recipe.to_json(), sort_keys=True)
        return {name: _write_dataset(file, name, *column) for name, column in columns.items()}


def _bytes_column(values: Sequence[bytes] | NDArray[np.bytes_]) -> tuple[NDArray[np.bytes_], np.dtype[Any]]:
    # Fixed length, because the checksums of HDF5 do not cover variable-length strings.
    column = np.asarray(values, "S")
    length = int(np.char.str_len(column).max(initial=1))
    return column, np.dtype(f"S{length}")


def _write_dataset(file: Any, name: str, values: Rows, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Write one dataset, a chunk at a time, and return its entry in the index."""
    import h5py

    shape = values.shape
    kind = h5py.string_dtype("utf-8", dtype.itemsize) if dtype.kind == "S" else dtype
    entry: dict[str, Any] = {"dtype": dtype.str, "shape": shape, "chunk_rows": 1, "offsets": []}
    if len(values) == 0:
        file.create_dataset(name, shape=shape, dtype=kind)
        return entry
    row_bytes = dtype.itemsize * int(np.prod(shape[1:]))
    most = max(1, min(CHUNK_ROWS, CHUNK_BYTES // row_bytes))
    # Chunks of equal height, because the last one is stored at full height whatever it holds.
    entry["chunk_rows"] = chunk_rows = -(-len(values) // -(-len(values) // most))
    chunks = (chunk_rows, *shape[1:])
    dataset = file.create_dataset(name, shape=shape, dtype=kind, chunks=chunks, fletcher32=True).id
    inside = (0,) * (len(shape) - 1)
    for start in range(0, len(values), chunk_rows):
        rows = np.ascontiguousarray(values[start : start + chunk_rows], dtype)
        place = dataset.get_space()
        place.select_hyperslab((start, *inside), rows.shape)
        # In the file's own type: HDF5 refuses to convert between strings it calls ASCII and UTF-8.
        dataset.write(h5py.h5s.create_simple(rows.shape), place, rows, dataset.get_type())
        entry["offsets"].append(dataset.get_chunk_info_by_coord((start, *inside)).byte_offset)
    return entry


class Column:
    """One dataset of a part on disk, read straight from the checked bytes of its chunks.

    Parameters
    ----------
    file : CheckedFile
    entry : dict
        What the index of the file says about the dataset.
    """

    def __init__(self, file: CheckedFile, entry: dict[str, Any]) -> None:
        self._file = file
        self._offsets: list[int] = entry["offsets"]
        self.dtype = np.dtype(entry["dtype"])
        self.shape = tuple(entry["shape"])
        self.chunk_rows: int = entry["chunk_rows"]
        self._row_bytes = self.dtype.itemsize * int(np.prod(self.shape[1:]))

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return len(self._offsets)

    @property
    def chunk_bytes(self) -> int:
        """Size of a chunk."""
        return self.chunk_rows * self._row_bytes

    def read_chunk(self, chunk: int) -> NDArray[Any]:
        """Return the rows of one chunk in the stored dtype, valid until the next read of this thread."""
        first = chunk * self.chunk_rows
        return self._read(self._offsets[chunk], min(self.chunk_rows, len(self) - first))

    def read_row(self, row: int) -> NDArray[Any]:
        """Return one row as an array of one row, valid until the next read of this thread."""
        chunk, inside = divmod(row, self.chunk_rows)
        return self._read(self._offsets[chunk] + inside * self._row_bytes, 1)

    def read(self) -> NDArray[Any]:
        """Return all rows."""
        result = np.empty(self.shape, self.dtype)
        for chunk in range(self.chunks):
            first = chunk * self.chunk_rows
            result[first : first + self.chunk_rows] = self.read_chunk(chunk)
        return result

    def _read(self, start: int, rows: int) -> NDArray[Any]:
        data = self._file.read(start, rows * self._row_bytes)
        return np.frombuffer(data, self.dtype).reshape(rows, *self.shape[1:])


@dataclass
class Part:
    """A part on disk, opened: its columns in memory, its features where they lie."""

    name: str
    file: CheckedFile
    recipe_hash: str
    paths: NDArray[np.bytes_]
    sha256: NDArray[np.uint8]
    sizes: NDArray[np.int64]
    mtimes_ns: NDArray[np.int64]
    removed: list[bytes]
    replaces: list[str]
    features: Column
    views: Column | None
    sequence: int = field(init=False)

    def __post_init__(self) -> None:
        self.sequence = part_sequence(self.name)

    def __len__(self) -> int:
        return len(self.paths)


def in_order(parts: Sequence[Part]) -> bool:
    """Return whether each path follows the one before it, through all parts: nothing was superseded or removed."""
    if any(part.removed for part in parts):
        return False
    filled = [part.paths for part in parts if len(part)]
    inside = all((paths[:-1] < paths[1:]).all() for paths in filled)
    return inside and all(paths[-1] < after[0] for paths, after in pairwise(filled))


def open_part(path: Path) -> Part:
    """Open a part; everything but its features is read and checked.

    Raises
    ------
    FileNotFoundError
        It is not there (any more).
    CacheDamagedError
        Its bytes are not the ones that its name promises.
    CacheFormatError
        It is no part, or one of a format that this version does not understand.
    """
    match = NAME.fullmatch(path.name)
    if match is None:
        raise CacheFormatError(f"{path} is no part of a feature set: move it elsewhere")
    file = CheckedFile(path, match[2], match[3])
    columns = {name: Column(file, entry) for name, entry in file.index["datasets"].items()}
    part = Part(
        name=path.name,
        file=file,
        recipe_hash=file.index["recipe_hash"],
        paths=columns["path"].read(),
        sha256=columns["sha256"].read(),
        sizes=columns["size"].read(),
        mtimes_ns=columns["mtime_ns"].read(),
        removed=columns["removed"].read().tolist(),
        replaces=[name.decode() for name in columns["replaces"].read().tolist()],
        features=columns["features"],
        views=columns.get("views"),
    )
    lengths = {len(part), len(part.sha256), len(part.sizes), len(part.mtimes_ns), len(part.features)}
    if part.views is not None:
        lengths.add(len(part.views))
    if len(lengths) != 1:
        raise CacheFormatError(f"{path} has columns of different lengths: {sorted(lengths)}")
    return part


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
    with file.stream() as stream, h5py.File(stream, "r") as image:
        for name, entry in file.index["datasets"].items():
            column = Column(file, entry)
            dataset = image[name]
            for chunk in range(column.chunks):
                first = chunk * column.chunk_rows
                rows = np.asarray(dataset[first : first + column.chunk_rows], column.dtype)
                if rows.tobytes() != column.read_chunk(chunk).tobytes():
                    raise file.damaged(f"its index and HDF5 disagree about {name}")
