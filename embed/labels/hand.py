"""Labels that a person gave, in a file beside the features: ``path,label,split,when``, one photograph a line.

`set` is the one way in which this project writes it. Two programs may do so at once: each takes the lock, reads what is
there, and puts the whole file in its place. Text in it is escaped as in every table of the cache.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from embed import files
from embed.errors import LabelError, UsageError
from embed.labels.words import SPLITS

RULE = "hand"
NAME = "labels.csv"
MOST_BYTES = 1 << 30
LONGEST = 200  # characters of a label


class Row(NamedTuple):
    """The label of one photograph."""

    path: str  # relative to the data folder, with "/" between folders
    label: str
    split: str | None
    when: str  # ISO 8601, UTC


def read(file: Path) -> list[Row]:
    """Return what was given, sorted by path; nothing where there is no such file yet.

    Raises
    ------
    CacheError
        The file cannot be read.
    LabelError
        A line of it is not ours.
    """
    try:
        text = files.read_bytes(file, MOST_BYTES).decode("utf-8-sig")
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        raise LabelError(f"{file} is not UTF-8 ({error.reason}): mend it, or move it away") from error
    rows = csv.reader(io.StringIO(text), strict=True)
    found: dict[str, Row] = {}
    try:
        if next(rows, None) != list(Row._fields):
            raise LabelError(
                f"{file}: the first line is not {','.join(Row._fields)}: mend it, or move it away"
            )
        for cells in rows:
            if cells:
                row = _row(cells)
                found[row.path] = row
    except (csv.Error, ValueError) as error:
        raise LabelError(f"{file}, line {rows.line_num}: {error}: mend it, or move it away") from error
    return sorted(found.values())


def set(file: Path, labels: Mapping[str, str | None], split: str | None = None) -> dict[str, str | None]:
    """Give photographs their labels, or take them away; the others keep theirs.

    Parameters
    ----------
    file : Path
    labels : mapping of str to str or None
        Path → label; None takes it away.
    split : {"train", "validation", "test"}, optional
        That the photographs are in from now on; by default each keeps its own.

    Returns
    -------
    dict
        Path → former label or None, of the photographs whose label is another one now: given to `set` again, it undoes
        the change.

    Raises
    ------
    UsageError
        A label is empty, too long or holds control characters; there is no such split.
    CacheError, LabelError
        The file cannot be read or written; it stays as it was.
    """
    if split is not None and split not in SPLITS:
        raise UsageError(f"{split!r} is not known; it is one of {', '.join(SPLITS)}", "split")
    wanted = {path: None if label is None else checked(label) for path, label in labels.items()}
    with files.locked(file):
        rows = {row.path: row for row in read(file)}
        former = {path: rows[path].label if path in rows else None for path in wanted}
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        after = dict(rows)
        for path, label in wanted.items():
            before = after.pop(path, None)
            if label is not None:
                kept = split or (before.split if before else None)
                same = before is not None and (before.label, before.split) == (label, kept)
                after[path] = before if before and same else Row(path, label, kept, now)
        if after == rows:
            return {}
        table = io.StringIO()
        files.write_rows(table, Row._fields, sorted(after.values()))
        files.replace(file.parent, file.name, table.getvalue().encode())
    return {path: label for path, label in former.items() if label != wanted[path]}


def checked(label: str) -> str:
    """Return a label without blanks around it.

    Raises
    ------
    UsageError
        It is empty, too long or holds control characters.
    """
    label = label.strip()
    if not label:
        raise UsageError("is empty; a label has at least one character", "name")
    if len(label) > LONGEST:
        raise UsageError(f"has {len(label)} characters; a label has {LONGEST} at most", "name")
    if not label.isprintable():
        raise UsageError(f"{label!r} holds characters that cannot be seen", "name")
    return label


def by_hand(paths: Sequence[str], file: Path) -> tuple[list[str | None], list[str | None], tuple[str, ...]]:
    """Return the label and the split that each path was given, and the paths in the file that are none of these."""
    rows = {row.path: row for row in read(file)}
    given = [rows.get(path) for path in paths]
    return (
        [row.label if row else None for row in given],
        [row.split if row else None for row in given],
        tuple(sorted(rows.keys() - paths)),
    )


def _row(cells: Sequence[str]) -> Row:
    """Return the row that some cells are. Raises ValueError where they are none."""
    if len(cells) != len(Row._fields):
        raise ValueError(f"{len(cells)} cells instead of {len(Row._fields)}")
    path, label, split, when = (files.unescape(cell) for cell in cells)
    if not path or not label.strip():
        raise ValueError("a path and a label are needed")
    if split and split not in SPLITS:
        raise ValueError(f"the split {split!r} is none of {', '.join(SPLITS)}")
    return Row(path, label.strip(), split or None, when)
