"""Files that the user names, one by one or by their folder."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from embed.errors import ImageError, InputError
from embed.sources import file
from embed.sources.address import address
from embed.sources.places import is_place, open_place
from embed.sources.reading import read
from embed.sources.source import Address, Described, Item, Listed, Read, Told


class Files:
    """Single files as a source: their names are their paths, as they were given.

    Parameters
    ----------
    paths : iterable of path or URL
        Files, objects and members of archives. Taken one after the other, when they are needed.
    """

    name = "files"
    root: Path | str = Path()
    again = ""
    places: tuple[str, ...] = ()

    def __init__(self, paths: Iterable[Address]) -> None:
        self._paths = paths

    def find(self) -> Iterator[Told]:
        """Yield every file."""
        yield from self.items()
        yield Listed("")

    def items(self) -> Iterator[Item]:
        """Yield every file, whatever it is: reading it tells."""
        for path in self._paths:
            size = 0
            if isinstance(path, Path):
                with suppress(OSError):
                    size = min(path.stat().st_size, file.MAX_BYTES)
            yield Item(str(path), size)

    def read(self, group: Sequence[Item]) -> Iterator[Read]:
        """Yield each file with its content or the reason why it has none."""
        for item in group:
            try:
                yield item, read(address(item.name))
            except ImageError as error:
                yield item, str(error)

    def described(self) -> Iterator[Described]:
        """Yield nothing."""
        return iter(())

    def address(self, name: str) -> Address:
        """Return the file."""
        return address(name)


def expand(paths: Iterable[str | Path]) -> Iterator[Address]:
    """Yield each path that is a photograph, and for each folder and archive the photographs in it.

    Raises
    ------
    InputError
        A folder or an archive cannot be listed, or holds no image.
    """
    for path in map(address, paths):
        if not is_place(path):
            yield path
            continue
        source = open_place(path)
        inside = [source.address(told.name) for told in source.find() if isinstance(told, Item)]
        if not inside:
            raise InputError(f"There is no image in {path}.")
        yield from inside
