"""Labels and splits by a rule that can be written down in one word, and stored with a model."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.errors import LabelError, UsageError
from embed.labels import query
from embed.labels.folders import by_folder, split_of
from embed.labels.patterns import by_pattern

# What rules mean. It is raised when a rule reads a path otherwise than before, and the former meaning stays in reach:
# a model is used with the version that it was fitted with.
RULE_VERSION = 1


@dataclass(frozen=True)
class Labels:
    """What a rule makes of a list of paths.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        The label of each path, str or None.
    splits : ndarray of shape (n,)
        "train", "validation", "test" or None.
    rule : str
        The rule that was applied, as it can be given again from any folder.
    unknown : tuple of str
        Names in a table that are no photograph.
    version : int
        Of the meaning of the rule; stored beside it.
    notes : tuple of str
        How the names in a table were matched, and how many.
    columns : mapping of str to ndarray of shape (n,)
        What each column of a table says, str; None for a photograph that has no row.
    asked : ndarray of shape (n,), bool, optional
        Which photographs a condition asks for; the others have no label. None where there is no condition.
    """

    labels: NDArray[np.object_]
    splits: NDArray[np.object_]
    rule: str
    unknown: tuple[str, ...] = ()
    version: int = RULE_VERSION
    notes: tuple[str, ...] = ()
    columns: Mapping[str, NDArray[np.object_]] = field(default_factory=dict, repr=False)
    asked: NDArray[np.bool_] | None = None

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
    def unlabelled(self) -> NDArray[np.intp]:
        """Positions of the paths without a label, but those that are not asked for."""
        without = np.array([label is None for label in self.labels], bool)
        return np.flatnonzero(without if self.asked is None else without & self.asked)


def assign(
    paths: Sequence[str],
    rule: str = "folder",
    root: str | Path | None = None,
    version: int = RULE_VERSION,
) -> Labels:
    """Give every path its label and its split.

    Parameters
    ----------
    paths : sequence of str
        Paths of photographs relative to their data folder, with "/" between folders.
    rule : str
        How a path is labelled.

        - ``folder``: the first folder, or the one below it where the first is a split (``train/``, ``val/``,
          ``valid/``, ``validation/``, ``test/``). A photograph in no folder has no label.
        - ``regex:PATTERN``: what the one group of the pattern captures, searched for in the path and, where it is
          not found there, in the path with a "/" before it. Splits are the first folder's, as above.
        - ``csv:FILE``: a table with the columns ``path`` and ``label``, and ``split`` if wanted, also Parquet;
          ``csv:FILE,path=COLUMN,label=COLUMN,split=COLUMN`` where they have other names. Without a column for splits,
          splits are the first folder's.

        Before each of them, ``where:CONDITION;`` asks for some photographs only. `with_where` puts it there.
    root : path, optional
        The data folder; absolute paths in a table are taken relative to it.
    version : int
        Of the meaning of the rule, as it was stored with what was fitted by it.

    Returns
    -------
    Labels

    Raises
    ------
    UsageError
        The rule is not one of these, or its pattern cannot be used.
    InputError
        The table cannot be read.
    LabelError
        The table contradicts itself; the rule is of a version that is not known.
    UsageError
        No photograph is as the condition says.
    """
    if version != RULE_VERSION:
        raise LabelError(
            f"the labels are by version {version} of the rule {rule!r}; this embed knows version {RULE_VERSION}: use the"
            " one that wrote it, or fit again"
        )
    where, rule = query.parted(rule)
    kind, _, argument = str(rule).partition(":")
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    columns: Mapping[str, NDArray[np.object_]] = {}
    if rule == "folder":
        labels, splits = by_folder(paths)
    elif kind == "regex" and argument:
        labels, splits = by_pattern(paths, argument), [split_of(path) for path in paths]
    elif kind == "csv" and argument:
        from embed.labels import columns as of_table
        from embed.labels.tables import by_table

        file, given = of_table.parse(argument)
        found = by_table(paths, file, root, given)
        labels, unknown, columns, notes = found.labels, found.unknown, found.columns, (found.note,)
        splits = found.splits if found.splits is not None else [split_of(path) for path in paths]
        rule = of_table.rule(file, given)
    else:
        raise UsageError(f"{rule!r} is not known; it is folder, regex:PATTERN or csv:FILE", "labels")
    asked = None
    if where is not None:
        known = {"path": _objects(paths), "label": _objects(labels), "split": _objects(splits)}
        asked = query.asked(where, columns, known)
        labels = [label if wanted else None for label, wanted in zip(labels, asked, strict=True)]
        notes = (*notes, f"{where!r} asks for {asked.sum()} of {len(asked)} photographs")
    return Labels(
        _objects(labels),
        _objects(splits),
        query.with_where(rule, where),
        unknown,
        version,
        notes=notes,
        columns=columns,
        asked=asked,
    )


def groups(labelled: Labels, paths: Sequence[str], rule: str | None) -> NDArray[np.object_] | None:
    """Return what keeps photographs together.

    Parameters
    ----------
    labelled : Labels
        Of the paths.
    paths : sequence of str
        As for `assign`.
    rule : str, optional
        ``regex:PATTERN`` with one group, or a column of the table that labels. Without it nothing does.

    Returns
    -------
    ndarray of shape (n,), optional
        What the group captures, or what the column holds, str; None where that is nothing.

    Raises
    ------
    UsageError
        The rule is no usable pattern, and no column.
    """
    if rule is None:
        return None
    kind, _, pattern = rule.partition(":")
    if rule in labelled.columns:
        return _objects([cell or None for cell in labelled.columns[rule]])
    if kind == "regex" and pattern:
        return _objects(by_pattern(paths, pattern, "group"))
    columns = ", ".join(map(repr, labelled.columns)) or "none, for the labels are of no table (csv:FILE)"
    raise UsageError(
        f"{rule!r} is not known; it is a column of the table that labels, which are {columns}, or regex:PATTERN with one"
        " group, as in 'regex:([^/]+)_'",
        "group",
    )


def _objects(values: Sequence[Any]) -> NDArray[np.object_]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
