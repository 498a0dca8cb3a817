"""A table of paths, labels and, if wanted, splits."""

import io
import os
import posixpath
import re
import stat
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from embed.errors import InputError, LabelError
from embed.labels.names import SPLITS, split_named

if TYPE_CHECKING:
    import pandas as pd

MOST_BYTES = 1 << 30
DELIMITERS = ",;\t"  # the most frequent one of the first line; the first of these where none is
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
ENCODINGS = (
    "utf-8",
    "cp1252",
    "latin-1",
)  # tried in this order where there is no mark; the last takes any bytes
_PREAMBLE = re.compile(r"(?:[ \t]*\r?\n)*(?:sep=(.)\r?\n)?")  # blank lines, and a line that Excel writes
_LINE_END = re.compile(r"\r\n?|\n")


def by_table(
    paths: Sequence[str], file: Path, root: str | Path | None
) -> tuple[list[str | None], list[str | None] | None, tuple[str, ...]]:
    """Return the label of every path, its split where the table has splits, and the paths of the table that are none of these.

    Parameters
    ----------
    paths : sequence of str
        Relative to the data folder, with "/" between folders.
    file : Path
        Table with the columns path and label, and split if wanted; comma, semicolon or tab between them.
    root : path, optional
        The data folder; absolute paths in the table are taken relative to it.

    Raises
    ------
    InputError
        The file cannot be read.
    LabelError
        The file is no such table, contradicts itself, or is about other photographs.
    """
    table, encoding = read_table(file)
    known = set(paths)
    names = _spelled(table["path"].tolist(), encoding, root, known)
    splits = table["split"].tolist() if "split" in table else None
    label_of: dict[str, str] = {}
    split_by_path: dict[str, str | None] = {}
    for row, (name, label) in enumerate(zip(names, table["label"], strict=True)):
        if not name or not label:
            continue  # a line without a label leaves its photograph unlabelled
        where = f"{file}, line {table.index[row]}"
        if label_of.get(name, label) != label:
            raise LabelError(f"{where}: {name} is labelled {label!r} here and {label_of[name]!r} before")
        label_of[name] = label
        if splits is not None:
            split_by_path[name] = _split(splits[row], where)
    unknown = tuple(sorted(label_of.keys() - known))
    if label_of and len(unknown) == len(label_of):
        raise LabelError(
            f"none of the {len(label_of)} paths in {file} is a photograph of the cache; they are taken relative to the"
            f" data folder: the file says {unknown[0]!r}, the cache {paths[0] if len(paths) else 'nothing'!r}"
        )
    return (
        [label_of.get(path) for path in paths],
        None if splits is None else [split_by_path.get(path) for path in paths],
        unknown,
    )


def read_table(file: Path) -> "tuple[pd.DataFrame, str]":
    """Return a table as text, and its encoding.

    Every cell is a str without blanks around it, as it is in the file: "NA" and "01" stay what they are. Columns are
    named in lower case; the index is the line on which a row starts.

    Raises
    ------
    InputError
        The file cannot be read.
    LabelError
        The file is no table with the columns path and label.
    """
    import pandas as pd

    text, encoding = _read_text(file)
    preamble = _PREAMBLE.match(text)
    assert preamble is not None  # it matches nothing, too
    first_line = 1 + text.count("\n", 0, preamble.end())
    text = text[preamble.end() :]
    heading = _LINE_END.split(text, maxsplit=1)[0]
    delimiter = preamble[1] or max(DELIMITERS, key=heading.count)

    def parse(rows: int | None = None) -> pd.DataFrame:
        # Without a header the first line says how many cells a line has: a longer one is an error with its number.
        return pd.read_csv(
            io.StringIO(text),
            header=None,
            sep=delimiter,
            dtype=str,
            keep_default_na=False,
            na_filter=False,
            skip_blank_lines=False,
            nrows=rows,
        )

    def lines(rows: pd.DataFrame) -> list[int]:
        """Return the line on which each row starts, and that on which the next one would: cells may hold lines."""
        more = (1 + sum(len(_LINE_END.findall(cell)) for cell in row) for row in rows.values.tolist())
        return list(accumulate(more, initial=first_line))

    try:
        rows = parse()
    except pd.errors.EmptyDataError:
        rows = pd.DataFrame([[""]])
    except pd.errors.ParserError as error:
        record, what = _parser_problem(str(error), delimiter)
        line = lines(parse(record))[-1] if record else first_line
        raise LabelError(f"{file}, line {line}: {what}") from error
    names = [name.strip().lower() for name in rows.iloc[0]]
    missing = [name for name in ("path", "label") if name not in names]
    if missing:
        raise LabelError(
            f"{file} has no column {' and no column '.join(missing)}; its first line must name the columns path, label"
            f" and, if wanted, split; it is {heading[:80]!r}"
        )
    table = rows.iloc[1:].set_axis(names, axis=1)
    table.index = pd.Index(lines(rows)[1:-1])
    twice = [name for name in ("path", "label", "split") if names.count(name) > 1]
    if twice:
        raise LabelError(f"{file} has two columns {twice[0]!r}; its first line is {heading[:80]!r}")
    return table.apply(lambda column: column.str.strip()), encoding


def _read_text(file: Path) -> tuple[str, str]:
    """Return the text of a file and its encoding."""
    try:
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe or a device could be read for ever
            raise InputError(f"cannot read the labels in {file}: it is no regular file")
        if found.st_size > MOST_BYTES:
            raise InputError(f"cannot read the labels in {file}: it is larger than {MOST_BYTES >> 30} GB")
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the labels in {file}: {error.strerror}") from error
    marked = [encoding for mark, encoding in BYTE_ORDER_MARKS.items() if data.startswith(mark)]
    for encoding in marked or ENCODINGS:
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError as error:
            problem = f"its first bytes say {encoding}, which it is not ({error.reason})"
    raise LabelError(f"{file} cannot be understood: {problem}")


def _parser_problem(message: str, delimiter: str) -> tuple[int, str]:
    """Return the position of the row that pandas cannot read, and what is wrong with it."""
    opened = re.search(r"EOF inside string starting at row (\d+)", message)
    if opened is not None:
        return int(opened[1]), "a quotation mark is opened here and never closed"
    longer = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", message)
    if longer is not None:
        what = f"{longer[3]} cells where the first line has {longer[1]}; a cell that holds {delimiter!r} needs quotation marks"
        return int(longer[2]) - 1, what
    return 1, f"it cannot be read as a table ({message.strip()})"


def _spelled(names: Sequence[str], encoding: str, root: str | Path | None, known: set[str]) -> list[str]:
    """Return the paths of a table as the cache spells them."""
    spellings = [names]
    if encoding in ENCODINGS[1:]:
        # A file name that is no UTF-8: the table may hold its very bytes.
        spellings.append([os.fsdecode(name.encode(encoding)) for name in names])
    relative = [[_relative(name, root) for name in spelling] for spelling in spellings]
    return max(relative, key=lambda spelling: len(known.intersection(spelling)))


def _relative(path: str, root: str | Path | None) -> str:
    if not path:
        return path
    if root is not None and posixpath.isabs(path):
        path = posixpath.relpath(path, posixpath.abspath(str(root)))
    return posixpath.normpath(path)


def _split(name: str, where: str) -> str | None:
    if not name:
        return None
    split = split_named(name)
    if split is None:
        raise LabelError(f"{where}: the split {name!r} is none of {', '.join(SPLITS)}, by whatever name")
    return split
