"""The rule "folder" from version 2 on: splits, folds and classes as a person would read them from a tree of folders.

A folder is looked through where it holds nothing but one folder, or nothing but splits. Splits may lie above the classes or
below them. Sites, years and the like that hold the same folders each group the photographs (version 3). What is no split and
no class has no label. Where names could be read in two ways, a note says which was taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from embed.errors import LabelError
from embed.labels import doubts, groupings, names
from embed.labels.doubts import MOST_NAMED
from embed.labels.groupings import Grouping
from embed.labels.roles import DEEPEST, Roles
from embed.labels.tree import Folder, Place, grow, lines, places
from embed.labels.words import GROUPS, NEWEST, TEST, VALIDATION


@dataclass(frozen=True)
class Layout:
    """What the folders of photographs stand for.

    Parameters
    ----------
    places : list of Place
        Of each photograph.
    notes : tuple of str
        What could have been read otherwise, each with what decides it.
    lines : tuple of str
        The first lines of the tree, for people.
    """

    places: list[Place]
    notes: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


def read(
    paths: Sequence[str],
    splits: Mapping[str, str] | None = None,
    contents: Sequence[bytes] | None = None,
    given: Sequence[str] = (),
    version: int = NEWEST,
) -> Layout:
    """Return what the folders of photographs stand for.

    Parameters
    ----------
    paths : sequence of str
        Relative to the data folder, with "/" between folders.
    splits : mapping of str to str, optional
        Names or paths of folders, each with its split: these are the splits, and no others. By default they are recognised.
    contents : sequence of bytes, optional
        The sha256 of each photograph. Without it no folder is known to be a copy of others.
    given : sequence of str
        Folders that the user named, where there are several: they are classes or splits, or each holds the classes.
    version : int
        Of the rule.

    Raises
    ------
    LabelError
        There is no folder of a name in `splits`.
    """
    folders = [path.rpartition("/")[0] for path in paths]
    root = grow(folders)
    if splits:
        _check_names(root, splits)
    if contents is not None and splits is None:
        _leave_copies_out(root, folders, contents)
    named = [folder for folder in root.below() if folder.path in set(given)]
    reader = _Reader(splits, named, version)
    reader.read(root, Place())
    place_of = places(root)
    found = [place_of[folder] for folder in folders]
    return Layout(_of_folds(found, paths, contents), tuple(reader.all_notes()), tuple(lines(root)))


def _check_names(root: Folder, splits: Mapping[str, str]) -> None:
    known = {one for folder in root.below() if folder.path for one in (folder.name, folder.path)}
    for name in splits:
        if name not in known:
            top = ", ".join(sorted(root.children)[:MOST_NAMED]) or "none"
            raise LabelError(f"no folder is called {name!r}; the first folders are: {top}")


def _leave_copies_out(root: Folder, folders: Sequence[str], contents: Sequence[bytes]) -> None:
    """Mark the folders called sample where every content is elsewhere, too."""
    samples = [folder for folder in root.below() if folder.path and names.is_sample(folder.name)]
    if not samples:
        return
    whole = {folder.path for folder in samples}
    inside = {below.path: folder for folder in samples for below in folder.below()}
    elsewhere = {content for path, content in zip(folders, contents, strict=True) if path not in inside}
    for path, content in zip(folders, contents, strict=True):
        if path in inside and content not in elsewhere:
            whole.discard(inside[path].path)
    for folder in samples:
        if folder.path in whole:
            folder.place = Place(copy=True)


def _of_folds(found: list[Place], paths: Sequence[str], contents: Sequence[bytes] | None) -> list[Place]:
    """Return the places where a fold may have parts to train and to score on: what is scored in a fold belongs to it.

    What trains in a fold is scored in another one, so it is left out as a copy.
    """
    parted = [place for place in found if place.fold is not None and place.split is not None]
    if not parted:
        return found
    splits = {place.split for place in parted}
    scored = TEST if TEST in splits else VALIDATION
    if scored not in splits:
        return found  # folds of the photographs that train
    # Without contents, a photograph is known by its name.
    keys: Sequence[object] = (
        contents
        if contents is not None
        else [(place.label, path.rpartition("/")[2]) for place, path in zip(found, paths, strict=True)]
    )
    in_folds = {
        key
        for key, place in zip(keys, found, strict=True)
        if place.fold is not None and place.split == scored
    }
    whole: list[Place] = []
    for key, place in zip(keys, found, strict=True):
        if place.fold is None or place.split is None:
            whole.append(place)
        elif place.split == scored:
            whole.append(replace(place, split=None))
        else:
            whole.append(Place(copy=True) if key in in_folds else replace(place, split=None, fold=None))
    return whole


class _Reader:
    """Reads a tree from its top, and gives folders their places."""

    def __init__(self, splits: Mapping[str, str] | None, given: list[Folder], version: int) -> None:
        self._roles = Roles(splits, version)
        self._given = given
        self._version = version
        self._groups = version >= GROUPS
        self._grouped: list[Folder] = []
        self._grouped_classes: set[str] = set()
        self._nested = 0  # groups that are being read, one in the other
        self._parts = doubts.Parts()
        self._notes: list[str] = []

    def all_notes(self) -> list[str]:
        """Return what could have been read otherwise."""
        grouped = [doubts.grouped(self._grouped, sorted(self._grouped_classes))] if self._grouped else []
        return [*grouped, *self._parts.sentences(), *self._notes]

    def read(self, folder: Folder, above: Place, known: frozenset[str] = frozenset(), depth: int = 0) -> None:
        """Give places to a folder and to those below it.

        Parameters
        ----------
        folder : Folder
        above : Place
            The split, the fold and the group that it is in.
        known : frozenset of str
            Classes that folders beside it have.
        depth : int
        """
        if folder.place is None and (above != Place() or folder.path):
            folder.place = above
        folder = self._roles.unwrapped(folder, known, above.split)
        kids = self._roles.considered(folder)
        if not kids or depth > DEEPEST:
            return
        for kid in folder.children.values():
            if kid not in kids and kid.place is None:
                kid.place = above
        roles = self._roles.roles(kids)
        if self._roles.are_folds(kids):
            classes = self._roles.classes(kids) | known
            for kid in kids:
                self.read(kid, replace(above, fold=kid.name), classes, depth + 1)
        elif self._roles.is_divided(kids, roles, known):
            self._read_splits(kids, roles, above, known, depth)
        elif self._roles.wraps_splits(kids, known):
            self._read_collections(kids, above, known, depth)
        elif self._given and all(one.children for one in self._given):
            # Each of the folders that were named holds the classes.
            named, self._given = self._given, []
            classes = self._roles.classes(named)
            for one in named:
                self.read(one, replace(above, group=one.name) if self._groups else above, classes, depth + 1)
        elif self._roles.group(kids):
            self._read_groups(kids, above, known, depth)
        elif self._say_nothing(folder, kids, above):
            for kid in kids:
                kid.place = above
            self._notes.append(doubts.say_nothing(kids))
        else:
            self._read_classes(kids, roles, above, known, depth)

    def _read_splits(
        self,
        kids: list[Folder],
        roles: dict[str, names.Parsed],
        above: Place,
        known: frozenset[str],
        depth: int,
    ) -> None:
        divided = [kid for kid in kids if kid.name in roles]
        classes = self._roles.classes(divided) | known
        rests = {roles[kid.name].rest for kid in divided}
        beside = {kid.name for kid in kids} - {kid.name for kid in divided}
        if classes & beside:
            classes |= beside
        doubtful = []
        for kid in kids:
            role = roles.get(kid.name)
            if role is not None:
                split = TEST if above.split == TEST else role.split
                if len(rests) > 1 and not kid.children:
                    kid.place = replace(above, label=role.rest or None, split=split)
                else:
                    self.read(kid, replace(above, split=split), classes, depth + 1)
            elif self._roles.holds_splits(kid, classes):
                self.read(kid, above, classes, depth + 1)
            elif kid.name in classes:
                kid.place = replace(above, label=kid.name)
            else:
                kid.place = above
                if classes.intersection(kid.children) and not names.is_beside(kid.name):
                    doubtful.append(kid)
        if doubtful:
            self._notes.append(doubts.beside_splits(doubtful, kids, roles))

    def _read_collections(self, kids: list[Folder], above: Place, known: frozenset[str], depth: int) -> None:
        """Give places to folders of which most have splits of their own."""
        holders = [kid for kid in kids if self._roles.holds_splits(kid, known)]
        several = self._groups and len(holders) > 1
        classes = known
        if self._groups:
            classes = known.union(*(self._roles.classes([kid]) for kid in holders))
        without = []
        for kid in kids:
            place = replace(above, group=kid.name) if several else above
            if kid in holders:
                self.read(kid, place, known, depth + 1)
            elif self._groups and self._roles.is_split_of(kid, classes):
                inner = self._roles.considered(kid)
                self._read_splits(inner, self._roles.roles(inner), place, classes, depth + 1)
            else:
                kid.place = above
                without += [] if names.is_plain(kid.name) or names.is_unlabelled(kid.name) else [kid]
        if several:
            self._notes.append(doubts.collections(holders, sorted(classes)))
        if self._groups and without:
            self._notes.append(doubts.without_splits(without))

    def _read_groups(self, kids: list[Folder], above: Place, known: frozenset[str], depth: int) -> None:
        classes = self._roles.classes(kids) | known
        if not self._nested:
            self._grouped += kids
            self._grouped_classes |= classes
        self._nested += 1
        for kid in kids:
            group = kid.name if above.group is None else f"{above.group}/{kid.name}"
            self.read(kid, replace(above, group=group), classes, depth + 1)
        self._nested -= 1

    def _say_nothing(self, folder: Folder, kids: list[Folder], above: Place) -> bool:
        """Return whether nothing that is said by the names of folders, and of those in them, is on photographs."""
        outer = [kid.name for kid in kids]
        held = [one.name for kid in kids for one in self._roles.considered(kid)]
        inner = [name for name in held if not names.is_plain(name)]
        return (
            self._groups
            and above.split is None
            and groupings.say_nothing(outer, [folder.name], self._version)
            and (not inner or groupings.say_nothing(inner, outer, self._version))
        )

    def _read_classes(
        self,
        kids: list[Folder],
        roles: dict[str, names.Parsed],
        above: Place,
        known: frozenset[str],
        depth: int,
    ) -> None:
        below = self._roles.splits_below(kids)
        beside = {kid.name for kid in kids}
        others = [
            kid for kid in kids if kid.name not in roles or roles[kid.name].ambiguous or kid.name in known
        ]
        classes: list[Folder] = []
        for kid in kids:
            way = self._roles.way(kid)
            inner = {one.name for one in self._roles.considered(way[-1])}
            if names.is_unlabelled(kid.name):
                kid.place = above
            elif kid not in others and not kid.children and len(others) > 1:
                # Photographs in a folder "test" beside classes: to be tried, and of no class.
                kid.place = replace(above, split=above.split or roles[kid.name].split)
                self._notes.append(doubts.class_or_split(kid, taken=False))
            elif len(inner) > 1 and inner <= beside - {kid.name}:
                self.read(kid, above, frozenset(beside), depth + 1)  # the classes once more
            else:
                kid.place = replace(above, label=kid.name)
                classes.append(kid)
                if kid.name in roles and kid.name not in known:
                    self._notes.append(doubts.class_or_split(kid, taken=True))
                for folder in way:
                    self._place_inner(folder, kid.place, above, below.get(kid.name, {}))
        if not below:
            self._read_parts(classes)

    def _read_parts(self, classes: list[Folder]) -> None:
        """Say what the folders in classes are taken for."""
        held = [(kid, one) for kid in classes for one in self._roles.inner(kid)] if self._groups else []
        inner = [one for _, one in held]
        inside = {one.name for one in inner}
        if len(inside) < 2:
            return
        group = groupings.of(inside) is not Grouping.NO and not groupings.are_letters(inside)
        if group:
            for kid, one in held:
                place = one.place or kid.place or Place()
                one.place = replace(place, group=place.group or one.name)
        self._parts.add(classes, inner, alike=len(classes) > 1 and self._roles.alike(classes), group=group)

    def _place_inner(
        self, folder: Folder, place: Place, above: Place, roles: Mapping[str, names.Parsed | None]
    ) -> None:
        """Give places to what lies in a class, or on the way down in it: splits, folds, and masks, which are of no class."""
        inner = self._roles.considered(folder)
        for one in folder.children.values():
            role = roles.get(one.name)
            if role is not None:
                one.place = replace(place, split=TEST if place.split == TEST else role.split)
            elif one.name in roles:
                one.place = replace(place, fold=one.name)
            elif one not in inner and one.place is None:
                one.place = above
