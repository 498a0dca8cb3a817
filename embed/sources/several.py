"""Several folders as one source."""

import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from embed.sources.folder import Folder, read_below
from embed.sources.left_out import Filters
from embed.sources.source import Failed, Item, LeftOut, Listed, Read, Told

NAMED = 3  # folders in the name of a source


def apart(folders: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return the folders that lie in none of the others, each once, and those that are left: given twice, or inside another."""
    kept: list[Path] = []
    others: list[Path] = []
    places = {folder: folder.resolve() for folder in folders}
    for number, folder in enumerate(folders):
        inside = any(
            places[folder].is_relative_to(places[other]) and (places[folder] != places[other] or n < number)
            for n, other in enumerate(folders)
            if n != number
        )
        (others if inside else kept).append(folder)
    return kept, others


def below(folder: str, told: Told) -> Told:
    """Return what is told of a folder as told of the one above it."""
    if isinstance(told, Item):
        return replace(told, name=f"{folder}/{told.name}")
    place = f"{folder}/{told.place}" if told.place else folder
    if isinstance(told, Listed):
        return Listed(place)
    if isinstance(told, Failed):
        return replace(told, place=place)
    return LeftOut(place, told.reason, told.images)


class Folders:
    """The images in several folders, none of which lies in another. Their names begin where the paths of the folders part.

    Parameters
    ----------
    folders : sequence of Path
    filters : Filters, optional
    """

    def __init__(self, folders: Sequence[Path], filters: Filters | None = None) -> None:
        paths = [Path(os.path.normpath(folder.absolute())) for folder in folders]
        self.root = Path(os.path.commonpath([path.parent for path in paths]))
        self._folders = sorted(
            ((path.relative_to(self.root).as_posix(), Folder(path, filters)) for path in paths),
            key=lambda one: os.fsencode(one[0] + "/"),
        )
        self.places = tuple(prefix for prefix, _ in self._folders)
        prefixes = [prefix.replace("/", "-") for prefix in self.places]
        self.again = shlex.join(str(folder.folder) for _, folder in self._folders)
        more = len(prefixes) - NAMED
        self.name = "+".join(prefixes[:NAMED]) + (f"+{more} more" if more > 0 else "")

    def find(self) -> Iterator[Told]:
        """Yield what is in each folder, under its path."""
        for prefix, folder in self._folders:
            for told in folder.find():
                yield below(prefix, told)
        yield Listed("")

    def read(self, group: Sequence[Item]) -> Iterator[Read]:
        """Yield each photograph with its content, or the reason why that cannot be had just now."""
        return read_below(self.root, group)

    def local_path(self, name: str) -> Path:
        """Return the file of a photograph, whether it is there or not."""
        return self.root / name
