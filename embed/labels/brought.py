"""Labels that came with the photographs: beside them in an archive, or in the table that names or holds them.

An extraction writes what its source says into a table in the folder of the feature set, ``path``, the column of the labels and
then the others; the rule ``source`` is about that. Text in it is escaped as in every table of the cache.
"""

import csv
import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed import files
from embed.errors import CacheError, LabelError
from embed.labels.columns import are_numbers, label_column, split_column, split_named

RULE = "source"
NAME = "labels-of-source.csv"
PATH, TEXT = "path", "text"
MOST_BYTES = 4 << 30
MOST_TEXTS = 1000  # different ones that may be labels: more are captions
SHARED_BY = 2  # photographs that have one text, on average and at least, where it is a label
ROWS = 10_000  # written at once

Described = Iterable[tuple[str, Mapping[str, str]]]


def write(folder: Path, describe: Callable[[], Described]) -> None:
    """Put the table in place, or take it away where the source says no label of any photograph.

    Parameters
    ----------
    folder : Path
        Of the feature set.
    describe : callable
        Gives the name of each photograph and what is said of it, column and value; called twice.

    Raises
    ------
    CacheWriteError
        The disk refused; the former table is still there.
    """
    columns: dict[str, None] = {}
    texts: set[str] = set()
    count = 0
    for _, said in describe():
        columns |= dict.fromkeys(said)
        count += 1
        if len(texts) <= MOST_TEXTS and TEXT in said:
            texts.add(said[TEXT])
    columns.pop(PATH, None)
    label = label_column([*columns])
    if label is None and texts and len(texts) <= min(MOST_TEXTS, count // SHARED_BY):
        label = TEXT
    if label is None:
        if (folder / NAME).exists():
            files.remove(folder, [NAME])
        return
    names = [label, *(name for name in columns if name != label)]
    with files.Draft(folder) as draft:
        for text in _written(names, describe()):
            draft.write(text.encode())
        draft.replace(NAME)


def _written(names: Sequence[str], described: Described) -> Iterator[str]:
    rows = ([name, *(said.get(column) for column in names)] for name, said in described)
    heading: list[str] = [PATH, *names]
    while block := list(itertools.islice(rows, ROWS)) or heading:
        stream = io.StringIO()
        if heading:
            files.write_rows(stream, heading, block if block is not heading else [])
        else:
            csv.writer(stream, lineterminator="\n").writerows(
                [files.escape(cell) if cell else cell for cell in row] for row in block
            )
        heading = []
        yield stream.getvalue()


def by_source(
    paths: Sequence[str], file: Path
) -> tuple[list[str | None], list[str | None] | None, dict[str, NDArray[np.object_]]]:
    """Return the label of each path, its split where the table says one, and what each column says of it.

    Raises
    ------
    LabelError
        The table is not ours, or a split of it is none.
    """
    names, row_of = _read(file)
    rows: list[Any] = [row_of.get(path) for path in paths]
    columns = {}
    for place, name in enumerate(names, 1):
        column = np.empty(len(paths), object)
        column[:] = [None if row is None else row[place] for row in rows]
        columns[name] = column
    labels = [cell or None for cell in columns[names[0]]]
    splits = None
    if (split := split_column(names[1:])) is not None and not are_numbers(columns[split]):
        splits = [split_named(cell or "", f"{file}") for cell in columns[split]]
    return labels, splits, columns


def _read(file: Path) -> tuple[list[str], dict[str, list[str]]]:
    """Return the names of the columns after the path, and the row of each path."""
    try:
        stream = io.StringIO(files.read_bytes(file, MOST_BYTES).decode())
        rows = csv.reader(stream, strict=True)
        names = [files.unescape(cell) for cell in next(rows)]
        found = {}
        for row in rows:
            cells = [files.unescape(cell) if "\\" in cell else cell for cell in row]
            if len(cells) != len(names):
                raise ValueError(f"line {rows.line_num} has {len(cells)} cells instead of {len(names)}")
            found[cells[0]] = cells
        if names[:1] != [PATH] or len(names) < 2 or len(set(names)) < len(names):
            raise ValueError(f"the first line is {names!r:.60}")
    except (CacheError, OSError, StopIteration, csv.Error, ValueError) as error:
        raise LabelError(f"{file} is damaged: {error}; run embed extract, which writes it anew") from error
    return names[1:], found
