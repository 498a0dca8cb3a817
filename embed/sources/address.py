"""What leads to one photograph, wherever it lies, and reading it: a file, a member of an archive, an object.

An address is a path, or a URL as text. One that goes on behind an archive, or behind a table of photographs, is that of one
of them: ``shards/train-000.tar/0001.jpg``.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

from embed.errors import ImageError
from embed.sources import file
from embed.sources.archive import Archive
from embed.sources.blob import LocalFile
from embed.sources.formats import format_of
from embed.sources.objects import read_object
from embed.sources.remote import RemoteFile, scheme
from embed.sources.source import Address, Content, Item

WEB = ("http", "https", "data")
_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def address(text: str | os.PathLike[str]) -> Address:
    """Return a path, or a URL as text; what is called like a URL and lies on the disk is a path."""
    if isinstance(text, str) and _URL.match(text) and not os.path.lexists(text):
        return text
    return Path(text)


def locator(place: str | Path) -> Callable[[str], Address]:
    """Return what gives the address of each photograph of a place by its name, whether it is there or not."""
    top = address(place)
    if isinstance(top, Path):
        return lambda name: top / name
    return lambda name: f"{top.rstrip('/')}/{name}"


def read(place: Address) -> Content:
    """Return the bytes of one photograph and their sha256.

    Raises
    ------
    ImageError
        The message is the reason.
    """
    if isinstance(place, str):
        if scheme(place) in WEB:
            raise ImageError("is a URL, and nothing is downloaded here: save it as a file first")
        inside = _inside_remote(place)
        if inside is None:
            folder, _, name = place.rpartition("/")
            return read_object(folder, name)
    else:
        inside = None if os.path.lexists(place) else _inside(place)
        if inside is None:
            return file.read(place)
    archive, name = inside
    ((_, content),) = archive.read([Item(name)])
    if isinstance(content, str):
        raise ImageError(content)
    return content


def _inside_remote(url: str) -> tuple[Archive, str] | None:
    start, _, path = url.partition("://")
    parts = path.split("/")
    for end in range(1, len(parts)):
        format = format_of(parts[end - 1]) if end > 1 else None
        if format is not None:
            return Archive(RemoteFile(f"{start}://{'/'.join(parts[:end])}"), format), "/".join(parts[end:])
    return None


def own_file(place: Address) -> Path | None:
    """Return the file that a photograph is, or None where it is none of its own that is there."""
    return place if isinstance(place, Path) and place.is_file() else None


def _inside(place: Path) -> tuple[Archive, str] | None:
    """Return the archive that an address leads into, and the name of the photograph there."""
    for above in place.parents:
        format = format_of(above.name)
        if format is not None and above.is_file():
            return Archive(LocalFile(above), format), place.relative_to(above).as_posix()
    return None
