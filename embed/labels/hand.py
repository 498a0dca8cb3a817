"""Labels that a person gave, in a file beside the features: ``path,label,split,when,content``, one photograph a line.

A photograph keeps its label under another name, by its content. `set` is the one way in which this project writes the file,
and `undo` takes the last change back. Two programs may do so at once: each takes the lock, reads what is there, and puts the
whole file in its place. Text in it is escaped as in every table of the cache.
"""

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from embed import files
from embed.errors import CacheDamagedError, LabelError, UsageError
from embed.labels.words import SPLITS

RULE = "hand"
NAME = "labels.csv"
UNDO_NAME = "labels-undo.json"  # beside it: what the last change was
UNDO_VERSION = 1
MOST_BYTES = 1 << 30
LONGEST = 200  # characters of a label


class Row(NamedTuple):
    """The label of one photograph."""

    path: str  # relative to the data folder, with "/" between folders
    label: str
    split: str | None
    when: str  # ISO 8601, UTC
    content: str = ""  # its sha256, hexadecimal; empty where that was not known


FORMER_FIELDS = Row._fields[:-1]  # of a file without contents


class Photographs(Protocol):
    """Photographs that may have been given labels: a feature set."""

    @property
    def paths(self) -> NDArray[np.object_]:
        """Relative to the data folder, with "/" between folders."""

    @property
    def sha256(self) -> NDArray[np.uint8]:
        """Of the content of each, shape (n, 32)."""


class Undone(NamedTuple):
    """What was taken back.

    Attributes
    ----------
    label : str or None
        That had been given; None where labels had been taken away, or several were given.
    photographs : int
        That have again what they had before.
    later : int
        That were left as they are, for they were given another label since.
    """

    label: str | None
    photographs: int
    later: int


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
        heading = next(rows, None)
        if heading not in (list(Row._fields), list(FORMER_FIELDS)):
            raise LabelError(
                f"{file}: the first line is not {','.join(Row._fields)}: mend it, or move it away"
            )
        for cells in rows:
            if cells:
                row = _row(cells, len(heading))
                found[row.path] = row
    except (csv.Error, ValueError) as error:
        raise LabelError(f"{file}, line {rows.line_num}: {error}: mend it, or move it away") from error
    return sorted(found.values())


def set(
    file: Path,
    labels: Mapping[str, str | None],
    split: str | None = None,
    photographs: Photographs | None = None,
    expected: Mapping[str, str | None] | None = None,
) -> dict[str, str | None]:
    """Give photographs their labels, or take them away; the others keep theirs.

    Parameters
    ----------
    file : Path
    labels : mapping of str to str or None
        Path → label; None takes it away.
    split : {"train", "validation", "test"}, optional
        That the photographs are in from now on; by default each keeps its own.
    photographs : Photographs, optional
        All that there are today: their labels then stay with their contents, under whatever name.
    expected : mapping of str to str or None, optional
        Path → the label that its photograph has to have for it to be changed: one that somebody else changed meanwhile stays.

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
        given = read(file)
        rows = {row.path: row for row in given}
        contents = {} if photographs is None else _contents(photographs, wanted.keys() | rows.keys())
        known = dict(rows)
        if photographs is not None:
            found = of_photographs(given, photographs)
            known = {
                path: row
                for path, row in zip(photographs.paths, found, strict=True)
                if row and path in wanted
            }
        former = {path: known[path].label if path in known else None for path in wanted}
        if expected is not None:
            wanted = {path: label for path, label in wanted.items() if former[path] == expected.get(path)}
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        after = dict(rows)
        for path, label in wanted.items():
            before = known.get(path)
            after.pop(path, None)
            if before is not None and contents.get(before.path) != before.content:
                after.pop(before.path, None)  # it has another name now
            if label is not None:
                kept = split or (before.split if before else None)
                content = contents.get(path, "")
                same = before is not None and before[:3] == (path, label, kept)
                stays = same and before is not None and before.content == content
                after[path] = before if stays and before else Row(path, label, kept, now, content)
        if after == rows:
            return {}
        _remember(file, rows, after)
        _write(file, after.values())
    return {path: former[path] for path, label in wanted.items() if label != former[path]}


def undo(file: Path) -> Undone | None:
    """Take the last change of labels back; None where there is none to take back.

    A photograph that was given another label since keeps it.

    Raises
    ------
    CacheError, LabelError
        A file cannot be read or written; the labels stay as they were.
    """
    with files.locked(file):
        try:
            document = files.read_document(file.with_name(UNDO_NAME))
            changes = [(_stored(before), _stored(after)) for before, after in document["rows"]]
        except FileNotFoundError:
            return None
        except (KeyError, TypeError, ValueError) as error:
            raise CacheDamagedError(
                f"{file.with_name(UNDO_NAME)} is damaged: {error}; delete it, and the labels stay as they are"
            ) from error
        rows = {row.path: row for row in read(file)}
        photographs: dict[str, None] = {}  # by content: one that has another name now is in two rows
        later = 0
        for before, after in changes:
            one = before or after
            if one is None:
                continue
            if rows.get(one.path) != after:
                later += 1
                continue
            rows.pop(one.path, None)
            if before is not None:
                rows[before.path] = before
            photographs[one.content or one.path] = None
        _write(file, rows.values())
        files.remove(file.parent, [UNDO_NAME])
    names = {given.label for _, given in changes if given is not None}
    return Undone(names.pop() if len(names) == 1 else None, len(photographs), later)


def _stored(cells: Sequence[Any] | None) -> Row | None:
    return None if cells is None else Row(*cells)


def _remember(file: Path, before: Mapping[str, Row], after: Mapping[str, Row]) -> None:
    """Write down what a change is, for `undo`."""
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    rows: list[list[Any]] = [[before.get(path), after.get(path)] for path in changed]
    files.write_document(file.parent, UNDO_NAME, {"format_version": UNDO_VERSION, "rows": rows})


def _write(file: Path, rows: Iterable[Row]) -> None:
    table = io.StringIO()
    files.write_rows(table, Row._fields, sorted(rows))
    files.replace(file.parent, file.name, table.getvalue().encode())


def _contents(photographs: Photographs, wanted: Collection[str]) -> dict[str, str]:
    """Return the content of each photograph that is wanted, by its path."""
    places = [place for place, path in enumerate(photographs.paths.tolist()) if path in wanted]
    if not places:
        return {}
    digests = photographs.sha256[np.array(places, np.intp)]
    return {path: row.tobytes().hex() for path, row in zip(photographs.paths[places], digests, strict=True)}


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


def of_photographs(rows: Sequence[Row], photographs: Photographs) -> list[Row | None]:
    """Return what each photograph was given: by its path and content, by its content, or by its path.

    The content counts where what was labelled is no more where it was. Where another photograph has taken its name, and it
    has another one now, the path says nothing.
    """
    by_path = {row.path: row for row in rows}
    paths = photographs.paths.tolist()
    if not any(row.content for row in rows):
        return [by_path.get(path) for path in paths]
    contents = [row.tobytes().hex() for row in photographs.sha256]
    here = frozenset(contents)
    at = {path: content for path, content in zip(paths, contents, strict=True) if path in by_path}
    moved: dict[str, list[Row]] = {}
    for row in rows:
        if row.content and at.get(row.path) != row.content:
            moved.setdefault(row.content, []).append(row)
    found: list[Row | None] = []
    for path, content in zip(paths, contents, strict=True):
        given = by_path.get(path)
        if given is None or given.content not in ("", content):
            candidates = moved.get(content, [])
            if len({(one.label, one.split) for one in candidates}) == 1:
                given = candidates[0]
            elif given is not None and given.content in here:
                given = None
        found.append(given)
    return found


def by_hand(
    paths: Sequence[str], file: Path, photographs: Photographs | None = None
) -> tuple[list[str | None], list[str | None], tuple[str, ...]]:
    """Return the label and the split that each path was given, and the paths in the file that are none of these.

    Parameters
    ----------
    paths : sequence of str
    file : Path
    photographs : Photographs, optional
        Those of the paths: they are then known by their contents as well.
    """
    rows = read(file)
    if photographs is not None:
        given = of_photographs(rows, photographs)
    else:
        by_path = {row.path: row for row in rows}
        given = [by_path.get(path) for path in paths]
    used = {row.path for row in given if row is not None}
    return (
        [row.label if row else None for row in given],
        [row.split if row else None for row in given],
        tuple(sorted({row.path for row in rows} - used - {*paths})),
    )


def _row(cells: Sequence[str], fields: int) -> Row:
    """Return the row that some cells are. Raises ValueError where they are none."""
    if len(cells) != fields:
        raise ValueError(f"{len(cells)} cells instead of {fields}")
    path, label, split, when, *content = (files.unescape(cell) for cell in cells)
    if not path or not label.strip():
        raise ValueError("a path and a label are needed")
    if split and split not in SPLITS:
        raise ValueError(f"the split {split!r} is none of {', '.join(SPLITS)}")
    return Row(path, label.strip(), split or None, when, *content)
