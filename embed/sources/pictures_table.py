"""Parquet files that hold photographs, a row for each: bytes, or the pairs of bytes and path of Hugging Face's data sets."""

import json
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from embed.errors import ImageError, UsageError
from embed.sources import file
from embed.sources.blob import Blob, State, Window
from embed.sources.member import BrokenError, Member

MOST_ROWS = 20_000_000  # which a file can claim in a few bytes
MOST_GROUP_BYTES = 1 << 30  # of the photographs that are stored, and read, together
ROWS_AT_ONCE = 64
GROUPS_AT_HAND = 2
PICTURES = ("image", "img", "picture", "photo", "photograph", "jpg", "png", "bytes")


class PicturesTable:
    """Parquet with a column of photographs. They are named by their path where each has one of its own, or by their row."""

    pictures_only = True

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: OrderedDict[tuple[str, State, int], Any] = OrderedDict()

    def __reduce__(self) -> tuple[type["PicturesTable"], tuple[()]]:
        """Return one that has nothing at hand, for another process."""
        return PicturesTable, ()

    def members(self, window: Window) -> Iterator[Member]:
        """Yield each row. Raises BrokenError, ImageError."""
        opened = _opened(window)
        column = picture_column(opened.schema_arrow)
        if column is None:
            raise BrokenError("has no column of photographs")
        names = _names(opened, column)
        row = 0
        for batch in _batches(opened, column):
            for picture in batch:
                name = names[row] if names else f"{row:08}"
                if not picture.is_valid:
                    yield Member(name, row, 1, 0, problem="is empty in the table")
                else:
                    size = picture.as_buffer().size
                    yield Member(
                        name, row, 1, size, problem=file.too_large(size) if size > file.MAX_BYTES else ""
                    )
                row += 1

    def contents(self, blob: Blob, state: State, members: Sequence[Member]) -> Iterator[bytes | str]:
        """Yield the bytes of each row. Raises ImageError."""
        opened = None
        for member in members:
            if opened is None:
                try:
                    opened = _opened(Window(blob, state))
                except BrokenError as error:
                    raise ImageError(str(error)) from error
                starts = [
                    0,
                    *accumulate(opened.metadata.row_group(i).num_rows for i in range(opened.num_row_groups)),
                ]
            number = bisect_right(starts, member.start) - 1
            picture = self._group(blob, state, opened, number)[member.start - starts[number]]
            yield picture.as_py() if picture.is_valid else "is empty in the table"

    def peek(self, window: Window, member: Member) -> bytes | str:
        """Return nothing: there are photographs only."""
        return "is a photograph"

    def columns(self, window: Window) -> Mapping[str, Sequence[str]] | None:
        """Return the other columns as text; the names of classes, where the file has them, for their numbers."""
        from embed.labels.reading import texts

        opened = _opened(window)
        column = picture_column(opened.schema_arrow)
        plain = [
            one.name for one in opened.schema_arrow if not _holds_bytes(one.type) and not _is_nested(one.type)
        ]
        classes = _classes(opened.schema_arrow)
        found = {}
        for name, values in zip(plain, _read(opened, plain).columns, strict=True) if plain else ():
            known = classes.get(name)
            cells = list(texts(values))
            found[name] = [known.get(cell, cell) for cell in cells] if known else cells
        return {name: values for name, values in found.items() if name != column}

    def _group(self, blob: Blob, state: State, opened: Any, number: int) -> Any:
        """Return the photographs that are stored together; the last ones stay at hand."""
        import pyarrow as pa

        key = str(blob.address), state, number
        with self._lock:
            if key not in self._groups:
                column = picture_column(opened.schema_arrow)
                _check_group(opened, column, number)
                try:
                    read = opened.read_row_group(number, columns=[_leaf(column)], use_threads=False)
                except (pa.ArrowException, OSError, ValueError) as error:
                    raise ImageError(f"cannot be read as Parquet: {_line(error)}") from error
                self._groups[key] = _inner(read.column(0))
                while len(self._groups) > GROUPS_AT_HAND:
                    self._groups.popitem(last=False)
            self._groups.move_to_end(key)
            return self._groups[key]


def picture_column(schema: Any) -> Any:
    """Return the field of a table that holds photographs, or None: bytes, or pairs with bytes in them."""
    fields = [field for field in schema if _holds_bytes(field.type)]
    named = [field for field in fields if field.name.lower() in PICTURES]
    return next(iter([*named, *fields]), None)


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and _holds_bytes(field.type) for field in kind)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_nested(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_nested(kind))


def _leaf(field: Any) -> str:
    return f"{field.name}.bytes" if _is_nested(field.type) else str(field.name)


def _opened(window: Window) -> Any:
    """Return an open Parquet file. Raises BrokenError, ImageError, UsageError."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError(
            "is Parquet, which needs pyarrow: pip install 'embed-images[parquet]'", "data"
        ) from error
    window.seek(0)
    try:
        opened = parquet.ParquetFile(window, pre_buffer=False)
    except (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError) as error:
        raise BrokenError(f"cannot be read as Parquet: {_line(error)}") from error
    if opened.metadata.num_rows > MOST_ROWS:
        raise BrokenError(f"has more than {MOST_ROWS:,} rows")
    return opened


def _check_group(opened: Any, column: Any, number: int) -> None:
    group = opened.metadata.row_group(number)
    size = sum(
        group.column(i).total_uncompressed_size
        for i in range(group.num_columns)
        if group.column(i).path_in_schema == _leaf(column)
    )
    if size > MOST_GROUP_BYTES:
        raise ImageError(f"lies with {size:,} bytes of others, more than the limit of {MOST_GROUP_BYTES:,}")


def _batches(opened: Any, column: Any) -> Iterator[Any]:
    """Yield the photographs, some rows at a time."""
    import pyarrow as pa

    for number in range(opened.num_row_groups):
        try:
            _check_group(opened, column, number)
            batches = opened.iter_batches(
                ROWS_AT_ONCE, row_groups=[number], columns=[_leaf(column)], use_threads=False
            )
            for batch in batches:
                yield _inner(batch.column(0))
        except ImageError as error:
            raise BrokenError(str(error)) from error
        except (pa.ArrowException, OSError, ValueError) as error:
            raise BrokenError(f"cannot be read as Parquet: {_line(error)}") from error


def _inner(column: Any) -> Any:
    """Return a column, or the one field that was read of a column of pairs."""
    import pyarrow as pa
    from pyarrow import compute

    return compute.struct_field(column, [0]) if pa.types.is_struct(column.type) else column


def _names(opened: Any, column: Any) -> list[str]:
    """Return the path of each photograph, where each has one of its own; otherwise nothing."""
    from embed.labels import path_column
    from embed.sources.listed import clean

    schema = opened.schema_arrow
    paths = None
    if _is_nested(column.type):
        paths = f"{column.name}.path" if any(field.name == "path" for field in column.type) else None
    plain = [one.name for one in schema if not _holds_bytes(one.type) and not _is_nested(one.type)]
    for wanted in filter(None, (paths, path_column(plain))):
        values = _read(opened, [wanted]).column(0)
        flat = values.combine_chunks()
        names = [clean(str(one or "")) for one in (_inner(flat).to_pylist())]
        if all(names) and len(set(names)) == len(names):
            return names
    return []


def _read(opened: Any, columns: list[str]) -> Any:
    import pyarrow as pa

    try:
        return opened.read(columns=columns, use_threads=False)
    except (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError) as error:
        raise BrokenError(f"cannot be read as Parquet: {_line(error)}") from error


def _classes(schema: Any) -> dict[str, dict[str, str]]:
    """Return the names of classes by their numbers, for the columns of which Hugging Face's data sets say them."""
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        return {
            str(name): {str(i): str(one) for i, one in enumerate(feature["names"])}
            for name, feature in features.items()
            if isinstance(feature, dict) and isinstance(feature.get("names"), list)
        }
    except (TypeError, KeyError, ValueError, RecursionError, AttributeError):
        return {}


def _line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
