"""One part: an immutable HDF5 file that holds one batch of changes to a feature set.

``cache/README.md`` is the specification of what is written here.
"""

import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.cache.checked import FORMAT_VERSION, CheckedFile, block_sums, digest, pack_index
from embed.cache.recipe import Recipe
from embed.errors import CacheFormatError

FORMAT = "embed features"
CHUNK_ROWS = 256
CHUNK_BYTES = 8 << 20  # upper bound of a chunk of very long rows
NAME = re.compile(r"part-(\d{8,12})-([0-9a-f]{16})-([0-9a-f]{16})\.h5")


@dataclass
class Batch:
    """Rows put and paths removed, in one step. No path is both.

    Parameters
    ----------
    paths : list of bytes
        Relative to the data folder, as the file system spells them.
    sha256 : ndarray of shape (n, 32), uint8
    sizes, mtimes_ns : ndarray of shape (n,), int64
    features : ndarray of shape (n, d), in the dtype of the recipe
    views : ndarray of shape (n, views - 1, d), or None when the recipe has one view
    removed : list of bytes
    replaces : list of str
        Names of the parts whose content this one holds; readers ignore them.
    """

    paths: Sequence[bytes]
    sha256: NDArray[np.uint8]
    sizes: NDArray[np.int64]
    mtimes_ns: NDArray[np.int64]
    features: NDArray[Any]
    views: NDArray[Any] | None = None
    removed: Sequence[bytes] = ()
    replaces: Sequence[str] = ()


def part_sequence(name: str) -> int:
    """Return the sequence number in the name of a part."""
    return int(name.split("-")[1])


def replay_order(name: str) -> tuple[int, str]:
    """Return the key by which parts are replayed."""
    return part_sequence(name), name


def build(batch: Batch, recipe: Recipe, sequence: int) -> tuple[str, bytes]:
    """Return the name and the bytes of the part that holds a batch; the same batch gives the same bytes."""
    import h5py

    dtype = np.dtype(recipe.dtype).newbyteorder("<")
    columns: dict[str, NDArray[Any]] = {
        "path": _bytes_column(batch.paths),
        "sha256": np.asarray(batch.sha256, np.uint8).reshape(-1, 32),
        "size": np.asarray(batch.sizes, "<i8"),
        "mtime_ns": np.asarray(batch.mtimes_ns, "<i8"),
        "removed": _bytes_column(batch.removed),
        "replaces": _bytes_column([name.encode() for name in batch.replaces]),
        "features": np.asarray(batch.features, dtype),
    }
    if batch.views is not None:
        columns["views"] = np.asarray(batch.views, dtype)
    # In memory: HDF5 never touches the disk, so neither a full disk nor a kill can catch it half-way.
    with h5py.File("part", "w", driver="core", backing_store=False, block_size=1 << 20) as file:
        file.attrs["format"] = FORMAT
        file.attrs["format_version"] = FORMAT_VERSION
        file.attrs["recipe_hash"] = recipe.hash
        file.attrs["recipe"] = json.dumps(recipe.to_json(), sort_keys=True)
        datasets = {name: _write(file, name, values) for name, values in columns.items()}
        file.flush()
        image = file.id.get_file_image()
    index = {
        "format_version": FORMAT_VERSION,
        "recipe_hash": recipe.hash,
        "length": len(image),
        "blocks": block_sums(image),
        "datasets": datasets,
    }
    index_digest, tail = pack_index(index)
    data = image + tail
    return f"part-{sequence:08d}-{index_digest}-{digest(data)}.h5", data


def _bytes_column(values: Sequence[bytes]) -> NDArray[np.bytes_]:
    # Fixed length, because the checksums of HDF5 do not cover variable-length strings.
    length = max((len(value) for value in values), default=0)
    return np.array(values, f"S{max(1, length)}")


def _write(file: Any, name: str, values: NDArray[Any]) -> dict[str, Any]:
    """Write one dataset and return its entry in the index."""
    import h5py

    dtype = h5py.string_dtype("utf-8", values.dtype.itemsize) if values.dtype.kind == "S" else values.dtype
    entry: dict[str, Any] = {"dtype": values.dtype.str, "shape": values.shape, "chunk_rows": 1, "offsets": []}
    if len(values) == 0:
        file.create_dataset(name, shape=values.shape, dtype=dtype)
        return entry
    most = max(1, min(CHUNK_ROWS, CHUNK_BYTES * len(values) // values.nbytes))
    # Chunks of equal height, because the last one is stored at full height whatever it holds.
    entry["chunk_rows"] = chunk_rows = -(-len(values) // -(-len(values) // most))
    dataset = file.create_dataset(
        name, shape=values.shape, dtype=dtype, chunks=(chunk_rows, *values.shape[1:]), fletcher32=True
    )
    # In the file's own type: HDF5 refuses to convert between strings it calls ASCII and UTF-8.
    dataset.id.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(values), dataset.id.get_type())
    inside = (0,) * (values.ndim - 1)
    entry["offsets"] = [
        dataset.id.get_chunk_info_by_coord((start, *inside)).byte_offset
        for start in range(0, len(values), chunk_rows)
    ]
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
    # From memory, and only now: HDF5 can hang on bytes that it did not write.
    with h5py.File(io.BytesIO(file.read(0, file.length)), "r") as image:
        for name, entry in file.index["datasets"].items():
            column = Column(file, entry)
            dataset = image[name]
            for chunk in range(column.chunks):
                first = chunk * column.chunk_rows
                rows = np.asarray(dataset[first : first + column.chunk_rows], column.dtype)
                if rows.tobytes() != column.read_chunk(chunk).tobytes():
                    raise file.damaged(f"its index and HDF5 disagree about {name}")
