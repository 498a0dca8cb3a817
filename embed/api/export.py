"""Features in files for other programs. Written a block at a time, and in place only once they are whole.

=========  ================================================================================================
npy        ``NAME.npy``, float32 (n, d), and ``NAME.csv`` with one row for each of its rows
csv        one table: path, label, split, sha256, f0, f1, …
parquet    the same with one column ``features``, a list of d float32
hdf5       one file: ``X``, ``paths``, ``labels``, ``splits`` (bytes, UTF-8), ``sha256``; the recipe as attributes
projector  a folder for TensorBoard's embedding projector: tensors.bytes, metadata.tsv, projector_config.pbtxt
=========  ================================================================================================

A photograph without a label or split has an empty one; in Parquet, null. Text in CSV files is escaped, so that no
spreadsheet evaluates the name of a file: `embed.files.unescape` gives it back.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embed.errors import InputError, UsageError
from embed.files import replacing, write_rows

if TYPE_CHECKING:
    from embed.api.photographs import Photographs

COLUMNS = ("path", "label", "split", "sha256")
SUFFIXES = {".npy": "npy", ".csv": "csv", ".parquet": "parquet", ".h5": "hdf5", ".hdf5": "hdf5"}
CHUNK_ROWS = 256  # of the merged HDF5 file, as in the cache


def export(
    photographs: "Photographs", to: Path, format: str | None = None, *, overwrite: bool = False
) -> list[Path]:
    """Write photographs' features, paths, labels and splits into files.

    Parameters
    ----------
    photographs : Photographs
    to : Path
        File; a folder for "projector". Its folder is made where it is missing, and a file of that name is replaced.
    format : str, optional
        One of `FORMATS`; by default what the suffix of `to` says.
    overwrite : bool
        Replace also files whose name is not `to`, as ``x.csv`` beside ``x.npy``, that are not as an export left them.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    UsageError
        The format is not known, or needs a package that is not installed; a file would be replaced unasked.
    InputError
        The file cannot be written.
    CacheDamagedError
        A part of the cache is damaged.
    """
    if format is None:
        format = SUFFIXES.get(to.suffix.lower())
        if format is None:
            raise UsageError(
                f"is one of {', '.join(FORMATS)}; the name {to} does not say which: end it in {', '.join(SUFFIXES)}, or"
                " name one",
                "format",
            )
    if format not in FORMATS:
        raise UsageError(f"{format!r} is not known; it is one of {', '.join(FORMATS)}", "format")
    files = _files(to, format)
    try:
        if not overwrite:
            _spare(files)
        to.parent.mkdir(parents=True, exist_ok=True)
        FORMATS[format](photographs, files)
        stamp = files[0].stat()
        for file in files[1:]:
            os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    except OSError as error:
        raise InputError(f"cannot write {error.filename or to}: {error.strerror or error}") from error
    return files


def _files(to: Path, format: str) -> list[Path]:
    """Return the files of an export; the first is the one that was named, or stands for the folder."""
    if format == "npy":
        matrix = to if to.suffix.lower() == ".npy" else to.with_name(to.name + ".npy")
        return [matrix, matrix.with_suffix(".csv")]
    if format == "projector":
        return [to / name for name in ("tensors.bytes", "metadata.tsv", "projector_config.pbtxt")]
    return [to]


def _spare(files: Sequence[Path]) -> None:
    """Refuse to replace files that the user did not name, unless all are as an export left them: of one time."""
    there = [file for file in files if os.path.lexists(file)]
    if there in ([], files[:1]):
        return
    if there != list(files) or len({file.stat().st_mtime_ns for file in files}) > 1:
        raise UsageError(
            f"is needed to replace {there[-1]}, which is not as an export left it; or name another file",
            "overwrite",
        )


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


def _npy(photographs: "Photographs", files: Sequence[Path]) -> None:
    matrix, table = files
    with replacing(matrix) as temporary, temporary.open("wb") as stream:
        header = {"descr": "<f4", "fortran_order": False, "shape": (len(photographs), photographs.dimension)}
        np.lib.format.write_array_header_1_0(stream, header)
        for _, block in photographs.blocks():
            stream.write(np.ascontiguousarray(block, "<f4").data)
    with replacing(table) as temporary, _open_text(temporary) as text:
        write_rows(text, COLUMNS, _records(photographs, 0, len(photographs)))


def _csv(photographs: "Photographs", files: Sequence[Path]) -> None:
    def rows() -> Iterator[list[Any]]:
        for first, block in photographs.blocks():
            records = _records(photographs, first, first + len(block))
            # A float32 is written as the shortest text that reads back as the same number.
            for record, features in zip(records, block, strict=True):
                yield [*record, *features]

    with replacing(files[0]) as temporary, _open_text(temporary) as text:
        write_rows(text, [*COLUMNS, *(f"f{i}" for i in range(photographs.dimension))], rows())


def _parquet(photographs: "Photographs", files: Sequence[Path]) -> None:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError("'parquet' needs pyarrow: pip install 'embed-images[parquet]'", "format") from error
    dimension = photographs.dimension
    fields = [(name, pa.string()) for name in COLUMNS]
    recipe = {"embed.recipe": json.dumps(photographs.recipe.to_json(), sort_keys=True)}
    schema = pa.schema([*fields, ("features", pa.list_(pa.float32(), dimension))], metadata=recipe)
    with replacing(files[0]) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        for first, block in photographs.blocks():
            records = list(_records(photographs, first, first + len(block)))
            columns: list[Any] = [
                pa.array([_utf8(value) for value in column], pa.string())
                for column in zip(*records, strict=True)
            ]
            values = pa.array(np.ascontiguousarray(block).reshape(-1), pa.float32())
            columns.append(pa.FixedSizeListArray.from_arrays(values, dimension))
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _utf8(value: str | None) -> str | None:
    """Return text that UTF-8 can hold: a byte of a file name that it cannot becomes ``\\xNN``."""
    if value is None:
        return None
    return os.fsencode(value).decode("utf-8", "backslashreplace")


def _hdf5(photographs: "Photographs", files: Sequence[Path]) -> None:
    import h5py

    n, d = len(photographs), photographs.dimension
    # The temporary file is held by a lock of ours.
    with replacing(files[0]) as temporary, h5py.File(temporary, "w", locking=False) as file:
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
            file.attrs[f"recipe_{field}"] = json.dumps(value) if isinstance(value, list) else value


def _fixed_width(column: NDArray[np.object_]) -> NDArray[np.bytes_]:
    encoded: Sequence[bytes] = [os.fsencode(value or "") for value in column]
    return np.array(encoded, f"S{max(map(len, encoded), default=0) or 1}")


def _projector(photographs: "Photographs", files: Sequence[Path]) -> None:
    tensors, metadata, config = files
    tensors.parent.mkdir(exist_ok=True)
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


def _one_line(value: str | None) -> str:
    """Return text without what would end a cell or a row of tab-separated values."""
    return "".join(c if c.isprintable() or "\udc80" <= c <= "\udcff" else " " for c in value or "")


FORMATS: "dict[str, Callable[[Photographs, Sequence[Path]], None]]" = {
    "npy": _npy,
    "csv": _csv,
    "parquet": _parquet,
    "hdf5": _hdf5,
    "projector": _projector,
}
