"""The folders of photographs as a tree, and what each of them was understood as."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

MOST_LINES = 24  # of a tree that is printed
MOST_SHOWN = 6  # folders in one folder
MOST_CHARACTERS = 60  # of a name


@dataclass(frozen=True, slots=True)
class Place:
    """What a folder says of the photographs in it.

    Parameters
    ----------
    label, split, fold : str or None
    group : str or None
        The site, the year or the like that it is of.
    copy : bool
        Whether it is left out, for all that is in it is elsewhere.
    """

    label: str | None = None
    split: str | None = None
    fold: str | None = None
    copy: bool = False
    group: str | None = None


@dataclass(eq=False, slots=True)
class Folder:
    """One folder of photographs.

    Parameters
    ----------
    path : str
        Relative to the data folder, with "/" between folders; empty for the data folder itself.
    children : dict of str to Folder
    loose : int
        Photographs that lie directly in it.
    place : Place, optional
        What it was understood as; None where it says no more than the folder above it.
    """

    path: str = ""
    children: dict[str, Folder] = field(default_factory=dict)
    loose: int = 0
    place: Place | None = None

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]

    @property
    def above(self) -> str:
        """The last part of the path of the folder that it is in."""
        return self.path.rpartition("/")[0].rpartition("/")[2]

    def below(self) -> Iterator[Folder]:
        """Yield the folder and every one below it."""
        waiting = [self]
        while waiting:
            folder = waiting.pop()
            yield folder
            waiting.extend(folder.children.values())

    @property
    def count(self) -> int:
        """Photographs in it and below it."""
        return sum(folder.loose for folder in self.below())


def grow(folders: Sequence[str]) -> Folder:
    """Return the tree of photographs that lie in these folders, one entry for each."""
    root = Folder()
    known = {"": root}
    for path in folders:
        folder = known.get(path)
        if folder is None:
            folder = root
            parts = path.split("/")
            for depth, part in enumerate(parts, 1):
                below = folder.children.get(part)
                if below is None:
                    below = folder.children[part] = Folder("/".join(parts[:depth]))
                folder = below
            known[path] = folder
        folder.loose += 1
    return root


def places(root: Folder) -> dict[str, Place]:
    """Return the place of every folder: its own, or that of the nearest one above it that has one."""
    found: dict[str, Place] = {}
    waiting = [(root, Place())]
    while waiting:
        folder, above = waiting.pop()
        place = found[folder.path] = folder.place or above
        waiting.extend((below, place) for below in folder.children.values())
    return found


def lines(root: Folder) -> list[str]:
    """Return the first lines of the tree as it was understood: what each folder stands for, with its photographs."""
    drawn: list[str] = []

    def draw(folder: Folder, above: Place, depth: int) -> None:
        shown = sorted(folder.children.values(), key=lambda one: one.path)
        indent = "  " * depth
        for number, below in enumerate(shown):
            if len(drawn) > MOST_LINES:
                return
            if number == MOST_SHOWN and len(shown) > MOST_SHOWN + 1:
                drawn.append(f"{indent}... {len(shown) - number} more folders")
                return
            name = below.name
            # A long way down to one folder is one line.
            while below.place is None and not below.loose and len(below.children) == 1:
                (below,) = below.children.values()
                name += "/" + below.name
            name = name if len(name) <= MOST_CHARACTERS else "..." + name[-MOST_CHARACTERS:]
            place = below.place or above
            drawn.append(f"{indent}{name}/  {_said(below, above)}{below.count}")
            inside = list(below.below())[1:]
            if any(one.place is not None and one.place != place for one in inside):
                draw(below, place, depth + 1)

    draw(root, Place(), 1)
    return drawn if len(drawn) <= MOST_LINES else [*drawn[: MOST_LINES - 1], "  ..."]


def _said(folder: Folder, above: Place) -> str:
    """Return what a folder stands for beside what the one above it does."""
    place = folder.place or above
    if place.copy:
        return "left out, for all of it is elsewhere: "
    said = [f"class {place.label}"] if place.label not in (None, above.label) else []
    said += [one for one in (place.split,) if one is not None and one != above.split]
    said += [one for one in (place.fold,) if one is not None and one not in (above.fold, folder.name)]
    said += [f"group {place.group}"] if place.group not in (None, above.group) and place.label is None else []
    if place.label is None and all(one.place is None or one.place.label is None for one in folder.below()):
        said.append("no label")
    return ", ".join(said) + ": " if said else ""
