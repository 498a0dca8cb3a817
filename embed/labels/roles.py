"""What a folder of photographs may be, by its name, by what lies beside it, and by what it holds."""

from __future__ import annotations

from collections.abc import Mapping

from embed.labels import names
from embed.labels.names import TEST, TRAIN, VALIDATION
from embed.labels.tree import Folder

DEEPEST = 60  # levels of splits and wrappers that are looked through; below them a folder is a class


class Roles:
    """Answers about the folders of one tree.

    Parameters
    ----------
    splits : mapping of str to str, optional
        Names or paths of folders, each with its split: these are the splits, and no others. By default they are recognised.
    """

    def __init__(self, splits: Mapping[str, str] | None) -> None:
        self._splits = splits
        self._known_holders: dict[tuple[Folder, frozenset[str]], bool] = {}
        self._known_classes: dict[tuple[Folder, ...], frozenset[str]] = {}

    def considered(self, folder: Folder) -> list[Folder]:
        """Return the folders in a folder that may be something: no copies, and no masks beside images."""
        kids = [kid for kid in folder.children.values() if kid.place is None or not kid.place.copy]
        if any(names.is_plain(kid.name) for kid in kids):
            kids = [kid for kid in kids if not names.is_beside(kid.name)]
        return kids

    def unwrapped(self, folder: Folder, known: frozenset[str], split: str | None = None) -> Folder:
        """Return the first folder, from this one down, that holds more than one folder, or splits, or the only class."""
        only: Folder | None = None  # the first on the way that holds what may be a class
        while len(kids := self.considered(folder)) == 1:
            (kid,) = kids
            if kid.name in known:
                return folder
            role = self.roles(kids).get(kid.name)
            if role is not None and role.split != split and (role.split == TRAIN or self._splits is not None):
                return folder  # alone, a folder "test_data" divides nothing
            if role is None and not self._says_nothing(kid, known):
                only = only or folder
            folder = kid
        return folder if kids or only is None else only

    def _says_nothing(self, folder: Folder, known: frozenset[str]) -> bool:
        return names.is_plain(folder.name) or (bool(known) and names.is_unknown(folder.name))

    def roles(self, kids: list[Folder]) -> dict[str, names.Parsed]:
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

    def are_folds(self, kids: list[Folder]) -> bool:
        """Return whether the folders of a folder are its folds."""
        words = {names.fold_word(kid.name) for kid in kids}
        return self._splits is None and len(kids) > 1 and len(words) == 1 and None not in words

    def is_divided(self, kids: list[Folder], roles: dict[str, names.Parsed], known: frozenset[str]) -> bool:
        """Return whether the folders of a folder are its splits, perhaps with others beside them."""
        divided = [kid for kid in kids if kid.name in roles]
        others = [kid for kid in kids if kid.name not in roles]
        if not divided or any(kid.name in known for kid in divided):
            return False
        if self._splits is not None or not others:
            return True
        classes = self.classes(divided)
        kinds = {roles[kid.name].split for kid in divided}
        if not classes:
            return (TRAIN in kinds and len(kinds) > 1 and len(divided) >= len(others)) or all(
                names.is_plain(kid.name) or names.is_unlabelled(kid.name) or self.holds_splits(kid, known)
                for kid in others
            )
        return (
            len(kinds) > 1
            or any(kid.name in classes or classes.intersection(kid.children) for kid in others)
            or any(self.holds_splits(kid, classes) for kid in others)
            or (len(others) == 1 and not others[0].children)
            or all(names.is_plain(kid.name) or names.is_unlabelled(kid.name) for kid in others)
        )

    def classes(self, divided: list[Folder]) -> frozenset[str]:
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
            kids = self.considered(self.unwrapped(folder, frozenset(several), self._split_of(folder)))
            inner = self.roles(kids)
            if kids and (self.are_folds(kids) or (inner and self.is_divided(kids, inner, frozenset()))):
                several |= self.classes([kid for kid in kids if not inner or kid.name in inner])
                continue
            (several if len(kids) > 1 else single).update(
                kid.name for kid in kids if not self._says_nothing(kid, frozenset(several)) or kid.children
            )
        return frozenset(several or single)

    def _split_of(self, folder: Folder) -> str | None:
        role = self.roles([folder]).get(folder.name)
        return None if role is None else role.split

    def holds_splits(self, folder: Folder, known: frozenset[str]) -> bool:
        """Return whether a folder holds nothing but splits, or folds, with classes below them."""
        key = (folder, known)
        if key not in self._known_holders:
            self._known_holders[key] = folder.path.count("/") <= DEEPEST and self._finds_splits(folder, known)
        return self._known_holders[key]

    def _finds_splits(self, folder: Folder, known: frozenset[str]) -> bool:
        kids = self.considered(self.unwrapped(folder, known))
        roles = self.roles(kids)
        if self.are_folds(kids):
            return bool(self.classes(kids))
        if not roles or not self.is_divided(kids, roles, frozenset()):
            return False
        return bool(self.classes([kid for kid in kids if kid.name in roles]))

    def wraps_splits(self, kids: list[Folder], known: frozenset[str]) -> bool:
        """Return whether the folders of a folder are each a collection with splits of its own."""
        holders = sum(self.holds_splits(kid, known) for kid in kids)
        return bool(holders) and (2 * holders >= len(kids) or (len(kids) - holders == 1))

    def splits_below(self, kids: list[Folder]) -> dict[str, dict[str, names.Parsed | None]]:
        """Return the splits (or folds: None) that lie in the classes: class → folder → split."""
        found: dict[str, dict[str, names.Parsed | None]] = {}
        splits: set[str] = set()
        for kid in kids:
            inner = self.considered(kid)
            if self.are_folds(inner):
                found[kid.name] = dict.fromkeys(one.name for one in inner)
                splits.update(found[kid.name])
                continue
            roles = self.roles(inner)
            if roles:
                found[kid.name] = {**roles}
                splits.update(role.split for role in roles.values())
            elif inner:
                return {}  # a class with other folders: they are no splits
        return found if len(splits) > 1 else {}
