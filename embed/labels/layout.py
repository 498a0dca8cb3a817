"""Version 2 of the rule "folder": splits, folds and classes as a person would read them from a tree of folders.

A folder is looked through where it holds nothing but one folder, or nothing but splits. Splits may lie above the classes or
below them. What is no split and no class has no label. Where names could be read in two ways, a note says which was taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embed.errors import LabelError
from embed.labels import names
from embed.labels.names import TEST, TRAIN, VALIDATION
from embed.labels.roles import DEEPEST, Roles
from embed.labels.tree import Folder, Place, grow, lines, places

MOST_NAMED = 5  # folders in a sentence


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
    reader = _Reader(splits, [folder for folder in root.below() if folder.path in set(given)])
    reader.read(root, Place())
    place_of = places(root)
    found = [place_of[folder] for folder in folders]
    return Layout(_of_folds(found, paths, contents), tuple(reader.notes), tuple(lines(root)))


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
            whole.append(Place(place.label, None, place.fold))
        else:
            whole.append(Place(copy=True) if key in in_folds else Place(place.label))
    return whole


class _Reader:
    """Reads a tree from its top, and gives folders their places."""

    def __init__(self, splits: Mapping[str, str] | None, given: list[Folder]) -> None:
        self._roles = Roles(splits)
        self._given = given
        self.notes: list[str] = []

    def read(self, folder: Folder, above: Place, known: frozenset[str] = frozenset(), depth: int = 0) -> None:
        """Give places to a folder and to those below it.

        Parameters
        ----------
        folder : Folder
        above : Place
            The split and the fold that it is in.
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
                kid.place = Place(None, above.split, above.fold)
        roles = self._roles.roles(kids)
        if self._roles.are_folds(kids):
            classes = self._roles.classes(kids) | known
            for kid in kids:
                self.read(kid, Place(None, above.split, kid.name), classes, depth + 1)
        elif self._roles.is_divided(kids, roles, known):
            self._read_splits(kids, roles, above, known, depth)
        elif self._roles.wraps_splits(kids, known):
            for kid in kids:
                if self._roles.holds_splits(kid, known):
                    self.read(kid, above, known, depth + 1)
                else:
                    kid.place = Place(None, above.split, above.fold)
        elif self._given and all(one.children for one in self._given):
            # Each of the folders that were named holds the classes.
            named, self._given = self._given, []
            classes = self._roles.classes(named)
            for one in named:
                self.read(one, above, classes, depth + 1)
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
                    kid.place = Place(role.rest or None, split, above.fold)
                else:
                    self.read(kid, Place(None, split, above.fold), classes, depth + 1)
            elif self._roles.holds_splits(kid, classes):
                self.read(kid, above, classes, depth + 1)
            elif kid.name in classes:
                kid.place = Place(kid.name, above.split, above.fold)
            else:
                kid.place = Place(None, above.split, above.fold)
                if classes.intersection(kid.children) and not names.is_beside(kid.name):
                    doubtful.append(kid)
        if doubtful:
            self.notes.append(
                f"{_listed(doubtful)} {'lies' if len(doubtful) == 1 else 'lie'} beside the splits and"
                f" {'has' if len(doubtful) == 1 else 'have'} their classes, but no name of a split, so"
                f" {'its' if len(doubtful) == 1 else 'their'} photographs have no label; to name the splits:"
                f" {self._example(kids, roles, doubtful[0])}"
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
        alike: list[Folder] = []
        for kid in kids:
            inner = {one.name for one in self._roles.considered(kid)}
            if names.is_unlabelled(kid.name):
                kid.place = Place(None, above.split, above.fold)
            elif kid not in others and not kid.children and len(others) > 1:
                # Photographs in a folder "test" beside classes: to be tried, and of no class.
                kid.place = Place(None, above.split or roles[kid.name].split, above.fold)
                self._note_class_or_split(kid, taken=False)
            elif len(inner) > 1 and inner <= beside - {kid.name}:
                self.read(kid, above, frozenset(beside), depth + 1)  # the classes once more
            else:
                kid.place = Place(kid.name, above.split, above.fold)
                alike.append(kid)
                if kid.name in roles and kid.name not in known:
                    self._note_class_or_split(kid, taken=True)
                for one in kid.children.values():
                    if one.name in below.get(kid.name, {}):
                        self._place_below(one, kid.name, above, below[kid.name][one.name])
                    elif one.name not in inner and one.place is None:
                        one.place = Place(None, above.split, above.fold)
        inner_names = {frozenset(one.name for one in self._roles.considered(kid)) for kid in alike}
        if (
            len(alike) > 1
            and len(inner_names) == 1
            and len(inside := sorted(inner_names.pop())) > 1
            and not below
        ):
            self.notes.append(
                f"each of {_listed(alike)} holds the folders {_shown(inside)}; the classes are taken to be the outer"
                f" ones. Where they are the inner ones: --labels 'regex:([^/]+)/[^/]+$'"
            )

    def _place_below(self, folder: Folder, label: str, above: Place, role: names.Parsed | None) -> None:
        if role is None:
            folder.place = Place(label, above.split, folder.name)
        else:
            folder.place = Place(label, TEST if above.split == TEST else role.split, above.fold)

    def _note_class_or_split(self, kid: Folder, *, taken: bool) -> None:
        split = names.parse(kid.name)
        role = TEST if split is None or split.split == "eval" else split.split
        if taken:
            self.notes.append(
                f"the folder {kid.path!r} has the name of a split and is taken as a class, for it lies beside classes;"
                f" where it is a split: --splits {role}={kid.name}"
            )
        else:
            self.notes.append(
                f"the folder {kid.path!r} has the name of a split and lies beside classes, so its photographs are taken to"
                " have no label; where it is a class: --splits none"
            )

    def _example(self, kids: list[Folder], roles: dict[str, names.Parsed], doubtful: Folder) -> str:
        named = [f"{roles[kid.name].split}={kid.name}" for kid in kids if kid.name in roles][:MOST_NAMED]
        return "--splits " + ",".join([*named, f"{TRAIN}={doubtful.name}"])


def _listed(folders: list[Folder]) -> str:
    return _shown([folder.path for folder in folders])


def _shown(values: Sequence[str]) -> str:
    more = len(values) - MOST_NAMED
    return ", ".join(map(repr, values[:MOST_NAMED])) + (f" and {more} more" if more > 0 else "")
