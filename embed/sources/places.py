"""What lies at a place: a folder of photographs, a folder of shards, an archive, a table."""

import os
from collections.abc import Sequence
from pathlib import Path

from embed.errors import InputError, UsageError
from embed.sources.address import WEB, address, scheme
from embed.sources.folder import Folder, named_as_image
from embed.sources.formats import suffix_of
from embed.sources.left_out import Filters
from embed.sources.several import Several, apart
from embed.sources.source import Address, Source

SHARD = ".tar"
TABLES = (".csv", ".tsv", ".parquet")
LOOKED_AT = 100  # entries of a place elsewhere, until it is none of shards


def open_place(place: Address, filters: Filters | None = None) -> Source:
    """Return the source at one place. Whether anything is there is told when it is looked into."""
    if isinstance(place, str):
        return _open_remote(place, filters)
    if place.is_dir():
        shards = _shards(place.resolve())
        if not shards:
            return Folder(place, filters)
        return Several({shard: open_place(shard, filters) for shard in shards}, root=place.resolve())
    # What most extractions do not need is imported where it is.
    if _is_table(place):
        from embed.sources.table import open_table

        return open_table(place, filters)
    if suffix_of(place.name) is None:
        return Folder(place, filters)
    from embed.sources.within import archive_at

    return archive_at(place, filters) or Folder(place, filters)


def open(places: str | Path | Sequence[Address], filters: Filters | None = None) -> Source:
    """Return the source at a place, or at several. Whether anything is there is told when it is looked into.

    Raises
    ------
    UsageError
        No place is named, or they cannot be one source.
    """
    given = [address(places)] if isinstance(places, (str, Path)) else [*places]
    kept, _ = apart(given)
    if not kept:
        raise UsageError("names no folder", "data")
    if len(kept) == 1:
        return open_place(kept[0], filters)
    for place in kept:
        if isinstance(place, Path) and _is_table(place):
            raise UsageError(f"names {place} beside others; a table is a source by itself", "data")
    if len({isinstance(place, str) for place in kept}) > 1:
        raise UsageError("names places on this machine and elsewhere; extract them apart", "data")
    absolute = [
        Path(os.path.normpath(place.absolute())) if isinstance(place, Path) else place for place in kept
    ]
    return Several({place: open_place(place, filters) for place in absolute})


def is_place(path: Address) -> bool:
    """Return whether several photographs may lie at a path, rather than one."""
    if isinstance(path, str):
        return scheme(path) not in WEB and (
            suffix_of(path) is not None or not named_as_image(os.fsencode(path))
        )
    is_named = suffix_of(path.name) is not None or path.name.lower().endswith(TABLES)
    return path.is_dir() or (is_named and path.is_file())


def _is_table(path: Path) -> bool:
    return path.name.lower().endswith(TABLES) and path.is_file()


def _open_remote(url: str, filters: Filters | None) -> Source:
    if scheme(url) in WEB:
        raise UsageError(f"names {url}, and nothing is downloaded from the web here", "data")
    from embed.sources.objects import Objects
    from embed.sources.within import archive_at

    archive = archive_at(url, filters)
    if archive is not None:
        return archive
    shards = _remote_shards(url.rstrip("/"))
    if not shards:
        return Objects(url, filters)
    return Several({shard: open_place(shard, filters) for shard in shards}, root=url.rstrip("/"))


def _remote_shards(url: str) -> list[str]:
    """Return the tar archives below a URL where neither photographs nor folders are; none of any other."""
    from embed.sources.remote import RemoteError
    from embed.sources.remotes import remote

    names: list[str] = []
    try:
        for number, entry in enumerate(remote(url).entries()):
            is_shard = entry.name.lower().endswith(SHARD) and "/" not in entry.name
            is_other = not is_shard and (named_as_image(os.fsencode(entry.name)) or "/" in entry.name)
            if is_other or (number >= LOOKED_AT and not names):
                return []
            names += [entry.name] if is_shard else []
    except RemoteError as error:
        raise InputError(f"{url} {error}.") from error
    return [f"{url}/{name}" for name in sorted(names)]


def _shards(folder: Path) -> list[Path]:
    """Return the tar archives of a folder that holds neither photographs nor folders; none of any other."""
    found = []
    try:
        with os.scandir(os.fsencode(folder)) as entries:
            for entry in entries:
                if named_as_image(entry.name) or entry.is_dir():
                    return []
                if entry.name.lower().endswith(SHARD.encode()) and not entry.name.startswith(b"."):
                    found.append(Path(os.fsdecode(entry.path)))
    except OSError:
        return []
    return sorted(found)
