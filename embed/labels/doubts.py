"""What could have been read otherwise in a tree of folders, as sentences for people: what was taken, and what decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from embed.labels import names
from embed.labels.tree import Folder
from embed.labels.words import EVAL, TEST, TRAIN

MOST_NAMED = 5  # folders in a sentence


def listed(folders: Sequence[Folder]) -> str:
    """Return the paths of folders, or the first of them."""
    return shown([folder.path for folder in folders])


def shown(values: Sequence[str]) -> str:
    """Return names, or the first of them."""
    more = len(values) - MOST_NAMED
    return ", ".join(map(repr, values[:MOST_NAMED])) + (f" and {more} more" if more > 0 else "")


def as_classes(folder: Folder) -> str:
    """Return the option that takes the folders that are as deep as this one as the classes."""
    depth = folder.path.count("/")
    above = "" if not depth else "[^/]+/" if depth == 1 else f"(?:[^/]+/){{{depth}}}"
    return f"--labels 'regex:^{above}([^/]+)/'"


def grouped(groups: Sequence[Folder], inside: Sequence[str]) -> str:
    """Return that folders are no classes but hold them."""
    return (
        f"{listed(groups)} are taken to group the photographs, and the folders in them, {shown(inside)}, as the classes"
        f" (--group folders keeps each group on one side of a split); where the outer ones are the classes:"
        f" {as_classes(groups[0])}"
    )


@dataclass
class Parts:
    """The folders in classes, as they are met: one sentence for all of a kind."""

    _met: dict[tuple[bool, bool], tuple[list[Folder], list[Folder]]] = field(default_factory=dict)

    def add(self, classes: Sequence[Folder], inner: Sequence[Folder], *, alike: bool, group: bool) -> None:
        """Take up classes, and the folders in them.

        Parameters
        ----------
        classes, inner : sequence of Folder
        alike : bool
            Whether each class holds the same folders.
        group : bool
            Whether those are taken to group the photographs.
        """
        all_classes, all_inner = self._met.setdefault((alike, group), ([], []))
        all_classes += classes
        all_inner += inner

    def sentences(self) -> list[str]:
        """Return what they were taken for."""
        return [
            _outer_alike(classes, inner, group=group) if alike else _inner_parts(inner, group=group)
            for (alike, group), (classes, inner) in self._met.items()
        ]


def _outer_alike(classes: Sequence[Folder], inner: Sequence[Folder], *, group: bool) -> str:
    inside = sorted({one.name for one in inner})
    return (
        f"each of {listed(classes)} holds the folders {shown(inside)}; the classes are taken to be the outer ones"
        + (" and the inner ones to group their photographs (--group folders)" if group else "")
        + f". Where they are the inner ones: {as_classes(inner[0])}"
    )


def _inner_parts(inner: Sequence[Folder], *, group: bool) -> str:
    taken = (
        "to group their photographs (--group folders keeps each on one side of a split)"
        if group
        else "as parts of them"
    )
    return (
        f"{len(inner)} folders lie in the classes, {listed(inner)}, and are taken {taken}; where they are the"
        f" classes: {as_classes(inner[0])}"
    )


def say_nothing(folders: Sequence[Folder]) -> str:
    """Return that folders are no classes, going by their names."""
    return (
        f"{listed(folders)} {'has the name' if len(folders) == 1 else 'have names'} of dates, cameras or parts, which are"
        f" no classes, so the photographs have no label; where they are classes: {as_classes(folders[0])}"
    )


def collections(folders: Sequence[Folder], classes: Sequence[str]) -> str:
    """Return that folders have splits of their own, with the classes below those."""
    return (
        f"each of {listed(folders)} has splits of its own, and the classes are taken from below those, {shown(classes)}; where"
        f" the outer ones are the classes: {as_classes(folders[0])}"
    )


def without_splits(folders: Sequence[Folder]) -> str:
    """Return that folders beside such collections have no splits."""
    one = len(folders) == 1
    return (
        f"{listed(folders)} {'lies' if one else 'lie'} beside folders with splits of their own and {'has' if one else 'have'}"
        f" none, so the photographs there have no label; --splits train=FOLDER,test=FOLDER names the splits"
    )


def beside_splits(
    doubtful: Sequence[Folder], kids: Sequence[Folder], roles: Mapping[str, names.Parsed]
) -> str:
    """Return that folders with the classes of the splits beside them have no name of a split."""
    one = len(doubtful) == 1
    splits = [f"{roles[kid.name].split}={kid.name}" for kid in kids if kid.name in roles][:MOST_NAMED]
    missing = TEST if any(role.split == TRAIN for role in roles.values()) else TRAIN
    return (
        f"{listed(doubtful)} {'lies' if one else 'lie'} beside the splits and {'has' if one else 'have'} their classes, but no"
        f" name of a split, so {'its' if one else 'their'} photographs have no label; to name the splits: --splits "
        + ",".join([*splits, f"{missing}={doubtful[0].name}"])
    )


def class_or_split(folder: Folder, *, taken: bool) -> str:
    """Return that a folder with the name of a split lies beside classes, and whether it is taken as one."""
    found = names.parse(folder.name)
    role = TEST if found is None or found.split == EVAL else found.split
    if taken:
        return (
            f"the folder {folder.path!r} has the name of a split and is taken as a class, for it lies beside classes;"
            f" where it is a split: --splits {role}={folder.name}"
        )
    return (
        f"the folder {folder.path!r} has the name of a split and lies beside classes, so its photographs are taken to"
        " have no label; where it is a class: --splits none"
    )
