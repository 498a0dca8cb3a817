"""Labels and splits by a rule that can be written down in one word, and stored with a model."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embed.errors import LabelError, UsageError
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
        Paths that a table labels although no photograph has them.
    version : int
        Of the meaning of the rule; stored beside it.
    """

    labels: NDArray[np.object_]
    splits: NDArray[np.object_]
    rule: str
    unknown: tuple[str, ...] = ()
    version: int = RULE_VERSION

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
        """Positions of the paths without a label."""
        return np.flatnonzero([label is None for label in self.labels])


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
        - ``csv:FILE``: a table with the columns ``path`` and ``label``, and ``split`` if wanted. Paths are relative
          to the data folder. Without the column ``split``, splits are the first folder's.
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
    """
    if version != RULE_VERSION:
        raise LabelError(
            f"the labels are by version {version} of the rule {rule!r}; this embed knows version {RULE_VERSION}: use the"
            " one that wrote it, or fit again"
        )
    kind, _, argument = str(rule).partition(":")
    unknown: tuple[str, ...] = ()
    if rule == "folder":
        labels, splits = by_folder(paths)
    elif kind == "regex" and argument:
        labels, splits = by_pattern(paths, argument), [split_of(path) for path in paths]
    elif kind == "csv" and argument:
        from embed.labels.tables import by_table

        file = Path(argument).absolute()  # the rule holds in another working folder, too
        labels, splits, unknown = by_table(paths, file, root)
        rule = f"csv:{file}"
    else:
        raise UsageError(f"{rule!r} is not known; it is folder, regex:PATTERN or csv:FILE", "labels")
    return Labels(_objects(labels), _objects(splits), rule, unknown, version)


def groups(paths: Sequence[str], rule: str) -> NDArray[np.object_]:
    """Return what keeps photographs together.

    Parameters
    ----------
    paths : sequence of str
        As for `assign`.
    rule : str
        ``regex:PATTERN`` with one group.

    Returns
    -------
    ndarray of shape (n,)
        What the group captures, str, or None.

    Raises
    ------
    UsageError
        The rule is no usable pattern.
    """
    kind, _, pattern = rule.partition(":")
    if kind != "regex" or not pattern:
        raise UsageError(
            f"{rule!r} is not known; it is regex:PATTERN with one group, as in 'regex:([^/]+)_'", "group"
        )
    return _objects(by_pattern(paths, pattern, "group"))


def _objects(values: Sequence[str | None]) -> NDArray[np.object_]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
