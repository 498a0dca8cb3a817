"""Where photographs come from: find them without reading them, then read each of them once."""

from collections.abc import Sequence

from embed.sources.address import address, locator, own_file
from embed.sources.credentials import storage_options
from embed.sources.folder import Folder
from embed.sources.left_out import BIN, BIN_JOURNAL, BINNED, DRAWN, MARK, Filters
from embed.sources.listing import Listing, read_entries, read_list
from embed.sources.named import Files, expand
from embed.sources.places import open
from embed.sources.reading import read
from embed.sources.several import Several, apart
from embed.sources.some import Some
from embed.sources.source import (
    LABEL,
    TEXT,
    Address,
    Content,
    Described,
    Failed,
    Item,
    LeftOut,
    Listed,
    Read,
    Source,
    Told,
)

__all__ = [
    "BIN",
    "BINNED",
    "BIN_JOURNAL",
    "DRAWN",
    "LABEL",
    "MARK",
    "TEXT",
    "Address",
    "Content",
    "Described",
    "Failed",
    "Files",
    "Filters",
    "Folder",
    "Item",
    "LeftOut",
    "Listed",
    "Listing",
    "Read",
    "Several",
    "Some",
    "Source",
    "Told",
    "address",
    "apart",
    "expand",
    "filters",
    "locator",
    "open",
    "own_file",
    "read",
    "read_entries",
    "read_list",
    "storage_options",
]


def filters(exclude: Sequence[str] | None, include: Sequence[str] | None) -> Filters | None:
    """Return the filters that are given, or None where there are none: those given before hold then."""
    return (
        None if exclude is None and include is None else Filters(tuple(exclude or ()), tuple(include or ()))
    )
