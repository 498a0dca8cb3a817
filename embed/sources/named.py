"""Files that the user names, one by one or by their folder."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from embed.errors import ImageError, InputError
from embed.sources import file
from embed.sources.folder import Folder
from embed.sources.source import Item, Listed, Read, Told


class Files:
    """Single files as a source: their names are their paths, as they were given.

    Parameters
    ----------
    paths : iterable of path
        Taken one after the other, when they are needed.
    """

    name = "files"
    root = Path()
    again = ""
    places: tuple[str, ...] = ()

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = paths

    def find(self) -> Iterator[Told]:
        """Yield every file."""
        yield from self.items()
        yield Listed("")

    def items(self) -> Iterator[Item]:
        """Yield every file, whatever it is: reading it tells."""
        for path in self._paths:
            size = 0
            with suppress(OSError):
                size = min(path.stat().st_size, file.MAX_BYTES)
            yield Item(str(path), size)

    def read(self, group: Sequence[Item]) -> Iterator[Read]:
        """Yield each file with its content or the reason why it has none."""
        for item in group:
            try:
                yield item, file.read(Path(item.name))
            except ImageError as error:
                yield item, str(error)

    def local_path(self, name: str) -> Path:
        """Return the file."""
        return Path(name)


def expand(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield each path that is no folder, and for each that is one the photographs below it.

    Raises
    ------
    InputError
        A folder cannot be listed, or holds no image.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        inside = [path / told.name for told in Folder(path).find() if isinstance(told, Item)]
        if not inside:
            raise InputError(f"There is no image in {path}.")
        yield from inside
