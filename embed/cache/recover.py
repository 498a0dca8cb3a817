"""What a writer does before it adds anything: sweep, look at every part, set damaged ones aside."""

from pathlib import Path

from embed import files
from embed.cache import manifest
from embed.cache.listing import Listing, list_parts
from embed.cache.manifest import Entry
from embed.cache.meta import Meta
from embed.cache.parts import Part
from embed.errors import CacheDamagedError

DAMAGED_FOLDER = "damaged"


def recover(folder: Path, meta: Meta, check: bool) -> tuple[list[Part], dict[str, Entry], dict[str, str]]:
    """Put a folder in order, under the lock.

    Temporary files that nobody writes are removed, damaged parts moved to ``damaged/``, and parts that an intact one
    replaces deleted.

    Parameters
    ----------
    folder : Path
    meta : Meta
    check : bool
        Read every block of every part; otherwise their indexes only.

    Returns
    -------
    parts : list of Part
        Those that are left.
    lost : dict of str to Entry
        Those that are lost, as the manifest goes on naming them.
    sentences : dict of str to str
        What happened to each of them.

    Raises
    ------
    CacheWriteError
        The disk refused.
    CacheError
        A part cannot be read: nothing is set aside for that.
    CacheFormatError
        A file is foreign, or of another recipe or a newer format.
    """
    files.sweep(folder)
    sentences: dict[str, str] = {}
    lost: dict[str, Entry] = {}
    intact: set[str] = set()
    while True:
        listing = list_parts(folder, meta)
        _check(listing, check, intact)
        if not listing.damaged:
            break
        # Into the manifest first: that these rows are lost must be known until they have been computed again.
        lost |= {name: listing.published.get(name, Entry(name)) for name in listing.damaged}
        manifest.write(folder, (listing.published | lost).values())
        aside = files.move_aside(folder, listing.damaged, DAMAGED_FOLDER)
        for name, what in listing.damaged.items():
            sentences[name] = (
                f"{what.partition(';')[0]}; it was moved to {aside}, and its rows are computed again"
            )
        # A part that a damaged one replaced may be live again.
    sentences = listing.problems() | sentences
    lost |= {name: listing.published[name] for name in listing.missing}
    entries = lost | {part.name: part.entry for part in listing.parts}
    if listing.torn or listing.published != entries:
        manifest.write(folder, entries.values())
    files.remove(folder, listing.replaced)
    return listing.parts, lost, sentences


def _check(listing: Listing, blocks: bool, intact: set[str]) -> None:
    """Read the index of every part, or all of its blocks, unless it is known to be intact; the manifest may be wrong."""
    for part in listing.parts:
        if part.name in intact:
            continue
        try:
            part.agrees()
            _ = part.columns, part.entry
            if blocks:
                part.file.check_blocks()
            intact.add(part.name)
        except CacheDamagedError as error:
            listing.damaged[part.name] = str(error)
    listing.parts = [part for part in listing.parts if part.name not in listing.damaged]
