"""Writing a part: an HDF5 file with one batch of changes, and the index that follows it.

``cache/README.md`` is the specification of what is written here.
"""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from embed.cache.checked import BLOCK_BYTES, DIGEST_CHARACTERS, FORMAT_VERSION, block_sum, pack_index
from embed.cache.recipe import Recipe
from embed.files import Draft

FORMAT = "embed features"
CHUNK_ROWS = 256
CHUNK_BYTES = 8 << 20  # upper bound of a chunk of very long rows


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
    decoders : sequence of bytes, of length n
        Name and version of the decoder of each.
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
    decoders: Sequence[bytes] | NDArray[np.bytes_]
    features: Rows
    views: Rows | None = None
    removed: Sequence[bytes] | NDArray[np.bytes_] = ()
    replaces: Sequence[str] = ()


def part_name(sequence: int, digests: str) -> str:
    """Return the name of a part with that sequence number and those digests."""
    return f"part-{sequence:08d}-{digests}.h5"


def write(draft: Draft, batch: Batch, recipe: Recipe) -> str:
    """Write the part that holds a batch, and return the digests of its index and of its file, as its name has them.

    The same batch gives the same bytes.

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
        "recipe": recipe.to_json(),
        "length": length,
        "blocks": sums,
        "datasets": datasets,
    }
    index_digest, tail = pack_index(index)
    draft.seek(length)
    draft.write(tail)
    hasher.update(tail)
    return f"{index_digest}-{hasher.hexdigest()[:DIGEST_CHARACTERS]}"


def _write_hdf5(draft: Draft, batch: Batch, recipe: Recipe) -> dict[str, Any]:
    """Write the HDF5 file, and return what the index says about its datasets."""
    import h5py

    dtype = np.dtype(recipe.dtype).newbyteorder("<")
    columns: dict[str, tuple[Rows, np.dtype[Any]]] = {
        "path": _bytes_column(batch.paths),
        "sha256": (np.reshape(batch.sha256, (-1, 32)), np.dtype(np.uint8)),
        "size": (batch.sizes, np.dtype("<i8")),
        "mtime_ns": (batch.mtimes_ns, np.dtype("<i8")),
        "decoder": _bytes_column(batch.decoders),
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
