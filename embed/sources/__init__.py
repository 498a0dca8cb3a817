"""Where photographs come from: find them without reading them, then read each of them once."""

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
    "open",
]


def open(place: str | Path) -> Source:
    """Return the source at a place: the folder of that path. Whether it is there is told when it is looked into."""
    return Folder(Path(place))
