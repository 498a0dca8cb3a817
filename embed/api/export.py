"""Features in files for other programs. Written a block at a time, and in place only once they are whole.

=========  ================================================================================================
npy        ``NAME.npy``, float32 (n, d), and ``NAME.csv`` with one row for each of its rows
csv        one table: path, label, split, sha256, f0, f1, …
parquet    the same with one column ``features``, a list of d float32
hdf5       one file: ``X``, ``paths``, ``labels``, ``splits`` (bytes, UTF-8), ``sha256``; the recipe as attributes
projector  a folder for TensorBoard's embedding projector: tensors.bytes, metadata.tsv, projector_config.pbtxt
=========  ================================================================================================

A photograph without a label or split has an empty one; in Parquet, null.
"""

import csv
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embed.errors import InputError, UsageError
from embed.files import replacing

if TYPE_CHECKING:
    from embed.api.photographs import Photographs

COLUMNS = ("path", "label", "split", "sha256")
SUFFIXES = {".npy": "npy", ".csv": "csv", ".parquet": "parquet", ".h5": "hdf5", ".hdf5": "hdf5"}
CHUNK_ROWS = 256  # of the merged HDF5 file, as in the cache


def export(photographs: "Photographs", to: Path, format: str | None = None) -> list[Path]:
    """Write photographs' features, paths, labels and splits; return the files written.

    Parameters
    ----------
    photographs : Photographs
    to : Path
        File; a folder for "projector". Its folder is made where it is missing, and files of that name are replaced.
    format : str, optional
        One of `FORMATS`; by default what the suffix of `to` says.

    Raises
    ------
    UsageError
        The format is not known, or needs a package that is not installed.
    InputError
        The file cannot be written.
    CacheDamagedError
        A part of the cache is damaged.
    """
    if format is None:
        format = SUFFIXES.get(to.suffix.lower())
        if format is None:
            raise UsageError(
                f"The name {to} does not say which format is wanted: end it in {', '.join(SUFFIXES)}, or name one of"
                f" {', '.join(FORMATS)} (--format)."
            )
    if format not in FORMATS:
        raise UsageError(f"There is no format {format!r}; use {', '.join(FORMATS)}.")
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        return FORMATS[format](photographs, to)
    except OSError as error:
        raise InputError(f"cannot write {error.filename or to}: {error.strerror or error}") from error


def _records(
    photographs: "Photographs", first: int, stop: int
) -> Iterator[tuple[str, str | None, str | None, str]]:
    """Yield path, label, split and sha256 of some photographs."""
    rows = slice(first, stop)
    columns = photographs.paths[rows], photographs.y[rows], photographs.splits[rows], photographs.sha256[rows]
    for path, label, split, digest in zip(*columns, strict=True):
        yield path, label, split, digest.tobytes().hex()


def _open_text(file: Path) -> IO[str]:
    # The bytes of a file name that are no UTF-8 are written as they are.
    return file.open("w", encoding="utf-8", errors="surrogateescape", newline="")


def _npy(photographs: "Photographs", to: Path) -> list[Path]:
    to = to if to.suffix.lower() == ".npy" else to.with_name(to.name + ".npy")
    table = to.with_suffix(".csv")
    with replacing(to) as matrix, matrix.open("wb") as stream:
        header = {"descr": "<f4", "fortran_order": False, "shape": (len(photographs), photographs.dimension)}
        np.lib.format.write_array_header_1_0(stream, header)
        for _, block in photographs.blocks():
            stream.write(np.ascontiguousarray(block, "<f4").data)
    with replacing(table) as temporary, _open_text(temporary) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_records(photographs, 0, len(photographs)))
    return [to, table]


def _csv(photographs: "Photographs", to: Path) -> list[Path]:
    with replacing(to) as temporary, _open_text(temporary) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*COLUMNS, *(f"f{i}" for i in range(photographs.dimension))])
        for first, block in photographs.blocks():
            records = _records(photographs, first, first + len(block))
            # str() of a float32 is the shortest text that reads back as the same number.
            writer.writerows([*record, *map(str, row)] for record, row in zip(records, block, strict=True))
    return [to]


def _parquet(photographs: "Photographs", to: Path) -> list[Path]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError("Parquet files need pyarrow: pip install 'embed-images[parquet]'.") from error
    dimension = photographs.dimension
    fields = [(name, pa.string()) for name in COLUMNS]
    recipe = {"embed.recipe": json.dumps(photographs.recipe.to_json(), sort_keys=True)}
    schema = pa.schema([*fields, ("features", pa.list_(pa.float32(), dimension))], metadata=recipe)
    with replacing(to) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        for first, block in photographs.blocks():
            records = list(_records(photographs, first, first + len(block)))
            columns: list[Any] = [
                pa.array([_utf8(value) for value in column], pa.string())
                for column in zip(*records, strict=True)
            ]
            values = pa.array(np.ascontiguousarray(block).reshape(-1), pa.float32())
            columns.append(pa.FixedSizeListArray.from_arrays(values, dimension))
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    return [to]


def _utf8(value: str | None) -> str | None:
    """Return text that UTF-8 can hold: a byte of a file name that it cannot becomes ``\\xNN``."""
    if value is None:
        return None
    return os.fsencode(value).decode("utf-8", "backslashreplace")


def _hdf5(photographs: "Photographs", to: Path) -> list[Path]:
    import h5py

    n, d = len(photographs), photographs.dimension
    with replacing(to) as temporary, h5py.File(temporary, "w", locking=False) as file:
        chunks = (min(CHUNK_ROWS, n), d) if n else None
        matrix = file.create_dataset("X", (n, d), "<f4", chunks=chunks, fletcher32=bool(n))
        for first, block in photographs.blocks():
            matrix[first : first + len(block)] = block
        for name, column in (
            ("paths", photographs.paths),
            ("labels", photographs.y),
            ("splits", photographs.splits),
        ):
            file.create_dataset(name, data=_fixed_width(column))
        file.create_dataset("sha256", data=photographs.sha256)
        file.attrs["format"] = "embed export"
        file.attrs["features"] = photographs.name
        for field, value in photographs.recipe.to_json().items():
            file.attrs[f"recipe_{field}"] = value
    return [to]


def _fixed_width(column: NDArray[np.object_]) -> NDArray[np.bytes_]:
    encoded: Sequence[bytes] = [os.fsencode(value or "") for value in column]
    return np.array(encoded, f"S{max(map(len, encoded), default=0) or 1}")


def _projector(photographs: "Photographs", to: Path) -> list[Path]:
    to.mkdir(exist_ok=True)
    tensors, metadata, config = (
        to / name for name in ("tensors.bytes", "metadata.tsv", "projector_config.pbtxt")
    )
    with replacing(tensors) as temporary, temporary.open("wb") as stream:
        for _, block in photographs.blocks():
            stream.write(np.ascontiguousarray(block, "<f4").data)
    with replacing(metadata) as temporary, _open_text(temporary) as text:
        text.write("label\tsplit\tpath\n")
        for path, label, split, _ in _records(photographs, 0, len(photographs)):
            text.write("\t".join(_one_line(value) for value in (label, split, path)) + "\n")
    with replacing(config) as temporary, _open_text(temporary) as text:
        text.write(
            "embeddings {\n"
            f"  tensor_name: {json.dumps(photographs.name)}\n"
            f"  tensor_shape: {len(photographs)}\n"
            f"  tensor_shape: {photographs.dimension}\n"
            f'  tensor_path: "{tensors.name}"\n'
            f'  metadata_path: "{metadata.name}"\n'
            "}\n"
        )
    return [tensors, metadata, config]


def _one_line(value: str | None) -> str:
    """Return text without what would end a cell or a row of tab-separated values."""
    return "".join(c if c.isprintable() or "\udc80" <= c <= "\udcff" else " " for c in value or "")


FORMATS: "dict[str, Callable[[Photographs, Path], list[Path]]]" = {
    "npy": _npy,
    "csv": _csv,
    "parquet": _parquet,
    "hdf5": _hdf5,
    "projector": _projector,
}
