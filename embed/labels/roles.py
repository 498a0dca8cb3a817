"""What a folder of photographs may be, by its name, by what lies beside it, and by what it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from embed.labels import groupings, names
from embed.labels.groupings import Grouping
from embed.labels.tree import Folder
from embed.labels.words import BACKGROUND, EVAL, GROUPS, NEWEST, PARTS, TEST, TRAIN, VALIDATION

MOST_OF = 0.8  # of folders, or of what they hold: nearly all
DEEPEST = 60  # levels of splits and wrappers that are looked through; below them a folder is a class


class Roles:
    """Answers about the folders of one tree.

    Parameters
    ----------
    splits : mapping of str to str, optional
        Names or paths of folders, each with its split: these are the splits, and no others. By default they are recognised.
    version : int
        Of the rule "folder".
    """

    def __init__(self, splits: Mapping[str, str] | None, version: int = NEWEST) -> None:
        self._splits = splits
        self._version = version
        self._known_inner: dict[Folder, list[Folder]] = {}
        self._known_groups: dict[tuple[Folder, ...], bool] = {}
        self._known_holders: dict[tuple[Folder, frozenset[str]], bool] = {}
        self._known_classes: dict[tuple[Folder, ...], frozenset[str]] = {}

    def considered(self, folder: Folder) -> list[Folder]:
        """Return the folders in a folder that may be something: no copies, no masks beside images, nothing unlabelled beside what holds the classes."""
        kids = [kid for kid in folder.children.values() if kid.place is None or not kid.place.copy]
        if any(names.is_plain(kid.name) for kid in kids):
            kids = [kid for kid in kids if not names.is_beside(kid.name, self._version)]
        if self._version >= PARTS:
            named = [kid for kid in kids if not names.is_unlabelled(kid.name)]
            if len(named) == 1 and len(named[0].children) > 1:
                return named  # the classes lie in it
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
            if self._version >= GROUPS and len(folder.children) > 1:
                return kid  # beside masks lie photographs
            if (
                role is None
                and not self._says_nothing(kid, known)
                and not self._says_again(kid, folder, split)
            ):
                only = only or folder
            folder = kid
        return folder if kids or only is None else only

    def _says_again(self, kid: Folder, folder: Folder, split: str | None) -> bool:
        """Return whether a folder has the name of the split that it lies in, as in seg_test/seg_test."""
        if self._version < GROUPS or split is None:
            return False
        parsed = names.parse(kid.name)
        return kid.name == folder.name or (parsed is not None and parsed.split == split)

    def _says_nothing(self, folder: Folder, known: frozenset[str]) -> bool:
        return names.is_plain(folder.name) or (bool(known) and names.is_unknown(folder.name))

    def roles(self, kids: list[Folder]) -> dict[str, names.Parsed]:
        """Return the folders that have the name of a split, each with its split."""
        if self._splits is not None:
            given = [(kid.name, self._splits.get(kid.path) or self._splits.get(kid.name)) for kid in kids]
            return {name: names.Parsed(split, "", False) for name, split in given if split}
        found = {
            kid.name: parsed for kid in kids if (parsed := names.parse(kid.name, self._version)) is not None
        }
        kinds = {parsed.split for parsed in found.values()}
        if BACKGROUND in kinds:
            if kinds == {BACKGROUND, EVAL} and len(found) == len(kids):
                train = names.Parsed(TRAIN, "", ambiguous=False)
                return {
                    name: train if parsed.split == BACKGROUND else parsed.of(TEST)
                    for name, parsed in found.items()
                }
            found = {name: parsed for name, parsed in found.items() if parsed.split != BACKGROUND}
            kinds.discard(BACKGROUND)
        rests = {parsed.rest for parsed in found.values()}
        divided = len(found) == len(kids) and len(kinds) > 1
        if not divided or (len(rests) > 1 and "" in rests):
            # "flowers_train" beside "flowers_test" is a split, "pregnancy test" beside "fever" is not.
            lone = len(kids) == 1 and bool(kids[0].children)
            same = self._version >= GROUPS and len(kinds) > 1 and len(rests) == 1
            parts = self._parts(kids, found)
            found = {
                name: parsed
                for name, parsed in found.items()
                if not parsed.rest or lone or same or name in parts
            }
            kinds = {parsed.split for parsed in found.values()}
        as_eval = VALIDATION if TEST in kinds else TEST
        return {
            name: parsed.of(as_eval) if parsed.split == EVAL else parsed for name, parsed in found.items()
        }

    def _parts(self, kids: list[Folder], found: dict[str, names.Parsed]) -> frozenset[str]:
        """Return which folders are parts of splits: "test_seen" beside "train", and "PrivateTest", with the classes in them."""
        whole = [kid for kid in kids if kid.name in found and not found[kid.name].rest]
        if self._version < PARTS or len(whole) in (0, len(found)):
            return frozenset()
        classes = self.classes(whole)
        return frozenset(
            kid.name
            for kid in kids
            if kid.name in found
            and kid.children
            and not names.is_beside(found[kid.name].rest)
            and (classes & self.classes([kid]) or (classes and len(found) == len(kids)))
        )

    def way(self, folder: Folder) -> list[Folder]:
        """Return a class, and the folders in it, one in the other, that only say that there are photographs."""
        found = [folder]
        while self._version >= PARTS and len(kids := self.considered(found[-1])) == 1:
            if not names.is_plain(kids[0].name) or not kids[0].children:
                break
            found.append(kids[0])
        return found

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
            if self.group(kids):
                several |= self.classes(kids)
                continue
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

    def is_split_of(self, folder: Folder, classes: frozenset[str]) -> bool:
        """Return whether a folder holds nothing but a split with some of these classes."""
        kids = self.considered(folder)
        roles = self.roles(kids)
        return bool(roles) and len(roles) == len(kids) and bool(self.classes(kids) & classes)

    def wraps_splits(self, kids: list[Folder], known: frozenset[str]) -> bool:
        """Return whether the folders of a folder are each a collection with splits of its own."""
        holders = [kid for kid in kids if self.holds_splits(kid, known)]
        others = [kid for kid in kids if kid not in holders]
        if not holders or 2 * len(holders) >= len(kids) or len(others) == 1:
            return bool(holders)
        if self._version < GROUPS:
            return False
        classes = known.union(*(self.classes([kid]) for kid in holders))
        return all(self.is_split_of(kid, classes) for kid in others)

    def splits_below(self, kids: list[Folder]) -> dict[str, dict[str, names.Parsed | None]]:
        """Return the splits (or folds: None) that lie in the classes: class → folder → split."""
        found: dict[str, dict[str, names.Parsed | None]] = {}
        splits: set[str] = set()
        for kid in kids:
            inner = self.considered(self.way(kid)[-1])
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

    def inner(self, folder: Folder) -> list[Folder]:
        """Return the folders in a folder, or those in the only one that it holds."""
        if folder not in self._known_inner:
            self._known_inner[folder] = self.considered(self.unwrapped(folder, frozenset()))
        return self._known_inner[folder]

    def group(self, kids: list[Folder]) -> bool:
        """Return whether the folders of a folder group what is in them, and the classes lie below them."""
        if self._version < GROUPS or len(kids) < 2:
            return False
        key = tuple(kids)
        if key not in self._known_groups:
            self._known_groups[key] = kids[0].path.count("/") <= DEEPEST and self._find_groups(kids)
        return self._known_groups[key]

    def _find_groups(self, kids: list[Folder]) -> bool:
        holders = [kid for kid in kids if self.inner(kid)]
        if len(holders) < MOST_OF * len(kids) or len(holders) < 2 or self.splits_below(kids):
            return False
        held = [one for kid in holders for one in self.inner(kid)]
        outside, inside = {kid.name for kid in holders}, {one.name for one in held}
        if len(inside) < 2:
            return False
        above = {kid.above for kid in holders} - {""}
        outer, inner = groupings.of(outside, above), groupings.of(inside, outside)
        if outer is Grouping.NO:
            return False
        if inner is Grouping.CERTAIN:  # years and months: what is below them decides
            return outer is Grouping.CERTAIN and self.group(held)
        if inner is Grouping.LIKELY and groupings.are_letters(inside) and not groupings.are_letters(outside):
            inner = Grouping.NO
        if outer is Grouping.CERTAIN and inner is Grouping.NO:
            return True
        return outer > inner and self.alike(holders)

    def alike(self, kids: list[Folder]) -> bool:
        """Return whether folders hold nearly the same folders each."""
        held = [{one.name for one in self.inner(kid)} for kid in kids]
        counts = Counter(name for inside in held for name in inside)
        common = {name for name, count in counts.items() if count > 1 and 2 * count >= len(held)}
        shares = [len(inside & common) / len(inside) for inside in held if inside]
        return len(common) > 1 and len(shares) == len(held) and sum(shares) >= MOST_OF * len(shares)
