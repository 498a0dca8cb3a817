"""A table that names photographs, or holds them, with what else it says of each."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from embed.errors import InputError, LabelError, UsageError
from embed.sources.archive import Archive
from embed.sources.blob import LocalFile
from embed.sources.left_out import Filters
from embed.sources.listing import Listing
from embed.sources.pictures_table import PicturesTable, picture_column
from embed.sources.source import Described, Source

PARQUET = ".parquet"


def open_table(file: Path, filters: Filters | None = None) -> Source:
    """Return the photographs that a table holds or, where it holds none, names.

    Raises
    ------
    InputError
        It cannot be read, or is no table.
    UsageError
        It is Parquet, and the library that reads it is not installed.
    """
    if file.name.lower().endswith(PARQUET) and _holds_pictures(file):
        return Archive(LocalFile(file), PicturesTable(), filters)
    return TableOfPaths(file, filters)


def _holds_pictures(file: Path) -> bool:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        return False  # reading it says what is missing
    try:
        return picture_column(parquet.read_schema(file)) is not None
    except (pa.ArrowException, OSError, ValueError):
        return False  # reading it says why


class TableOfPaths(Listing):
    """The photographs that a column of a table names: paths that begin where those of a list do.

    Parameters
    ----------
    file : Path
        Comma, semicolon, tab or blanks between cells; or Parquet.
    filters : Filters, optional

    Raises
    ------
    InputError
        It cannot be read, or no column names photographs.
    """

    def __init__(self, file: Path, filters: Filters | None = None) -> None:
        self._columns = _columns(file)
        self._paths = self._columns.pop(next(iter(self._columns)))
        named = b"\0".join(os.fsencode(path) for path in self._paths if path)
        super().__init__(file, named, zero=True, filters=filters)
        self.again = shlex.quote(os.path.normpath(file.absolute()))

    def __getstate__(self) -> dict[str, object]:
        """Return what another process reads the photographs by, without the table."""
        return {**super().__getstate__(), "_columns": {}, "_paths": []}

    def described(self) -> Iterator[Described]:
        """Yield the other columns of each photograph."""
        for row, path in enumerate(self._paths):
            if path:
                columns = {name: values[row] for name, values in self._columns.items() if values[row]}
                yield self.name_of(path), columns


def _columns(file: Path) -> dict[str, list[str]]:
    """Return the columns of a table by name, the one that names photographs first."""
    from embed.labels import named_columns

    try:
        found = named_columns(file)
    except (InputError, LabelError) as error:
        raise InputError(f"{error.message.rstrip('.')}.") from error
    except UsageError as error:
        raise UsageError(error.message, "data") from error
    return {name: [str(cell) for cell in cells] for name, cells in found.items()}
