"""Several folders and archives as one source."""

import itertools
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from embed.sources.formats import suffix_of
from embed.sources.source import Address, Described, Failed, Item, LeftOut, Listed, Read, Source, Told

NAMED = 3  # folders in the name of a source
_NUMBERED = re.compile(r"[-_.]?[0-9]*$")


def apart(folders: Sequence[Address]) -> tuple[list[Address], list[Address]]:
    """Return the places that lie in none of the others, each once, and those that are left: given twice, or inside another."""
    kept: list[Address] = []
    others: list[Address] = []
    places = [folder.resolve() if isinstance(folder, Path) else Path("/") / folder for folder in folders]
    for number, folder in enumerate(folders):
        inside = any(
            places[number].is_relative_to(other) and (places[number] != other or n < number)
            for n, other in enumerate(places)
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


class Several:
    """The photographs in several folders and archives, none of which lies in another. Their names begin where their paths part.

    Parameters
    ----------
    sources : mapping of path or URL to Source
        By their absolute places.
    root : path or URL, optional
        The folder that holds all of the places, where it is that folder which was given.
    """

    def __init__(self, sources: Mapping[Address, Source], root: Address | None = None) -> None:
        paths = {str(place): source for place, source in sources.items()}
        top = _common([*paths]) if root is None else str(root)
        self.root: Path | str = top if all(isinstance(place, str) for place in sources) else Path(top)
        of_prefix = {path[len(top) :].strip("/"): source for path, source in paths.items()}
        self._sources = dict(sorted(of_prefix.items(), key=lambda one: os.fsencode(one[0] + "/")))
        self.places = tuple(self._sources)
        self.again, self.name = "", top.rstrip("/").rpartition("/")[2]
        if root is None:
            self.again = shlex.join(sorted(paths, key=lambda path: os.fsencode(path + "/")))
            self.name = self._called()

    def find(self) -> Iterator[Told]:
        """Yield what is in each place, under its path."""
        for prefix, source in self._sources.items():
            for told in source.find():
                yield below(prefix, told)
        yield Listed("")

    def read(self, group: Sequence[Item]) -> Iterator[Read]:
        """Yield each photograph with its content, or the reason why that cannot be had just now."""
        for prefix, items in itertools.groupby(group, lambda item: self._prefix(item.name)):
            together = list(items)
            inner = [replace(item, name=item.name[len(prefix) + 1 :]) for item in together]
            for item, (_, content) in zip(together, self._sources[prefix].read(inner), strict=True):
                yield item, content

    def described(self) -> Iterator[Described]:
        """Yield what each place says of its photographs."""
        for prefix, source in self._sources.items():
            for name, columns in source.described():
                yield f"{prefix}/{name}", columns

    def address(self, name: str) -> Address:
        """Return what leads to a photograph."""
        prefix = self._prefix(name)
        return self._sources[prefix].address(name[len(prefix) + 1 :])

    def _prefix(self, name: str) -> str:
        """Return the place that a name begins with."""
        end = name.find("/")
        while end >= 0 and name[:end] not in self._sources:
            end = name.find("/", end + 1)
        return name[:end]

    def _called(self) -> str:
        """Return a name: of numbered archives, what they share."""
        names = [source.name for source in self._sources.values()]
        shared = {_NUMBERED.sub("", name) for name in names}
        if len(shared) == 1 and all(map(suffix_of, self._sources)):
            return shared.pop() or names[0]
        prefixes = [prefix.replace("/", "-") for prefix in self._sources]
        more = len(prefixes) - NAMED
        return "+".join(prefixes[:NAMED]) + (f"+{more} more" if more > 0 else "")


def _common(paths: Sequence[str]) -> str:
    """Return the folder, or the URL, that is above all of some places."""
    parts = [path.split("/")[:-1] for path in paths]
    shared = itertools.takewhile(lambda names: len(set(names)) == 1, zip(*parts, strict=False))
    return "/".join(names[0] for names in shared) or "/"
