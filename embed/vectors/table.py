"""Vectors out of a table, Parquet or CSV: a column that holds them, or a column for each of their numbers."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed import labels, sources
from embed.errors import InputError, UsageError
from embed.vectors.matrix import Blocks, Matrix, check, line, stored

BLOCK_ROWS = 1024
NAMED_AT_MOST = 12  # columns in a message
_NUMBERED = re.compile(r"(.*?)(\d+)")
_BETWEEN = re.compile(r"[\s,;]+")


def of_parquet(file: Path, path_column: str | None, vector_column: str | None) -> Matrix:
    """Return the vectors in a Parquet file.

    Raises
    ------
    InputError
        It cannot be read, or holds none.
    UsageError
        A column is needed, or there is none of that name; the library that reads it is not installed.
    """
    names, schema = _parquet_names(file, path_column)
    vectors = [field.name for field in schema if _holds_vectors(field.type)]
    numbers = [field.name for field in schema if _is_number(field.type)]
    columns = _columns(str(file), vector_column, vectors, numbers)
    return _matrix(str(file), partial(_parquet_blocks, file, columns, columns[0] in vectors), columns, names)


def paths(file: Path, path_column: str | None) -> list[str]:
    """Return the column of a table that names photographs.

    Raises
    ------
    InputError
        It cannot be read.
    UsageError
        No column does by its name, or there is none of that name; the library that reads it is not installed.
    """
    if file.suffix.lower() == ".parquet":
        return _parquet_names(file, path_column)[0]
    head = next(iter(_chunks(file, None)), None)
    columns = [] if head is None else list(head.columns)
    if len(columns) == 1 and path_column is None and labels.path_column(columns) is None:
        return sources.read_entries(sources.read_list(file))  # a plain list
    path = _path_column(str(file), path_column, columns)
    return [name for chunk in _chunks(file, [path]) for name in chunk[path]]


def _parquet_names(file: Path, path_column: str | None) -> tuple[list[str], Any]:
    """Return the names of photographs in a Parquet file, and its schema."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError(
            f"{str(file)!r} is Parquet, which needs pyarrow: pip install 'embed-images[parquet]'", "vectors"
        ) from error
    try:
        with parquet.ParquetFile(file) as table:
            path = _path_column(str(file), path_column, table.schema_arrow.names)
            texts = table.read(columns=[path], use_threads=False).column(0).to_pylist()
            names = [os.fsdecode(text) if isinstance(text, bytes) else str(text or "") for text in texts]
            return names, table.schema_arrow
    except (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError) as error:
        raise InputError(f"{file} cannot be read as Parquet: {line(error)}") from error


def _holds_vectors(kind: Any) -> bool:
    from pyarrow import types

    listed = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return listed and _is_number(kind.value_type)


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_floating(kind) or types.is_integer(kind))


def _parquet_blocks(file: Path, columns: Sequence[str], whole: bool) -> Iterator[NDArray[Any]]:
    import pyarrow as pa
    from pyarrow import parquet

    row = 0
    try:
        with parquet.ParquetFile(file) as table:
            for batch in table.iter_batches(BLOCK_ROWS, columns=list(columns), use_threads=False):
                if not len(batch):
                    continue
                parts = [batch.column(name) for name in columns]
                if any(part.null_count for part in parts):
                    raise ValueError("a cell is empty")
                if whole:
                    yield _stacked(parts[0])
                else:
                    yield np.column_stack([part.to_numpy(zero_copy_only=False) for part in parts])
                row += len(batch)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise InputError(f"{file}, column {columns[0]!r}, behind row {row}: {line(error)}") from error


def _stacked(cells: Any) -> NDArray[Any]:
    """Return the vectors (n, d) of cells that hold one each."""
    from pyarrow import types

    flat = cells.flatten()
    if not types.is_fixed_size_list(cells.type):
        lengths = np.diff(cells.offsets.to_numpy())
        if (lengths != lengths[0]).any():
            raise ValueError(f"its vectors have different lengths, {lengths.min()} to {lengths.max()}")
    if flat.null_count:
        raise ValueError("a vector has a gap")
    return np.asarray(flat.to_numpy(zero_copy_only=False)).reshape(len(cells), -1)


def of_text(file: Path, path_column: str | None, vector_column: str | None) -> Matrix:
    """Return the vectors in a CSV file, or one with tabs.

    Raises
    ------
    InputError
        It cannot be read, or holds none.
    UsageError
        A column is needed, or there is none of that name.
    """
    head = next(iter(_chunks(file, None)), None)
    if head is None or not len(head):
        raise InputError(f"{file} has no rows below the names of its columns")
    first = {name: _numbers(head[name].iloc[0]) for name in head}
    vectors = [name for name, numbers in first.items() if len(numbers) > 1]
    single = [name for name, numbers in first.items() if len(numbers) == 1]
    columns = _columns(str(file), vector_column, vectors, single)
    path = _path_column(str(file), path_column, list(head.columns))
    names = [name for chunk in _chunks(file, [path]) for name in chunk[path]]
    return _matrix(str(file), partial(_text_blocks, file, columns), columns, names)


def _chunks(file: Path, columns: Sequence[str] | None) -> Iterable[Any]:
    import pandas as pd

    try:
        with pd.read_csv(
            file,
            sep="\t" if file.suffix.lower() == ".tsv" else ",",
            usecols=columns,
            chunksize=BLOCK_ROWS,
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            encoding_errors="surrogateescape",
        ) as reader:
            yield from reader
    except (ValueError, OSError) as error:  # those of pandas' parser are ValueErrors
        raise InputError(f"{file} cannot be read as a table: {line(error)}") from error


def _text_blocks(file: Path, columns: Sequence[str]) -> Iterator[NDArray[Any]]:
    for chunk in _chunks(file, columns):
        rows = chunk[list(columns)].to_numpy(object)
        numbers = [[number for cell in row for number in _numbers(cell)] for row in rows]
        lengths = {len(row) for row in numbers}
        if len(lengths) > 1 or not min(lengths):
            raise InputError(
                f"{file}, column {columns[0]!r}, rows {chunk.index[0] + 1} to {chunk.index[-1] + 1}: not every cell holds a"
                f" vector of one length (there are {min(lengths)} to {max(lengths)} numbers)"
            )
        yield np.array(numbers, np.float64)


def _numbers(cell: object) -> list[float]:
    """Return the numbers in a cell, in brackets or not; nothing where it holds anything else."""
    try:
        return [float(number) for number in _BETWEEN.split(str(cell).strip(" \t\r\n[]()"))]
    except ValueError:
        return []


def _matrix(shown: str, blocks: Blocks, columns: Sequence[str], names: Sequence[str]) -> Matrix:
    first = next(blocks(), None)
    if first is None:
        raise InputError(f"{shown} has no rows")
    check(shown, (len(names), first.shape[1]), first.dtype)
    return Matrix(shown, len(names), first.shape[1], stored(first.dtype), blocks, columns[0], names)


def _columns(shown: str, given: str | None, vectors: Sequence[str], numbers: Sequence[str]) -> Sequence[str]:
    """Return the column that holds vectors, or those of their numbers, ``f0``, ``f1``, …, in counting order."""
    if given is not None and given not in vectors:
        known = ", ".join(map(repr, vectors)) or "none"
        raise UsageError(f"{given!r} is no column of vectors; {shown} has {known}", "vector_column")
    if given is not None or len(vectors) == 1:
        return [given or vectors[0]]
    if vectors:
        raise UsageError(
            f"is needed: {shown} has several columns of vectors, {', '.join(map(repr, vectors))}",
            "vector_column",
        )
    series: dict[str, list[tuple[int, str]]] = {}
    for name in numbers:
        if found := _NUMBERED.fullmatch(name):
            series.setdefault(found[1], []).append((int(found[2]), name))
    longest = max(series.values(), key=len, default=[])
    if len(longest) < 2:
        raise InputError(f"{shown} has no column of vectors, and no columns of numbers such as f0, f1, f2")
    return [name for _, name in sorted(longest)]


def _path_column(shown: str, given: str | None, names: Sequence[str]) -> str:
    found = given if given is not None else labels.path_column(names)
    if found is None or found not in names:
        more = ", …" if len(names) > NAMED_AT_MOST else ""
        has = f"{shown} has {', '.join(map(repr, names[:NAMED_AT_MOST]))}{more}"
        what = (
            "is needed, for no column is called path or file" if found is None else f"{found!r} is no column"
        )
        raise UsageError(f"{what}: {has}", "path_column")
    return found
