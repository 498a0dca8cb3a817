"""Photographs that are no files of this machine: members of archives, and objects elsewhere."""

from collections.abc import Iterator
from pathlib import Path

from embed.errors import ImageError
from embed.sources import file
from embed.sources.archive import Archive
from embed.sources.blob import LocalFile
from embed.sources.formats import format_of
from embed.sources.left_out import Filters
from embed.sources.objects import read_object
from embed.sources.remotes import RemoteFile
from embed.sources.source import Address, Content, Item


def archive_at(place: Address, filters: Filters | None = None) -> Archive | None:
    """Return the archive at a place, whether it is there or not; None where the name is that of none."""
    format = format_of(str(place))
    if format is None:
        return None
    return Archive(RemoteFile(place) if isinstance(place, str) else LocalFile(place), format, filters)


def read_within(place: Address) -> Content:
    """Return the bytes of one photograph. Raises ImageError."""
    for above, name in _ways(place):
        archive = archive_at(above)
        if archive is not None:
            ((_, content),) = archive.read([Item(name)])
            if isinstance(content, str):
                raise ImageError(content)
            return content
    if isinstance(place, Path):
        return file.read(place)
    folder, _, name = place.rpartition("/")
    return read_object(folder, name)


def _ways(place: Address) -> Iterator[tuple[Address, str]]:
    """Yield what may be an archive on the way to a photograph, each with the rest of the way."""
    if isinstance(place, Path):
        yield from (
            (above, place.relative_to(above).as_posix()) for above in place.parents if above.is_file()
        )
        return
    start, _, path = place.partition("://")
    parts = path.split("/")
    for end in range(2, len(parts)):
        yield f"{start}://{'/'.join(parts[:end])}", "/".join(parts[end:])
