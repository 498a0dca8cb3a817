"""Naming photographs that have no labels: whole groups of them, or one by one."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from embed import labels
from embed.arguments import Seed, checked
from embed.cache import FeatureCache
from embed.errors import InputError
from embed.labels import Labels, hand

if TYPE_CHECKING:
    from embed.search import Clusters, Groups, Progress


@dataclass(frozen=True)
class Labelled:
    """What was named.

    Attributes
    ----------
    file : Path
        Where the labels are.
    photographs : int
        How many were asked about.
    former : dict
        Path → former label or None, of those whose label is another one now.
    groups : Groups or None
        That were asked about.
    """

    file: Path
    photographs: int
    former: Mapping[str, str | None] = field(repr=False)
    groups: "Groups | None" = field(default=None, repr=False)


@dataclass(frozen=True)
class Given:
    """The labels that were given by hand.

    Attributes
    ----------
    labels : Labels
        Of all photographs.
    by_default : bool
        Whether they are what a fit uses where it is told nothing else.
    groups : Groups or None
        As they were kept last.
    """

    labels: Labels = field(repr=False)
    by_default: bool
    groups: "Groups | None" = field(default=None, repr=False)

    @property
    def groups_of(self) -> dict[str, list[int]]:
        """Label → numbers of the groups in which a photograph has it."""
        found: dict[str, list[int]] = {name: [] for name in self.labels.classes}
        for number, members in self.groups.rows.items() if self.groups is not None else ():
            for name in {self.labels.labels[row] for row in members} - {None}:
                found[name].append(number)
        return found


def given(features: FeatureCache) -> Given:
    """Return the labels that were given by hand, and the groups that have them.

    Raises
    ------
    CacheError, LabelError
        The file of the labels, or that of the groups, cannot be read.
    """
    from embed import search

    by_default = labels.of(features).by_hand
    return Given(labels.of(features, hand.RULE), by_default, search.read_groups(features))


def undo_label(features: FeatureCache) -> hand.Undone | None:
    """Take the last change of labels back that `label` made, and return what it was; None where there is none.

    A photograph that was given another label since keeps it.

    Raises
    ------
    CacheError, LabelError
        A file cannot be read or written; the labels stay as they were.
    """
    return hand.undo(features.labels_file)


@checked
def group(
    features: FeatureCache,
    groups: int | None = None,
    *,
    random_state: Seed = 0,
    progress: "Progress | None" = None,
) -> "Clusters":
    """Group photographs that have no labels, and keep the groups: `label` takes their numbers.

    Parameters
    ----------
    features : FeatureCache
    groups : int, optional
        How many; by default as many as tell the photographs apart best.
    random_state : int
    progress : callable, optional

    Raises
    ------
    NoFeaturesError
        There is no photograph.
    UsageError
        So many groups cannot be.
    CacheWriteError
        The groups cannot be kept.
    """
    from embed import search

    found = search.clusters(features, groups, seed=random_state, progress=progress or search.silent)
    search.keep_groups(features, found)
    return found


@checked
def label(
    features: FeatureCache,
    targets: Sequence[int | str | os.PathLike[str]],
    name: str | None,
    *,
    split: str | None = None,
) -> Labelled:
    """Give photographs a label by hand, or take it away; `label_each` gives several labels at once.

    A group is named without those of its photographs that were put into a split: they were looked at, one by one.

    Parameters
    ----------
    features : FeatureCache
    targets : sequence of int, str or path
        Numbers of groups, and photographs: their files, or their paths in the data folder.
    name : str or None
        The label; None takes it away.
    split : {"train", "validation", "test"}, optional
        That the photographs are in from now on; by default each keeps its own.

    Returns
    -------
    Labelled

    Raises
    ------
    InputError
        There is no such group or photograph; nothing is named then.
    UsageError
        The label is empty, too long or holds control characters; there is no such split.
    CacheError, LabelError
        The file of the labels cannot be read or written.
    """
    from embed import search

    numbers = [str(target).isdecimal() and features.index_of(str(target)) is None for target in targets]
    groups = search.read_groups(features) if any(numbers) else None
    file = features.labels_file
    given = hand.of_photographs(hand.read(file), features) if groups is not None else []
    paths: dict[str, str | None] = {}
    for target, is_group in zip(targets, numbers, strict=True):
        if is_group:
            rows = search.group_rows(groups, int(str(target)))
            of_group = zip(features.paths[rows], (given[row] for row in rows), strict=True)
            paths |= {path: name for path, row in of_group if row is None or not row.split}
        else:
            paths[path_of(features, str(target) if isinstance(target, int) else target)] = name
    return Labelled(file, len(paths), hand.set(file, paths, split, features), groups)


@checked
def label_each(
    features: FeatureCache,
    names: Mapping[str, str | None],
    *,
    split: str | None = None,
    expected: Mapping[str, str | None] | None = None,
) -> Labelled:
    """Give each photograph a label of its own by hand, or take it away, in one change.

    Parameters
    ----------
    features : FeatureCache
    names : mapping of str to str or None
        Path in the data folder → label; None takes it away.
    split : {"train", "validation", "test"}, optional
        That the photographs are in from now on; by default each keeps its own.
    expected : mapping of str to str or None, optional
        Path → the label that it is believed to have. One that has another by now keeps that, and is not among the former.

    Returns
    -------
    Labelled

    Raises
    ------
    InputError
        There is no such photograph; nothing is named then.
    UsageError
        A label is empty, too long or holds control characters; there is no such split.
    CacheError, LabelError
        The file of the labels cannot be read or written.
    """
    for path in names:
        if features.index_of(path) is None:
            raise InputError(f"{path} is no photograph of {features.name}.")
    file = features.labels_file
    return Labelled(file, len(names), hand.set(file, names, split, features, expected))


def path_of(features: FeatureCache, target: str | os.PathLike[str]) -> str:
    """Return the path of a photograph in its data folder."""
    text = os.fspath(target)
    root = features.root
    if isinstance(root, str):
        candidates = [text, text.removeprefix(f"{root}/")]
    else:
        candidates = [text, os.path.relpath(text, root)]
        candidates.append(os.path.relpath(os.path.realpath(text), os.path.realpath(root)))
    for path in candidates:
        if features.index_of(path) is not None:
            return path
    raise InputError(f"{text} is neither a photograph of {features.name} nor the number of a group.")
