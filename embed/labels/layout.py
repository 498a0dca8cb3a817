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
from embed.labels.tree import Folder, Place, grow, lines, places

MOST_NAMED = 5  # folders in a sentence
DEEPEST = 60  # levels of splits and wrappers that are looked through; below them a folder is a class


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

    Raises
    ------
    LabelError
        There is no folder of a name in `splits`.
    """
    folders = [path.rpartition("/")[0] for path in paths]
    root, _ = grow(folders)
    if splits:
        _check_names(root, splits)
    if contents is not None and splits is None:
        _leave_copies_out(root, folders, contents)
    reader = _Reader(splits)
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

    def __init__(self, splits: Mapping[str, str] | None) -> None:
        self._splits = splits
        self._known_holders: dict[tuple[Folder, frozenset[str]], bool] = {}
        self._known_classes: dict[tuple[Folder, ...], frozenset[str]] = {}
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
        folder = self._unwrapped(folder, known, above.split)
        kids = self._considered(folder)
        if not kids or depth > DEEPEST:
            return
        for kid in folder.children.values():
            if kid not in kids and kid.place is None:
                kid.place = Place(None, above.split, above.fold)
        roles = self._roles(kids)
        if self._are_folds(kids):
            classes = self._classes(kids) | known
            for kid in kids:
                self.read(kid, Place(None, above.split, kid.name), classes, depth + 1)
        elif self._is_divided(kids, roles, known):
            self._read_splits(kids, roles, above, known, depth)
        elif self._wraps_splits(kids, known):
            for kid in kids:
                if self._holds_splits(kid, known):
                    self.read(kid, above, known, depth + 1)
                else:
                    kid.place = Place(None, above.split, above.fold)
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
        classes = self._classes(divided) | known
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
            elif self._holds_splits(kid, classes):
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
        below = self._splits_below(kids)
        beside = {kid.name for kid in kids}
        others = [
            kid for kid in kids if kid.name not in roles or roles[kid.name].ambiguous or kid.name in known
        ]
        alike: list[Folder] = []
        for kid in kids:
            inner = {one.name for one in self._considered(kid)}
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
        inner_names = {frozenset(one.name for one in self._considered(kid)) for kid in alike}
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

    # What a folder is.

    def _considered(self, folder: Folder) -> list[Folder]:
        """Return the folders in a folder that may be something: no copies, and no masks beside images."""
        kids = [kid for kid in folder.children.values() if kid.place is None or not kid.place.copy]
        if any(names.is_plain(kid.name) for kid in kids):
            kids = [kid for kid in kids if not names.is_beside(kid.name)]
        return kids

    def _unwrapped(self, folder: Folder, known: frozenset[str], split: str | None = None) -> Folder:
        """Return the first folder, from this one down, that holds more than one folder, or splits, or the only class."""
        only: Folder | None = None  # the first on the way that holds what may be a class
        while len(kids := self._considered(folder)) == 1:
            (kid,) = kids
            if kid.name in known:
                return folder
            role = self._roles(kids).get(kid.name)
            if role is not None and role.split != split and (role.split == TRAIN or self._splits is not None):
                return folder  # alone, a folder "test_data" divides nothing
            if role is None and not self._says_nothing(kid, known):
                only = only or folder
            folder = kid
        return folder if kids or only is None else only

    def _says_nothing(self, folder: Folder, known: frozenset[str]) -> bool:
        return names.is_plain(folder.name) or (bool(known) and names.is_unknown(folder.name))

    def _roles(self, kids: list[Folder]) -> dict[str, names.Parsed]:
        """Return the folders that have the name of a split, each with its split."""
        if self._splits is not None:
            given = [(kid.name, self._splits.get(kid.path) or self._splits.get(kid.name)) for kid in kids]
            return {name: names.Parsed(split, "", False) for name, split in given if split}
        found = {kid.name: parsed for kid in kids if (parsed := names.parse(kid.name)) is not None}
        kinds = {parsed.split for parsed in found.values()}
        rests = {parsed.rest for parsed in found.values()}
        divided = len(found) == len(kids) and len(kinds) > 1
        if not divided or (len(rests) > 1 and "" in rests):
            # "flowers_train" beside "flowers_test" is a split, "pregnancy test" beside "fever" is not.
            lone = len(kids) == 1 and bool(kids[0].children)
            found = {name: parsed for name, parsed in found.items() if not parsed.rest or lone}
            kinds = {parsed.split for parsed in found.values()}
        as_eval = VALIDATION if TEST in kinds else TEST
        return {
            name: names.Parsed(as_eval, parsed.rest, parsed.ambiguous) if parsed.split == "eval" else parsed
            for name, parsed in found.items()
        }

    def _are_folds(self, kids: list[Folder]) -> bool:
        words = {names.fold_word(kid.name) for kid in kids}
        return self._splits is None and len(kids) > 1 and len(words) == 1 and None not in words

    def _is_divided(self, kids: list[Folder], roles: dict[str, names.Parsed], known: frozenset[str]) -> bool:
        """Return whether the folders of a folder are its splits, perhaps with others beside them."""
        divided = [kid for kid in kids if kid.name in roles]
        others = [kid for kid in kids if kid.name not in roles]
        if not divided or any(kid.name in known for kid in divided):
            return False
        if self._splits is not None or not others:
            return True
        classes = self._classes(divided)
        kinds = {roles[kid.name].split for kid in divided}
        if not classes:
            return (TRAIN in kinds and len(kinds) > 1 and len(divided) >= len(others)) or all(
                names.is_plain(kid.name) or names.is_unlabelled(kid.name) or self._holds_splits(kid, known)
                for kid in others
            )
        return (
            len(kinds) > 1
            or any(kid.name in classes or classes.intersection(kid.children) for kid in others)
            or any(self._holds_splits(kid, classes) for kid in others)
            or (len(others) == 1 and not others[0].children)
            or all(names.is_plain(kid.name) or names.is_unlabelled(kid.name) for kid in others)
        )

    def _classes(self, divided: list[Folder]) -> frozenset[str]:
        """Return the classes that lie below splits or folds: the names of their folders where there are several."""
        key = tuple(divided)
        if key not in self._known_classes:
            self._known_classes[key] = self._find_classes(divided)
        return self._known_classes[key]

    def _find_classes(self, divided: list[Folder]) -> frozenset[str]:
        several: set[str] = set()
        single: set[str] = set()
        for folder in divided:
            if folder.path.count("/") > DEEPEST:
                continue
            kids = self._considered(self._unwrapped(folder, frozenset(several), self._split_of(folder)))
            inner = self._roles(kids)
            if kids and (self._are_folds(kids) or (inner and self._is_divided(kids, inner, frozenset()))):
                several |= self._classes([kid for kid in kids if not inner or kid.name in inner])
                continue
            (several if len(kids) > 1 else single).update(
                kid.name for kid in kids if not self._says_nothing(kid, frozenset(several)) or kid.children
            )
        return frozenset(several or single)

    def _split_of(self, folder: Folder) -> str | None:
        role = self._roles([folder]).get(folder.name)
        return None if role is None else role.split

    def _holds_splits(self, folder: Folder, known: frozenset[str]) -> bool:
        """Return whether a folder holds nothing but splits, or folds, with classes below them."""
        key = (folder, known)
        if key not in self._known_holders:
            self._known_holders[key] = folder.path.count("/") <= DEEPEST and self._finds_splits(folder, known)
        return self._known_holders[key]

    def _finds_splits(self, folder: Folder, known: frozenset[str]) -> bool:
        kids = self._considered(self._unwrapped(folder, known))
        roles = self._roles(kids)
        if self._are_folds(kids):
            return bool(self._classes(kids))
        if not roles or not self._is_divided(kids, roles, frozenset()):
            return False
        return bool(self._classes([kid for kid in kids if kid.name in roles]))

    def _wraps_splits(self, kids: list[Folder], known: frozenset[str]) -> bool:
        holders = sum(self._holds_splits(kid, known) for kid in kids)
        return bool(holders) and (2 * holders >= len(kids) or (len(kids) - holders == 1))

    def _splits_below(self, kids: list[Folder]) -> dict[str, dict[str, names.Parsed | None]]:
        """Return the splits (or folds: None) that lie in the classes: class → folder → split."""
        found: dict[str, dict[str, names.Parsed | None]] = {}
        splits: set[str] = set()
        for kid in kids:
            inner = self._considered(kid)
            if self._are_folds(inner):
                found[kid.name] = dict.fromkeys(one.name for one in inner)
                splits.update(found[kid.name])
                continue
            roles = self._roles(inner)
            if roles:
                found[kid.name] = {**roles}
                splits.update(role.split for role in roles.values())
            elif inner:
                return {}  # a class with other folders: they are no splits
        return found if len(splits) > 1 else {}

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
