"""Which parts of a folder make up its feature set."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from embed.cache import manifest
from embed.cache.manifest import LAST_SEQUENCE, NAME, Entry, part_sequence, replay_order
from embed.cache.meta import Meta
from embed.cache.parts import Part
from embed.errors import CacheDamagedError, CacheError, CacheFormatError

ATTEMPTS = 20  # to catch a folder between two steps of a writer that folds parts
PAUSE_S = 0.02


@dataclass
class Listing:
    """The parts of a folder.

    Parameters
    ----------
    folder : Path
    parts : list of Part
        Live parts in replay order.
    replaced : list of str
        Names on disk whose content is in a live part.
    damaged : dict of str to str
        Name on disk and what is wrong with it.
    missing : list of str
        Names that were published and are not there.
    published : dict of str to Entry
        What the manifest says.
    torn : int
        Lines of the manifest that are damaged.
    """

    folder: Path
    parts: list[Part] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    published: dict[str, Entry] = field(default_factory=dict)
    torn: int = 0

    def problems(self) -> dict[str, str]:
        """Return what keeps this from being the whole set: names, each with a sentence."""
        gone = {
            name: f"{self.folder / name} is missing; run embed extract to recompute its rows"
            for name in self.missing
        }
        unreplaced = {name: what for name, what in self.damaged.items() if name not in self.replaced}
        return unreplaced | gone


def list_parts(folder: Path, meta: Meta) -> Listing:
    """Open every part of a folder; what the manifest tells of them is not read.

    A writer may publish, fold and delete meanwhile; the result is the set as it was at one moment.

    Raises
    ------
    CacheFormatError
        A part that the manifest does not know is of another format or recipe, or a foreign file lies between the parts.
    CacheError
        A part cannot be read.
    """
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_S)
        # The manifest first: whatever it names was published before the folder is listed.
        published, torn = manifest.read(folder)
        names = part_names(folder)
        listing = Listing(folder, published=published, torn=torn)
        vanished = False
        opened: dict[str, Part] = {}
        for name in names:
            try:
                part = Part(folder / name, meta, published.get(name))
                _ = part.entry
                opened[name] = part
            except FileNotFoundError:
                vanished = True
            except CacheDamagedError as error:
                listing.damaged[name] = str(error)
        replaced = _replaced(opened, listing)
        listing.parts = [opened[name] for name in names if name in opened and name not in replaced]
        listing.replaced = sorted(replaced & set(names))
        listing.missing = sorted(published.keys() - set(names) - replaced)
        if not vanished and not listing.missing:
            break
    return listing


def _replaced(opened: dict[str, Part], listing: Listing) -> set[str]:
    """Return the names of what is replaced: of a part that is there only where another says so itself."""
    replaced: set[str] = set()
    for part in list(opened.values()):
        try:
            if not opened.keys().isdisjoint(part.entry.replaces):
                part.agrees()
            replaced |= set(part.entry.replaces)
        except CacheDamagedError as error:
            listing.damaged[part.name] = str(error)
            del opened[part.name]
    return replaced


def part_names(folder: Path) -> list[str]:
    """Return the names of the parts in a folder.

    Raises
    ------
    CacheFormatError
        A file looks like a part and is none.
    """
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise CacheError(f"cannot read {folder}: {error.strerror or error}") from error
    parts = []
    for name in names:
        if NAME.fullmatch(name):
            parts.append(name)
        elif name.startswith("."):
            continue  # temporary files, the lock, and what file managers leave
        elif name.endswith((".h5", ".hdf5")) or name.startswith("part-"):
            raise CacheFormatError(
                f"{folder / name} is no part of this feature set (expected part-<number>-<digest>-<digest>.h5): "
                "move it elsewhere"
            )
    return sorted(parts, key=replay_order)


def next_sequence(folder: Path) -> int:
    """Return a sequence number above every published one.

    Raises
    ------
    CacheFormatError
        There is none: a part has the last one.
    """
    last = max(part_names(folder), key=part_sequence, default=None)
    sequence = 0 if last is None else part_sequence(last)
    if sequence >= LAST_SEQUENCE:
        raise CacheFormatError(
            f"{folder / str(last)} has the last number that a part can have: move it elsewhere"
        )
    return sequence + 1
