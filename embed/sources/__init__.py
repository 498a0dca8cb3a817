"""Where photographs come from: find them without reading them, then read each of them once."""

from collections.abc import Callable
from pathlib import Path

from embed.sources.folder import Folder
from embed.sources.named import Files, expand
from embed.sources.source import Content, Failed, Item, Listed, Read, Source, Told

__all__ = [
    "Content",
    "Failed",
    "Files",
    "Folder",
    "Item",
    "Listed",
    "Read",
    "Source",
    "Told",
    "expand",
    "locator",
    "open",
]


def open(place: str | Path) -> Source:
    """Return the source at a place: the folder of that path. Whether it is there is told when it is looked into."""
    return Folder(Path(place))


def locator(place: str | Path) -> Callable[[str], Path]:
    """Return what gives the file of each photograph of a place by its name, whether it is there or not."""
    source = open(place)
    return lambda name: source.local_path(name) or Path(place, name)
