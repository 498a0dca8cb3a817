"""Where photographs come from: find them without reading them, then read each of them once."""

from collections.abc import Callable, Sequence
from pathlib import Path

from embed.errors import UsageError
from embed.sources.folder import Folder
from embed.sources.left_out import BIN, BIN_JOURNAL, BINNED, DRAWN, MARK, Filters
from embed.sources.listing import Listing, read_entries, read_list
from embed.sources.named import Files, expand
from embed.sources.several import Folders, apart
from embed.sources.some import Some
from embed.sources.source import Content, Failed, Item, LeftOut, Listed, Read, Source, Told

__all__ = [
    "BIN",
    "BINNED",
    "BIN_JOURNAL",
    "DRAWN",
    "MARK",
    "Content",
    "Failed",
    "Files",
    "Filters",
    "Folder",
    "Folders",
    "Item",
    "LeftOut",
    "Listed",
    "Listing",
    "Read",
    "Some",
    "Source",
    "Told",
    "apart",
    "expand",
    "filters",
    "locator",
    "open",
    "read_entries",
    "read_list",
]


def filters(exclude: Sequence[str] | None, include: Sequence[str] | None) -> Filters | None:
    """Return the filters that are given, or None where there are none: those given before hold then."""
    return (
        None if exclude is None and include is None else Filters(tuple(exclude or ()), tuple(include or ()))
    )


def open(places: str | Path | Sequence[Path], filters: Filters | None = None) -> Source:
    """Return the source at a place, or at several: folders. Whether they are there is told when they are looked into."""
    folders, _ = apart([Path(places)] if isinstance(places, (str, Path)) else places)
    if not folders:
        raise UsageError("names no folder", "data")
    return Folder(folders[0], filters) if len(folders) == 1 else Folders(folders, filters)


def locator(place: str | Path) -> Callable[[str], Path]:
    """Return what gives the file of each photograph of a place by its name, whether it is there or not."""
    source = open(place)
    return lambda name: source.local_path(name) or Path(place, name)
