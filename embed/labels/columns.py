"""Which column of a table is what: the path, the label, the split; or a column for each class."""

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embed.errors import LabelError, UsageError
from embed.labels import names as split_names
from embed.labels.matching import PICTURES
from embed.labels.reading import Table, read
from embed.labels.words import SPLITS

if TYPE_CHECKING:
    import pandas as pd

ROLES = ("path", "label", "split")
# What people call the column with the photographs, the likeliest first; letters and digits only. The last ones are so sure
# only that columns of names of pictures, whatever they are called, come before them.
PATHS = tuple(
    [
        "path",
        "filepath",
        "imagepath",
        "imgpath",
        "photopath",
        "relativepath",
        "relpath",
        "filename",
        "file",
        "imagename",
        "imgname",
        "imagefile",
        "imgfile",
        "image",
        "img",
        "photo",
        "photograph",
        "picture",
        "pic",
    ]
)
IDS = ("name", "id", "imageid", "imgid", "fileid", "photoid", "uuid")
# The likeliest first as well; of the others there must be one only.
LABELS = ("label", "labels")
OTHER_LABELS = frozenset(
    [
        "class",
        "classes",
        "classname",
        "classlabel",
        "category",
        "categories",
        "categoryname",
        "categorylabel",
        "target",
        "targets",
        "species",
        "breed",
        "y",
        "choice",
        "tag",
        "tags",
        "labelname",
        "diagnosis",
        "dx",
        "commonname",
        "scientificname",
        "groundtruth",
        # German, French, Spanish, Portuguese and Italian.
        "klasse",
        "kategorie",
        "classe",
        "catégorie",
        "étiquette",
        "clase",
        "categoría",
        "categoria",
        "etiqueta",
        "etichetta",
    ]
)
NO, YES = (
    frozenset(("", "0", "0.0", "-1", "False", "false", "FALSE")),
    frozenset(("1", "1.0", "True", "true", "TRUE")),
)
UNASSIGNED = "unassigned"  # as a split: none
OPTIONS = re.compile(r"[,:;?&]\s*(path|label|split)\s*=")
NAMED_AT_MOST = 12  # columns in a message
LOOKED_AT = 100  # cells, for what a column holds


@dataclass(frozen=True)
class Columns:
    """The columns of a table by what they are.

    Parameters
    ----------
    names : list of str
        Of all columns; "1", "2", ... where the table has none.
    values : dict of str to ndarray of shape (n,)
        The cells of each, str.
    lines : ndarray of shape (n,), int
        Where each row stands in the file.
    paths : list of str
        Columns that may be the path, the likeliest first.
    label : str or None
        None where each class has a column, `classes`.
    split : str or None
    classes : tuple of str
    """

    names: list[str]
    values: dict[str, NDArray[np.object_]]
    lines: NDArray[np.intp]
    paths: list[str]
    label: str | None
    split: str | None
    classes: tuple[str, ...] = ()


def parse(argument: str) -> tuple[Path, dict[str, str]]:
    """Return the file and the columns that ``FILE,path=COLUMN,label=COLUMN,split=COLUMN`` names.

    Raises
    ------
    UsageError
        A column is named twice or left empty.
    """
    pieces = OPTIONS.split(argument)
    file, given = pieces[0], {}
    for role, column in zip(pieces[1::2], pieces[2::2], strict=True):
        if role in given or not column.strip():
            raise UsageError(f"csv:{argument} names no column, or two, for {role}=", "labels")
        given[role] = column.strip()
    if not file:
        raise UsageError("csv: names no file; it is csv:FILE or csv:FILE,path=COLUMN,label=COLUMN", "labels")
    # No shell sees to "~" behind "csv:"; and the rule holds in another working folder, too.
    path = Path(file).expanduser() if file.startswith("~/") else Path(file)
    return path.absolute(), given


def rule(file: Path, given: Mapping[str, str]) -> str:
    """Return a file and columns as a rule."""
    return f"csv:{file}" + "".join(f",{role}={column}" for role, column in given.items())


def of(file: Path, table: Table, given: Mapping[str, str], photographs: Sequence[str]) -> Columns:
    """Return which column is what.

    Parameters
    ----------
    file : Path
        For messages.
    table : Table
    given : mapping of str to str
        "path", "label" and "split" with their columns, as far as the user said.
    photographs : sequence of str
        Their paths: a first line that holds one of them is no heading.

    Raises
    ------
    LabelError
        A column is missing, or cannot be told from others.
    """
    names, rows, headed = _headed(table, given, photographs)
    shown = f"csv:{file}"
    if not len(rows):
        raise LabelError(f"{shown} has a heading and no rows: {table.heading!r}", "labels")
    asked = {role: _find(shown, names, column, table) for role, column in given.items()}
    for name in names:
        if names.count(name) > 1 and (name in asked.values() or _bare(name) in ROLES):
            raise LabelError(
                f"{shown} has two columns {name!r}; its first line is {table.heading!r}", "labels"
            )
    values = {name: rows.iloc[:, names.index(name)].to_numpy(dtype=object) for name in names}
    known = Columns(names, values, rows.index.to_numpy(dtype=np.intp), [], None, None)
    split = asked.get("split") or _split(known, headed, {*asked.values()})
    label = asked.get("label") or _label(shown, known, {asked.get("path"), split}, table)
    path = asked.get("path")
    rest = [name for name in names if name not in (label, split)]
    paths = [path] if path else _paths(rest, values, photographs, headed)
    classes: tuple[str, ...] = ()
    if label is None and paths:
        left = [name for name in rest if name != paths[0]]
        if len(left) == 1:
            label = left[0]
        elif all(_is_flag(values[name]) for name in left):
            classes = tuple(left)
    if not paths or (label is None and not classes):
        missing = "path" if not paths else "label"
        raise LabelError(
            f"{shown} has no column {missing}; its columns are {_listed(names)}: say which with"
            f" {shown},path=COLUMN,label=COLUMN; its first line is {table.heading!r}",
            "labels",
        )
    return Columns(names, values, known.lines, paths, label, split, classes)


def named_columns(file: Path) -> dict[str, NDArray[np.object_]]:
    """Return the columns of a table by name, str, the one that names photographs first.

    Raises
    ------
    InputError
        It cannot be read.
    LabelError
        It is no table, or no column names photographs.
    UsageError
        It is Parquet, and the library that reads it is not installed.
    """
    table = read(file)
    names, rows, headed = _headed(table, {}, ())
    values = {name: rows.iloc[:, names.index(name)].to_numpy(dtype=object) for name in names}
    paths = _paths(names, values, (), headed)
    if not paths or not len(rows):
        raise LabelError(f"{file} names no photographs; its first line is {table.heading!r}")
    return {paths[0]: values.pop(paths[0]), **values}


def _headed(
    table: Table, given: Mapping[str, str], photographs: Sequence[str]
) -> "tuple[list[str], pd.DataFrame, bool]":
    """Return the names of the columns, the rows below them, and whether the table says these names."""
    first = [str(cell) for cell in table.cells.iloc[0]]
    headed = table.named or _is_heading(first, given, photographs)
    names = [name.lstrip("\ufeff") for name in first] if headed else [str(i + 1) for i in range(len(first))]
    rows = table.cells.iloc[1:] if headed else table.cells
    # A last column without a name or a cell is a delimiter at the end of lines; the first may be a numbering of rows.
    for i in reversed(range(len(names))):
        if not names[i] and len(names) > 1 and (i == 0 or (rows.iloc[:, i] == "").all()):
            rows = rows.drop(columns=rows.columns[i])
            del names[i]
    return names, rows, headed


def path_column(names: Sequence[str]) -> str | None:
    """Return the column that has the name of one of paths, the likeliest; None where none has."""
    known = {_bare(name): name for name in reversed(names)}
    return next((known[name] for name in (*PATHS, *IDS) if name in known), None)


def split_named(name: str, where: str) -> str | None:
    """Return the split that a word in a table stands for. Raises LabelError where it is none."""
    if not name or name.lower() == UNASSIGNED:
        return None
    split = split_names.split_named(name, part=True)
    if split is None:
        raise LabelError(
            f"{where}: the split {name!r} is none of {', '.join(SPLITS)}, by whatever name",
            "labels",
        )
    return split


def _is_heading(first: Sequence[str], given: Mapping[str, str], photographs: Sequence[str]) -> bool:
    """Return whether a first line is the names of the columns."""
    bare = {_bare(cell) for cell in first}
    if bare & {*PATHS, *IDS, *LABELS, *OTHER_LABELS, "split"} or bare & {
        _bare(column) for column in given.values()
    }:
        return True
    if any(posixpath.splitext(cell.partition("?")[0])[1].lower() in PICTURES for cell in first):
        return False
    stems = {posixpath.splitext(posixpath.basename(path))[0].casefold() for path in photographs}
    return not any(posixpath.basename(cell).casefold() in stems for cell in first)


def label_column(names: Sequence[str]) -> str | None:
    """Return the column that has the name of one of labels, the likeliest; None where none has."""
    known = {_bare(name): name for name in reversed(names)}
    return next((known[name] for name in (*LABELS, *sorted(OTHER_LABELS)) if name in known), None)


def split_column(names: Sequence[str]) -> str | None:
    """Return the column that is called split, or None."""
    return next((name for name in names if _bare(name) == "split"), None)


def are_numbers(cells: Iterable[str | None]) -> bool:
    """Return whether a column that is called split holds numbers, as of folds, and so no splits."""
    words = {*cells} - {"", None}
    return bool(words) and all(re.fullmatch(r"-?[0-9]+(?:\.0)?", str(word)) for word in words)


def _bare(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _find(shown: str, names: Sequence[str], column: str, table: Table) -> str:
    """Return the name of a column as it is in the table."""
    if column in names:
        return column
    alike = [name for name in names if name.casefold() == column.casefold()]
    if len(alike) == 1:
        return alike[0]
    if column in table.lists:
        raise LabelError(
            f"{shown}: the column {column!r} has several values in each cell; a photograph has one label",
            "labels",
        )
    raise LabelError(f"{shown} has no column {column!r}; its columns are {_listed(names)}", "labels")


def _split(columns: Columns, headed: bool, taken: set[str]) -> str | None:
    """Return the column of splits: by its name, or where there are none, the one that holds nothing else."""
    for name in columns.names:
        if name in taken:
            continue
        if headed and _bare(name) == "split":
            return None if are_numbers(columns.values[name]) else name
        words = {str(value).lower() for value in columns.values[name]} - {""}
        if (
            not headed
            and words
            and all(word == UNASSIGNED or split_names.split_named(word) for word in words)
        ):
            return name
    return None


def _label(shown: str, columns: Columns, taken: set[str | None], table: Table) -> str | None:
    names = [name for name in columns.names if name not in taken]
    for wanted in LABELS:
        found = [name for name in names if _bare(name) == wanted]
        if len(found) > 1:
            raise _doubtful(shown, found)
        if found:
            return found[0]
    several = next((name for name in table.lists if _bare(name) in {*LABELS, *OTHER_LABELS}), None)
    if several is not None:
        raise LabelError(
            f"{shown}: the column {several!r} has several values in each cell; a photograph has one label",
            "labels",
        )
    others = [name for name in names if _bare(name) in OTHER_LABELS]
    if len(others) > 1:
        raise _doubtful(shown, others)
    return others[0] if others else None


def _doubtful(shown: str, names: Sequence[str]) -> LabelError:
    return LabelError(
        f"{shown} has several columns that may be the label, {_listed(names)}: say which with {shown},label=COLUMN",
        "labels",
    )


def _paths(
    names: Sequence[str], values: Mapping[str, NDArray[np.object_]], photographs: Sequence[str], headed: bool
) -> list[str]:
    """Return the columns that may be the path, the likeliest first."""
    if not headed:
        return sorted(names, key=lambda name: not any(map(_is_picture, values[name][:LOOKED_AT])))[:1]
    known = {_bare(name): name for name in reversed(names)}
    found = [known[name] for name in PATHS if name in known]
    found += [name for name in names if _are_pictures(values[name][:LOOKED_AT])]
    found += [known[name] for name in IDS if name in known]
    found += [name for name in names if re.search("ur[il]", _bare(name))]
    return list(dict.fromkeys(found)) or list(names[:2] if len(names) == 2 else names[:1])


def _are_pictures(cells: NDArray[np.object_]) -> bool:
    """Return whether most of some cells that hold anything have the name of a picture."""
    return 2 * sum(map(_is_picture, cells)) > sum(map(bool, cells))


def _is_picture(cell: str) -> bool:
    return posixpath.splitext(cell.partition("?")[0])[1].lower() in PICTURES


def _is_flag(cells: NDArray[np.object_]) -> bool:
    return {*cells} <= NO | YES and bool({*cells} - {""})


def _listed(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > NAMED_AT_MOST else ""
    return ", ".join(repr(name) for name in names[:NAMED_AT_MOST]) + more
