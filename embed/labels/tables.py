"""Labels, splits and whatever else a table says of photographs."""

import functools
import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embed.errors import LabelError
from embed.labels import columns as of_table
from embed.labels import matching, reading
from embed.labels.columns import NO, Columns

Where = Callable[[int], str]  # the file and the line of a row

SEVERAL = ";|"  # between labels in one cell, whatever they are
SEVERAL_KNOWN = ",/+&"  # between labels in one cell where each is a label of other rows


@dataclass(frozen=True)
class Tabled:
    """What a table says of photographs.

    Parameters
    ----------
    labels : list of str or None
        Of each photograph.
    splits : list of str or None, or None
        Of each photograph; None where the table has no splits.
    unknown : tuple of str
        Names in the table that are no photograph.
    columns : dict of str to ndarray of shape (n,)
        By name, what each column says of each photograph, str; None for a photograph that has no row.
    note : str
        How names were matched, and how many.
    """

    labels: list[str | None]
    splits: list[str | None] | None
    unknown: tuple[str, ...]
    columns: dict[str, NDArray[np.object_]] = field(repr=False)
    note: str


def by_table(paths: Sequence[str], file: Path, root: str | Path | None, given: Mapping[str, str]) -> Tabled:
    """Return what a table says of photographs.

    Parameters
    ----------
    paths : sequence of str
        Relative to the data folder, with "/" between folders.
    file : Path
        Comma, semicolon, tab or blanks between cells; or Parquet.
    root : path, optional
        The data folder.
    given : mapping of str to str
        "path", "label" and "split" with the names of their columns; what is missing is found.

    Raises
    ------
    InputError
        The file cannot be read.
    LabelError
        It is no such table, contradicts itself, or is about other photographs.
    UsageError
        It is Parquet, and the library that reads it is not installed.
    """
    try:
        found = file.stat()
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
    except (OSError, ValueError):
        stamp = None  # reading it says why
    return _by_table(tuple(paths), file, None if root is None else str(root), tuple(given.items()), stamp)


@functools.lru_cache(maxsize=1)  # a command asks several times: what is there, and what can be done with it
def _by_table(
    paths: tuple[str, ...], file: Path, root: str | None, given: tuple[tuple[str, str], ...], stamp: object
) -> Tabled:
    table = reading.read(file)
    columns = of_table.of(file, table, dict(given), paths)
    column, found = _matched(columns, paths, root, table.encoding)
    names = columns.values[column]
    shown = f"csv:{file}"

    def where(row: int) -> str:
        return f"{shown}, {table.unit} {columns.lines[row]}"

    if found.several is not None:
        row, first, second = found.several
        raise LabelError(
            f"{where(row)}: {names[row]!r} may be {first} or {second} (matched by {found.way}); write more of its path",
            "labels",
        )
    with_name = [row for row, name in enumerate(names) if name]
    if not with_name:
        raise LabelError(f"{shown}: no row has anything in the column {column!r}", "labels")
    if not found.count:
        raise LabelError(
            f"{shown}: none of its {len(with_name)} paths is a photograph of the cache, in whatever spelling: the file says"
            f" {names[with_name[0]]!r} (column {column!r}, {table.unit} {columns.lines[with_name[0]]}), the cache"
            f" {paths[0] if paths else 'nothing'!r}; the first line of the file is {table.heading!r}",
            "labels",
        )
    labels = _labels(columns, where)
    row_of = _rows(columns, found.positions, labels, names, where, len(paths))
    splits: list[str | None] | None = None
    if columns.split is not None:
        of_row = _splits(columns, found.positions, where)
        splits = [None if row is None else of_row[row] for row in row_of]
    # Two rows of one name are one photograph that the table speaks of.
    missing = [row for row in with_name if found.positions[row] is None]
    return Tabled(
        labels=[None if row is None else labels[row] for row in row_of],
        splits=splits,
        unknown=tuple(dict.fromkeys(str(names[row]) for row in missing)),
        columns={name: _aligned(cells, row_of) for name, cells in columns.values.items()},
        note=_note(
            file, columns, column, found, with_name, missing, row_of, paths, table.unit, table.encoding
        ),
    )


def _matched(
    columns: Columns, paths: tuple[str, ...], root: str | None, encoding: str | None
) -> tuple[str, matching.Match]:
    """Return the first column that names photographs, and which; the first of all where none does."""
    tried = []
    for column in columns.paths:
        names = columns.values[column]
        rows = [row for row, name in enumerate(names) if name]
        found = matching.match([str(names[row]) for row in rows], paths, root, encoding) if rows else None
        positions: list[int | None] = [None] * len(names)
        for row, position in zip(rows, found.positions if found else (), strict=True):
            positions[row] = position
        several = found.several if found else None
        if several is not None:
            several = rows[several[0]], *several[1:]
        tried.append((column, matching.Match(positions, found.way if found else "", several)))
        if tried[-1][1].count:
            return tried[-1]
    return tried[0]


def _labels(columns: Columns, where: Where) -> list[str | None]:
    """Return the label of each row; None where it has none."""
    if columns.label is None:
        return _of_classes(columns, where)
    cells = columns.values[columns.label]
    known = {*cells}
    labels: list[str | None] = []
    for row, cell in enumerate(cells):
        parts = _parts(cell, known) if cell else []
        if len(parts) > 1:
            raise LabelError(
                f"{where(row)}: {cell!r} in the column {columns.label!r} is several labels"
                f" ({', '.join(map(repr, parts[:3]))}); a photograph has one label: write one in each cell, or name another"
                " column (label=COLUMN)",
                "labels",
            )
        labels.append((parts[0] if parts else cell) or None)
    return labels


def _parts(cell: str, known: set[str]) -> list[str]:
    """Return the labels in a cell where they are several, or one in a list."""
    if cell[0] in "[{" and cell[-1] in "]}":
        try:
            value = list(json.loads(cell))
        except (ValueError, RecursionError):
            value = re.split("[,;]", cell[1:-1])  # as Python and pandas write a list
            if len(value) == 1 and value[0].strip()[:1] not in ("'", '"'):
                value = [cell]  # a name in brackets
        return [str(one).strip(" '\"") for one in value] or [""]
    for between in SEVERAL:
        parts = [part.strip() for part in cell.split(between)]
        if len(parts) > 1 and all(parts):
            return parts
    for between in SEVERAL_KNOWN:
        parts = [part.strip() for part in cell.split(between)]
        if len(parts) > 1 and all(part in known for part in parts):
            return parts
    return []


def _of_classes(columns: Columns, where: Where) -> list[str | None]:
    """Return the label of each row of a table that has a column of 0 and 1 for each class."""
    labels: list[str | None] = []
    for row, cells in enumerate(zip(*(columns.values[name] for name in columns.classes), strict=True)):
        ones = [name for name, cell in zip(columns.classes, cells, strict=True) if cell not in NO]
        if len(ones) > 1:
            raise LabelError(
                f"{where(row)}: the columns {', '.join(map(repr, ones[:3]))} are all 1; a photograph has one label",
                "labels",
            )
        labels.append(ones[0] if ones else None)
    return labels


def _rows(
    columns: Columns,
    positions: Sequence[int | None],
    labels: Sequence[str | None],
    names: NDArray[np.object_],
    where: Where,
    count: int,
) -> list[int | None]:
    """Return the row of each photograph: the first that has a label, and the first where none has."""
    row_of: list[int | None] = [None] * count
    for row, position in enumerate(positions):
        if position is None:
            continue
        before = row_of[position]
        if before is None or (labels[before] is None and labels[row] is not None):
            row_of[position] = row
        elif labels[row] is not None and labels[row] != labels[before]:
            also = "" if names[row] == names[before] else f" (as {names[before]!r})"
            column = (
                f"the column {columns.label!r}" if columns.label is not None else "the columns of the classes"
            )
            raise LabelError(
                f"{where(row)}: {names[row]!r} is labelled {labels[row]!r} here and {labels[before]!r} in"
                f" {where(before).rpartition(', ')[2]}{also}, by {column}; a photograph has one label",
                "labels",
            )
    return row_of


def _splits(columns: Columns, positions: Sequence[int | None], where: Where) -> list[str | None]:
    """Return the split of each row; rows of one photograph agree."""
    assert columns.split is not None
    splits = [
        of_table.split_named(cell, where(row)) for row, cell in enumerate(columns.values[columns.split])
    ]
    first: dict[int, int] = {}
    for row, position in enumerate(positions):
        if position is not None and splits[first.setdefault(position, row)] != splits[row]:
            raise LabelError(
                f"{where(row)}: its photograph is in the split {splits[row]!r} here and {splits[first[position]]!r} in"
                f" {where(first[position]).rpartition(', ')[2]}, by the column {columns.split!r}",
                "labels",
            )
    return splits


def _aligned(cells: NDArray[np.object_], row_of: Sequence[int | None]) -> NDArray[np.object_]:
    """Return what a column says of each photograph, None where it has no row."""
    found = np.full(len(row_of), None, object)
    for position, row in enumerate(row_of):
        if row is not None:
            found[position] = cells[row]
    return found


def _note(
    file: Path,
    columns: Columns,
    column: str,
    found: matching.Match,
    with_name: Sequence[int],
    missing: Sequence[int],
    row_of: Sequence[int | None],
    paths: Sequence[str],
    unit: str,
    encoding: str | None,
) -> str:
    """Return how names were matched, how many were, and the first that was not."""
    label = (
        f"label from {columns.label!r}"
        if columns.label is not None
        else f"{len(columns.classes)} columns of classes"
    )
    split = f", split from {columns.split!r}" if columns.split is not None else ""
    parts = [
        f"csv:{file}: {len(with_name) - len(missing)} of {len(with_name)} rows are photographs of the cache, matched by"
        f" {found.way} (path from {column!r}, {label}{split})"
    ]
    if encoding in reading.ENCODINGS[1:]:
        parts.append(f"its text is no UTF-8 and was read as {encoding}")
    if columns.split is None and (numbers := of_table.split_column(columns.names)) is not None:
        parts.append(
            f"the column {numbers!r} holds numbers and is taken for no split (--group {shlex.quote(numbers)} keeps what has one"
            " number together)"
        )
    if missing:
        name = columns.values[column][missing[0]]
        parts.append(f"the first that is none is {name!r} in {unit} {columns.lines[missing[0]]}")
    without = [position for position, row in enumerate(row_of) if row is None]
    if without:
        parts.append(
            f"{len(without)} of {len(paths)} photographs have no row, the first is {paths[without[0]]}"
        )
    return "; ".join(parts)
