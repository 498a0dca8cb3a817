"""Where labels and splits come from: the folder of a photograph, a regular expression, or a CSV file.

Labels are not part of the features: any rule may be applied to the same cache, as often as wanted.
"""

import csv
import io
import posixpath
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from embed.errors import InputError, LabelError, UsageError

SPLIT_FOLDERS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}  # name of the first folder, in lower case → the split it stands for
SPLITS = tuple(dict.fromkeys(SPLIT_FOLDERS.values()))

REGEX_SECONDS = 10.0  # a pattern that backtracks without end is stopped after this long
NAMED_AT_MOST = 10  # labels in a message


@dataclass(frozen=True)
class Labels:
    """What a rule makes of a list of paths.

    Attributes:
        labels: object ndarray of shape (n,), the label of each path (str) or None.
        splits: object ndarray of shape (n,), "train", "validation", "test" or None.
        rule: the rule that was applied, as it can be given again.
        unknown: paths that a CSV file labels although no photograph has them.
    """

    labels: np.ndarray
    splits: np.ndarray
    rule: str
    unknown: tuple[str, ...] = ()

    @property
    def classes(self) -> list[str]:
        """The labels that occur, sorted."""
        return sorted({label for label in self.labels if label is not None})

    @property
    def counts(self) -> dict[str, int]:
        """Photographs of each label, in the order of `classes`."""
        counted = Counter(label for label in self.labels if label is not None)
        return {label: counted[label] for label in self.classes}

    @property
    def unlabelled(self) -> np.ndarray:
        """Positions of the paths without a label."""
        return np.flatnonzero([label is None for label in self.labels])


def assign(paths: Sequence[str], rule: str = "folder", root: str | Path | None = None) -> Labels:
    """Give every path its label and its split.

    Args:
        paths: paths of photographs relative to their data folder, with "/" between folders.
        rule: how a path is labelled.

            - ``folder``: the first folder, or the one below it where the first is a split (``train/``, ``val/``,
              ``valid/``, ``validation/``, ``test/``). A photograph in no folder has no label.
            - ``regex:PATTERN``: what the one group of the pattern captures, searched for in the path and, where it is
              not found there, in the path with a "/" before it. Splits are the first folder's, as above.
            - ``csv:FILE``: a table with the columns ``path`` and ``label``, and ``split`` if wanted. Paths are relative
              to the data folder. Without the column ``split``, splits are the first folder's.
        root: the data folder; absolute paths in a CSV file are taken relative to it.

    Raises:
        UsageError: the rule is not one of these, or its pattern cannot be used.
        InputError: the CSV file cannot be read.
        LabelError: the CSV file contradicts itself.
    """
    kind, _, argument = rule.partition(":")
    if rule == "folder":
        labels, splits = _by_folder(paths)
        return Labels(_objects(labels), _objects(splits), rule)
    if kind == "regex" and argument:
        return Labels(
            _objects(_by_regex(paths, argument)), _objects([split_of(path) for path in paths]), rule
        )
    if kind == "csv" and argument:
        return _by_csv(paths, Path(argument), root)
    raise UsageError(f"cannot label by {rule!r}; use folder, regex:PATTERN or csv:FILE")


def groups(paths: Sequence[str], rule: str) -> np.ndarray:
    """Return what keeps photographs together: object ndarray of shape (n,), the pattern's match or None.

    Args:
        paths: as for `assign`.
        rule: ``regex:PATTERN`` with one group.

    Raises:
        UsageError: the rule is not a usable pattern.
    """
    kind, _, pattern = rule.partition(":")
    if kind != "regex" or not pattern:
        raise UsageError(
            f"cannot group by {rule!r}; use 'regex:PATTERN' with one group, as in 'regex:([^/]+)_'"
        )
    return _objects(_by_regex(paths, pattern))


def chosen(
    labels: np.ndarray, splits: np.ndarray, *, label: Sequence[str] | None, split: Sequence[str] | None
) -> np.ndarray:
    """Return which photographs have one of these labels and are in one of these splits, bool ndarray of shape (n,).

    Args:
        labels: of the photographs, as in `Labels`.
        splits: of the photographs.
        label: the labels wanted; None for every photograph, with a label or without.
        split: the splits wanted; None for every photograph, in a split or not.

    Raises:
        UsageError: there is no such split.
        LabelError: no photograph is in one of the splits; none of those that are has one of the labels.
    """
    rows = np.ones(len(labels), bool)
    for one in split or ():
        if one not in SPLITS:
            raise UsageError(f"There is no split {one!r}; use {', '.join(SPLITS)}.")
    place = ""
    if split is not None:
        rows &= _among(splits, split, splits, "No photograph is in the split")
        place = f" in the split {' or '.join(map(repr, split))}"
    if label is not None:
        rows &= _among(labels, label, labels[rows], f"No photograph{place} is labelled")
    return rows


def _among(values: np.ndarray, wanted: Sequence[str], there: np.ndarray, complaint: str) -> np.ndarray:
    """Return where a value is a wanted one; every wanted one has to be there."""
    known = sorted({value for value in there if value is not None})
    for one in wanted:
        if one not in known:
            some = ", ".join(map(repr, known[:NAMED_AT_MOST])) or "none"
            raise LabelError(
                f"{complaint} {one!r}; there are {some}{' ...' if len(known) > NAMED_AT_MOST else ''}."
            )
    return np.array([value in wanted for value in values], bool)


def split_of(path: str) -> str | None:
    """Return the split that the first folder of a path stands for, or None."""
    first, slash, _ = path.partition("/")
    return SPLIT_FOLDERS.get(first.lower()) if slash else None


def _by_folder(paths: Sequence[str]) -> tuple[list[str | None], list[str | None]]:
    # A class may be called "train" (of a railway): the first folder is a split only where class folders lie in
    # such folders.
    divided = any(path.count("/") >= 2 and split_of(path) for path in paths)
    known: dict[str, tuple[str | None, str | None]] = {}  # what a folder stands for
    for path in paths:
        folder = path.rpartition("/")[0]
        if folder not in known:
            split = split_of(path) if divided else None
            below = folder.split("/")[1:] if split else folder.split("/")
            known[folder] = (below[0] or None if below else None), split
    both = [known[path.rpartition("/")[0]] for path in paths]
    return [label for label, _ in both], [split for _, split in both]


def _by_regex(paths: Sequence[str], text: str) -> list[str | None]:
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UsageError(f"the pattern {text!r} is no regular expression: {error}") from error
    if pattern.groups != 1:
        raise UsageError(
            f"the pattern {text!r} has {pattern.groups} groups; put exactly one pair of parentheses around the label"
            " and write (?:...) for any other"
        )
    found: list[str | None] = []
    with _time_limit(text):
        for path in paths:
            match = pattern.search(path) or pattern.search("/" + path)
            found.append(match.group(1) or None if match else None)
    return found


@contextmanager
def _time_limit(pattern: str) -> Iterator[None]:
    """Stop a match that would run for ever. The engine heeds signals, and those reach the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise UsageError(
            f"the pattern {pattern!r} was not done after {REGEX_SECONDS:g} s; it repeats a repetition: make it simpler"
        )

    handler = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, REGEX_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


def _by_csv(paths: Sequence[str], file: Path, root: str | Path | None) -> Labels:
    label_of, given_splits = _read_csv(file, root)
    labels = [label_of.get(path) for path in paths]
    splits = [split_of(path) if given_splits is None else given_splits.get(path) for path in paths]
    unknown = tuple(sorted(label_of.keys() - set(paths)))
    if label_of and len(unknown) == len(label_of):
        raise LabelError(
            f"none of the {len(label_of)} paths in {file} is a photograph of the cache; they are taken relative to the"
            f" data folder: the file says {unknown[0]!r}, the cache {paths[0] if len(paths) else 'nothing'!r}"
        )
    # The file is remembered by its full path, so that the rule still holds in another working folder.
    return Labels(_objects(labels), _objects(splits), f"csv:{file.absolute()}", unknown)


def _read_csv(file: Path, root: str | Path | None) -> tuple[dict[str, str], dict[str, str | None] | None]:
    """Return the label and the split of every path in the file; the splits are None without such a column."""
    try:
        # A byte-order mark is what Excel writes; other bytes of a file name come back as they were.
        with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            text = stream.read()
    except OSError as error:
        raise InputError(f"cannot read the labels in {file}: {error.strerror}") from error
    heading = text.partition("\n")[0].rstrip("\r")
    delimiter = max(",;\t", key=heading.count)
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    columns = {name.strip().lower(): name for name in rows.fieldnames or [] if name}
    missing = [name for name in ("path", "label") if name not in columns]
    if missing:
        raise LabelError(
            f"{file} has no column {' and no column '.join(missing)}; its first line must name the columns path, label"
            f" and, if wanted, split; it is {heading[:80]!r}"
        )
    label_of: dict[str, str] = {}
    split_by_path: dict[str, str | None] = {}
    try:
        for row in rows:
            path = _relative((row[columns["path"]] or "").strip(), root)
            label = (row[columns["label"]] or "").strip()
            if not path or not label:
                continue  # a line without a label leaves its photograph unlabelled
            if label_of.get(path, label) != label:
                raise LabelError(
                    f"{file}, line {rows.line_num}: {path} is labelled {label!r} here and {label_of[path]!r} before"
                )
            label_of[path] = label
            if "split" in columns:
                split_by_path[path] = _split_named((row[columns["split"]] or "").strip(), file, rows.line_num)
    except csv.Error as error:
        raise LabelError(f"{file}, line {rows.line_num}: {error}") from error
    return label_of, split_by_path if "split" in columns else None


def _relative(path: str, root: str | Path | None) -> str:
    if not path:
        return path
    if root is not None and posixpath.isabs(path):
        path = posixpath.relpath(path, posixpath.abspath(str(root)))
    return posixpath.normpath(path)


def _split_named(name: str, file: Path, line: int) -> str | None:
    if not name:
        return None
    try:
        return SPLIT_FOLDERS[name.lower()]
    except KeyError:
        raise LabelError(
            f"{file}, line {line}: the split {name!r} is none of {', '.join(sorted(SPLIT_FOLDERS))}"
        ) from None


def _objects(values: Sequence[str | None]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
