"""Which parts of a folder make up its feature set."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from embed.cache import ledger
from embed.cache.parts import NAME, Part, open_part, part_sequence, replay_order
from embed.errors import CacheDamagedError, CacheError, CacheFormatError

THREADS = min(8, os.cpu_count() or 1)
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
    """

    folder: Path
    parts: list[Part]
    replaced: list[str]
    damaged: dict[str, str]
    missing: list[str]

    def problems(self) -> dict[str, str]:
        """Return what keeps this from being the whole set: names, each with a sentence."""
        gone = {
            name: f"{self.folder / name} is missing; run embed extract to recompute its rows"
            for name in self.missing
        }
        unreplaced = {name: what for name, what in self.damaged.items() if name not in self.replaced}
        return unreplaced | gone


def list_parts(folder: Path, recipe_hash: str, known: dict[str, Part] | None = None) -> Listing:
    """Open every part of a folder.

    A writer may publish, fold and delete meanwhile; the result is the set as it was at one moment.

    Raises
    ------
    CacheFormatError
        A part is of another format or recipe, or a foreign file lies between the parts.
    CacheError
        A part cannot be read.
    """
    opened = dict(known or {})
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_S)
        # The ledger first: whatever it names was published before the folder is listed.
        published = ledger.read(folder)
        names = part_names(folder)
        opened = {name: part for name, part in opened.items() if name in names}
        damaged: dict[str, str] = {}
        vanished = False
        fresh = [name for name in names if name not in opened]
        for name, result in _open_all(folder, fresh):
            if isinstance(result, Part):
                if result.recipe_hash != recipe_hash:
                    raise CacheFormatError(
                        f"{folder / name} holds features of another recipe ({result.recipe_hash[:8]} instead of "
                        f"{recipe_hash[:8]}): move it elsewhere"
                    )
                opened[name] = result
            elif isinstance(result, CacheDamagedError):
                damaged[name] = str(result)
            else:
                vanished = True
        replaced = {name for part in opened.values() for name in part.replaces}
        missing = sorted(published - set(names) - replaced)
        if not vanished and not missing:
            break
    return Listing(
        folder=folder,
        parts=sorted((opened[n] for n in set(opened) - replaced), key=lambda part: replay_order(part.name)),
        replaced=sorted(replaced & set(names)),
        damaged=damaged,
        missing=missing,
    )


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
    """Return a sequence number above every published one."""
    return 1 + max((part_sequence(name) for name in part_names(folder)), default=0)


def _open_all(folder: Path, names: list[str]) -> Iterator[tuple[str, Part | CacheDamagedError | None]]:
    def attempt(name: str) -> Part | CacheDamagedError | None:
        try:
            return open_part(folder / name)
        except FileNotFoundError:
            return None
        except CacheDamagedError as error:
            return error

    if len(names) < 2:
        yield from ((name, attempt(name)) for name in names)
        return
    with ThreadPoolExecutor(THREADS) as pool:
        yield from zip(names, pool.map(attempt, names), strict=True)
