"""Labels and splits by a rule that can be written down in one word, and stored with a model."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from embed.errors import LabelError, UsageError
from embed.labels import archives, brought, folders, hand, hints, layout, moments, naming, query, variants
from embed.labels.patterns import by_pattern
from embed.labels.words import TEST

# What rules mean. It is raised when a rule reads a path otherwise than before, and the former meaning stays in reach:
# a model is used with the version that it was fitted with.
#
# 1: the first folder is the label, and train, val, valid, validation and test before it are splits.
# 2: splits by all their names, above the classes or below them; folders that hold one folder are looked through.
# 3: sites, years and the like that hold the classes group the photographs; dates and parts are no classes; splits in other
#    languages.
# 4: parts of splits, "test_seen" beside "train", with the classes in them; splits below "images" in the classes; classes in
#    the only folder beside an unlabelled one; "Photos from 2019" and the folders of a phone are no classes.
RULE_VERSION = 4
VERSIONS = (1, 2, 3, 4)


class Photographed(Protocol):
    """Photographs that can be labelled: a feature set, or part of one."""

    @property
    def paths(self) -> NDArray[np.object_]:
        """Relative to `root`, with "/" between folders."""

    @property
    def sha256(self) -> NDArray[np.uint8]:
        """Of the content of each, shape (n, 32)."""

    @property
    def root(self) -> Path | str:
        """The data folder, or where else the photographs are."""

    @property
    def places(self) -> tuple[str, ...]:
        """The folders and archives in the data folder that were given, or are all that is there."""

    @property
    def labels_file(self) -> Path:
        """Where labels given by hand are kept."""

    @property
    def labels_of_source(self) -> Path | None:
        """The labels that came with the photographs; None where none did."""

    @property
    def exif(self) -> Mapping[str, Sequence[str | None]]:
        """What the photographs say about themselves, a column for each kind of it; nothing where nobody asked for it."""


FOLDERS = "folders"  # as what groups
NO_LABELS = "embed cluster groups photographs without labels, and embed label names the groups"


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
        How the names in a table were matched, and how many; what could have been read otherwise, with what decides it.
    columns : mapping of str to ndarray of shape (n,)
        What each column of a table says, str, and what the photographs say about themselves; None for a photograph that has
        no row, or says nothing.
    asked : ndarray of shape (n,), bool, optional
        Which photographs a condition asks for; the others have no label. None where there is no condition.
    folds : ndarray of shape (n,), optional
        The fold that each lies in, str or None.
    grouping : ndarray of shape (n,), optional
        The site, the year or the like that the folders say of each, str or None.
    lines : tuple of str
        The first lines of the tree of folders as it was understood, for people.
    copies : ndarray of shape (n,), bool, optional
        Which are left out, for they lie in a folder of which all is elsewhere.
    """

    labels: NDArray[np.object_]
    splits: NDArray[np.object_]
    rule: str
    unknown: tuple[str, ...] = ()
    version: int = RULE_VERSION
    notes: tuple[str, ...] = ()
    columns: Mapping[str, NDArray[np.object_]] = field(default_factory=dict, repr=False)
    asked: NDArray[np.bool_] | None = None
    folds: NDArray[np.object_] | None = None
    grouping: NDArray[np.object_] | None = None
    lines: tuple[str, ...] = ()
    copies: NDArray[np.bool_] | None = None

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
    def by_hand(self) -> bool:
        """Whether they were given by hand."""
        return naming.parted(query.parted(self.rule)[1])[1] == hand.RULE

    @property
    def n_folds(self) -> int:
        """How many folds the folders say."""
        return 0 if self.folds is None else len(set(self.folds.tolist()) - {None})

    @property
    def unlabelled(self) -> NDArray[np.intp]:
        """Positions of the paths without a label, but those that are not asked for, or left out as copies."""
        without = np.array([label is None for label in self.labels], bool)
        if self.asked is not None:
            without &= self.asked
        if self.copies is not None:
            without &= ~self.copies
        return np.flatnonzero(without)


def of(photographs: Photographed, rule: str = "folder", version: int = RULE_VERSION) -> Labels:
    """Give every photograph of a feature set its label and its split; see `assign`.

    The rule ``hand`` is about the labels that were given by hand. Where no photograph has a label by its folder, they are
    meant too; the rule of what is returned says so.
    """
    where, conditioned = query.parted(rule)
    prefix, plain = naming.parted(conditioned)

    def assigned(plain: str) -> Labels:
        whole = query.with_where(prefix + plain, where) if isinstance(plain, str) else plain
        return assign(photographs.paths.tolist(), whole, photographs.root, version, contents=photographs)

    if plain == hand.RULE:
        return assigned(f"{hand.RULE}:{photographs.labels_file}")
    if plain == brought.RULE or (plain == "folder" and not prefix):
        with_them = photographs.labels_of_source
        if with_them is not None:
            given = assigned(f"{brought.RULE}:{with_them}")
            if given.classes or plain == brought.RULE:
                return given
        elif plain == brought.RULE:
            raise LabelError(f"the photographs of {photographs.root} came with no labels", "labels")
    found = assigned(plain)
    if rule == "folder" and not found.classes and (file := photographs.labels_file).exists():
        given = assigned(f"{hand.RULE}:{file}")
        return given if given.classes else found
    return found


def assign(
    paths: Sequence[str],
    rule: str = "folder",
    root: str | Path | None = None,
    version: int = RULE_VERSION,
    contents: Photographed | None = None,
) -> Labels:
    """Give every path its label and its split.

    Parameters
    ----------
    paths : sequence of str
        Paths of photographs relative to their data folder, with "/" between folders.
    rule : str
        How a path is labelled.

        - ``folder``: the folder, as a person would read the tree: splits are recognised by their names, above the classes
          or below them, and folders that hold nothing but one folder, or nothing but splits, are looked through. A
          photograph in no folder has no label.
        - ``regex:PATTERN``: what the one group of the pattern captures, searched for in the path and, where it is
          not found there, in the path with a "/" before it. Splits are those of the folders.
        - ``csv:FILE``: a table with the columns ``path`` and ``label``, and ``split`` if wanted, also Parquet;
          ``csv:FILE,path=COLUMN,label=COLUMN,split=COLUMN`` where they have other names. Without a column for splits,
          splits are those of the folders.
        - ``source:FILE``: what the photographs came with, as `embed.labels.brought` keeps it; splits as with a table. `of` knows
          the file.
        - ``hand:FILE``: what was given by hand, as `embed.labels.hand` keeps it. Without a split of its own, a
          photograph is in that of its folder. `of` knows the file.

        Before each of them, ``where:CONDITION;`` asks for some photographs only (`with_where` puts it there), and
        ``splits:train=training,test=testing;`` names the folders that are splits, instead of those recognised, where
        ``splits:none;`` says that there are none (`with_splits`).
    root : path, optional
        The data folder; absolute paths in a table are taken relative to it.
    version : int
        Of the meaning of the rule, as it was stored with what was fitted by it.
    contents : Photographed, optional
        The photographs of the paths: a folder ``sample/`` of which every content is elsewhere is then left out.

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
    if version not in VERSIONS:
        raise LabelError(
            f"the labels are by version {version} of the rule {rule!r}; this embed knows the versions up to"
            f" {RULE_VERSION}: use the one that wrote it, or fit again"
        )
    where, conditioned = query.parted(rule)
    prefix, plain = naming.parted(conditioned)
    kind, _, argument = str(plain).partition(":")
    if version == 1:
        read = _first_version(paths)
    else:
        digests = _Digests(contents) if contents is not None else None
        places = contents.places if contents is not None else ()
        inside = archives.looked_into(paths, places)
        read = layout.read(
            inside, naming.named_splits(prefix), digests, places if inside is paths else (), version
        )
    labels: Sequence[str | None] = [place.label for place in read.places]
    splits: Sequence[str | None] = [place.split for place in read.places]
    copies = np.array([place.copy for place in read.places], bool)
    unknown: tuple[str, ...] = ()
    columns: Mapping[str, NDArray[np.object_]] = {}
    notes = read.notes
    if plain == "folder":
        pass
    elif kind == "regex" and argument:
        labels = by_pattern(paths, argument)
        notes = ()
    elif kind == "csv" and argument:
        from embed.labels import columns as of_table
        from embed.labels.tables import by_table

        file, given = of_table.parse(argument)
        found = by_table(paths, file, root, given)
        labels, unknown, columns, notes = found.labels, found.unknown, found.columns, (found.note,)
        splits = splits if found.splits is None else found.splits
        plain = of_table.rule(file, given)
    elif kind == brought.RULE and argument:
        labels, of_each, columns = brought.by_source(paths, Path(argument))
        splits = splits if of_each is None else of_each
        plain, notes = brought.RULE, ()  # the file lies beside the features
    elif kind == hand.RULE and argument:
        labels, of_each, unknown = hand.by_hand(paths, Path(argument), contents)
        splits = [own or folder for own, folder in zip(of_each, splits, strict=True)]
        plain, notes = hand.RULE, ()  # the file lies beside the features, wherever those are
    else:
        raise UsageError(
            f"{plain!r} is not known; it is folder, hand, source, regex:PATTERN or csv:FILE", "labels"
        )
    if contents is not None and contents.exif:
        columns = {**moments.columns(contents.exif), **columns}
    labels = [None if copy else label for label, copy in zip(labels, copies, strict=True)]
    classes = sorted({label for label in labels if label is not None})
    notes = (*notes, *filter(None, [variants.note(classes)]))
    if plain == "folder" and len(classes) < 2:
        without = [path for path, split in zip(paths, splits, strict=True) if split != TEST]
        notes = (*notes, *filter(None, [hints.of_files(without)]))
    asked = None
    if where is not None:
        known = {"path": _objects(paths), "label": _objects(labels), "split": _objects(splits)}
        asked = query.asked(where, columns, known)
        labels = [label if wanted else None for label, wanted in zip(labels, asked, strict=True)]
        notes = (*notes, f"{where!r} asks for {asked.sum()} of {len(asked)} photographs")
    return Labels(
        _objects(labels),
        _objects(splits),
        query.with_where(prefix + plain, where),
        unknown,
        version,
        notes=notes,
        columns=columns,
        asked=asked,
        folds=_objects([place.fold for place in read.places]),
        grouping=_objects([place.group for place in read.places]),
        lines=read.lines,
        copies=copies,
    )


def _first_version(paths: Sequence[str]) -> layout.Layout:
    labels, splits = folders.by_folder(paths)
    return layout.Layout([layout.Place(*both) for both in zip(labels, splits, strict=True)])


class _Digests(Sequence[bytes]):
    """The sha256 of photographs, read once one is asked for."""

    def __init__(self, photographs: Photographed) -> None:
        self._photographs = photographs

    @cached_property
    def _column(self) -> list[bytes]:
        return [row.tobytes() for row in self._photographs.sha256]

    def __len__(self) -> int:
        return len(self._photographs.paths)

    def __getitem__(self, position):  # type: ignore[no-untyped-def]
        return self._column[position]


def groups(labelled: Labels, paths: Sequence[str], rule: str | None) -> NDArray[np.object_] | None:
    """Return what keeps photographs together.

    Parameters
    ----------
    labelled : Labels
        Of the paths.
    paths : sequence of str
        As for `assign`.
    rule : str, optional
        ``regex:PATTERN`` with one group, a column of the table that labels, ``day`` or ``burst`` by when photographs were
        taken, where that is known, or ``folders`` for those that group the photographs. Without it nothing does.

    Returns
    -------
    ndarray of shape (n,), optional
        What the group captures, or what the column holds, str; None where that is nothing.

    Raises
    ------
    UsageError
        The rule is no usable pattern, no column, and no folders group.
    """
    if rule is None:
        return None
    kind, _, pattern = rule.partition(":")
    if rule == FOLDERS and rule not in labelled.columns:
        if labelled.grouping is None or not any(labelled.grouping):
            raise UsageError(
                "is folders, but no folders group the photographs, as site1/, site2/ with the same classes in each do",
                "group",
            )
        return labelled.grouping
    if rule in labelled.columns:
        return _objects([cell or None for cell in labelled.columns[rule]])
    if kind == "regex" and pattern:
        return _objects(by_pattern(paths, pattern, "group"))
    if rule in (moments.DAY, moments.BURST):
        raise UsageError(
            f"is {rule}, and when the photographs were taken is not known yet: extract them with exif",
            "group",
        )
    columns = ", ".join(map(repr, labelled.columns)) or "none, for the labels are of no table (csv:FILE)"
    raise UsageError(
        f"{rule!r} is not known; it is a column of the table that labels, which are {columns}, regex:PATTERN with one"
        " group, as in 'regex:([^/]+)_', folders, day, burst or similar",
        "group",
    )


def _objects(values: Sequence[Any]) -> NDArray[np.object_]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
