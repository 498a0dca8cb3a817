"""What a writer does before it adds anything: sweep, check every part, set damaged ones aside."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from embed import files
from embed.cache import ledger
from embed.cache.listing import THREADS, Listing, list_parts, part_names
from embed.cache.parts import Part
from embed.errors import CacheDamagedError

DAMAGED_FOLDER = "damaged"


def recover(folder: Path, recipe_hash: str) -> tuple[list[Part], dict[str, str]]:
    """Put a folder in order, under the lock: return its live parts, and the lost ones each with a sentence.

    Temporary files are removed, damaged parts moved to ``damaged/``, and parts that an intact one replaces deleted.

    Raises
    ------
    CacheWriteError
        The disk refused.
    CacheFormatError
        A file is foreign, or of another recipe or a newer format.
    """
    files.sweep(folder)
    lost: dict[str, str] = {}
    listing = list_parts(folder, recipe_hash)
    _check(listing, ())
    while listing.damaged:
        # Into the ledger first: that these rows are lost must be known until they have been computed again.
        ledger.write(folder, {*ledger.read(folder), *part_names(folder)})
        aside = files.move_aside(folder, listing.damaged, DAMAGED_FOLDER)
        for name, what in listing.damaged.items():
            lost[name] = f"{what.partition(';')[0]} (moved to {aside})"
        # A part that a damaged one replaced may be live again.
        intact = {part.name: part for part in listing.parts}
        listing = list_parts(folder, recipe_hash, intact)
        _check(listing, intact)
    lost = listing.problems() | lost
    names = {*lost, *(part.name for part in listing.parts)}
    if ledger.read(folder) != names:
        ledger.write(folder, names)
    files.remove(folder, listing.replaced)
    return listing.parts, lost


def _check(listing: Listing, checked: Collection[str]) -> None:
    """Read every block of the parts that were not checked before; a damaged one joins the damaged."""

    def attempt(part: Part) -> CacheDamagedError | None:
        try:
            part.file.check_blocks()
        except CacheDamagedError as error:
            return error
        return None

    fresh = [part for part in listing.parts if part.name not in checked]
    with ThreadPoolExecutor(THREADS) as pool:
        for part, error in zip(fresh, pool.map(attempt, fresh), strict=True):
            if error is not None:
                listing.damaged[part.name] = str(error)
    listing.parts = [part for part in listing.parts if part.name not in listing.damaged]
