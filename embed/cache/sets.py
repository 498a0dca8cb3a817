"""The feature sets of a cache, and which one belongs to which data folder."""

import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embed import files
from embed.cache.listing import list_parts, part_names
from embed.cache.lock import Lock
from embed.cache.meta import META_NAME, Meta, meta_from_parts, read_meta
from embed.cache.recipe import Recipe
from embed.cache.replay import Replay
from embed.errors import CacheDamagedError, CacheError, NoFeaturesError

NAME_BYTES = 120  # of the name of a data folder, at most, in the name of a feature set
SAMPLE_ROWS = 64  # looked for in a data folder to tell whether it is one that moved
SAME_SHARE = 0.5  # of them that have to be there, in the same size

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FeatureSet:
    """One feature set of a cache: where it is and what its ``meta.json`` says."""

    folder: Path
    meta: Meta

    @property
    def name(self) -> str:
        """Name of the folder, which picks the set on the command line."""
        return self.folder.name


def list_features(cache: Path) -> list[FeatureSet]:
    """Return the feature sets of a cache, the one extracted last first; `sick_features` names those left out.

    Raises
    ------
    CacheError
        The folder cannot be read.
    """
    return _scan(Path(cache))[0]


def sick_features(cache: Path) -> dict[str, CacheError]:
    """Return the feature sets that cannot be used as they are: the name of each, and what is wrong with it.

    Raises
    ------
    CacheError
        The folder cannot be read.
    """
    return _scan(Path(cache))[1]


def find_features(cache: Path, name: str | None = None) -> FeatureSet:
    """Return the feature set of that name, or the one extracted last.

    A set that is damaged or of a newer format stops nobody who asks for another one; it is said in the log.

    Raises
    ------
    NoFeaturesError
        There is none.
    CacheDamagedError, CacheFormatError
        The set of that name, or every one, is damaged or of a newer format.
    """
    cache = Path(cache)
    if name is not None:
        # Only this one is looked at: damage in another set is no concern of its reader.
        try:
            return FeatureSet(cache / name, read_set(cache / name))
        except FileNotFoundError:
            known = ", ".join(found.name for found in list_features(cache)) or "none"
            raise NoFeaturesError(f"{cache} holds no feature set {name!r}; it holds: {known}") from None
    sets, sick = _scan(cache)
    if not sets:
        raise next(
            iter(sick.values()),
            NoFeaturesError(f"{cache} holds no features: run `embed extract` first, or name another cache"),
        )
    _say(sick)
    return sets[0]


def read_set(folder: Path) -> Meta:
    """Return what ``meta.json`` says.

    Raises
    ------
    FileNotFoundError
        The folder is no feature set.
    CacheDamagedError
        ``meta.json`` is damaged, or missing beside parts.
    CacheFormatError
        It is of another or a newer format.
    """
    path = folder / META_NAME
    hint = "run embed extract on the same photographs, which makes it anew from the parts"
    try:
        return read_meta(folder)
    except FileNotFoundError:
        if "--" in folder.name and folder.is_dir() and part_names(folder):
            raise CacheDamagedError(f"{path} is missing: {hint}") from None
        raise
    except CacheDamagedError as error:
        raise CacheDamagedError(f"{error}; {hint}") from error


def _scan(cache: Path) -> tuple[list[FeatureSet], dict[str, CacheError]]:
    """Return the sets that can be used, the one extracted last first, and what is wrong with the others."""
    sets: list[FeatureSet] = []
    sick: dict[str, CacheError] = {}
    try:
        folders = sorted(path for path in cache.iterdir() if path.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return sets, sick
    except OSError as error:
        raise CacheError(f"cannot read {cache}: {error.strerror or error}") from error
    for folder in folders:
        try:
            sets.append(FeatureSet(folder, read_set(folder)))
        except FileNotFoundError:
            continue
        except CacheError as error:
            sick[folder.name] = error
    return sorted(sets, key=lambda s: (-s.meta.extraction, s.name)), sick


def _say(sick: dict[str, CacheError]) -> None:
    for error in sick.values():
        log.warning("%s", error)


def lock_set(cache: Path, dataset: str, root: Path, recipe: Recipe) -> tuple[Path, Lock, Meta | None]:
    """Lock the feature set of a data folder and return its folder, the lock and what it is, None for a new set.

    Two data folders of one name never share a set. One that was moved keeps its set: its former place is gone, and
    half of the photographs of a sample are in the new place. So does one whose ``meta.json`` was lost.

    Raises
    ------
    CacheLockedError
        Another process writes to the set.
    CacheWriteError
        The disk refused.
    CacheFormatError
        A folder of that name is of a newer format.
    """
    while True:
        folder, _ = _choose(cache, dataset, root, recipe)
        files.make_folder(folder)
        lock = Lock(folder)
        try:
            # Another writer may have taken the folder between the choice and the lock.
            again, meta = _choose(cache, dataset, root, recipe)
            if again == folder:
                return folder, lock, meta
        except BaseException:
            lock.release()
            raise
        lock.release()


def next_extraction(cache: Path, name: str) -> int:
    """Return the number of the extraction into a set that begins, one above that of any set of the cache."""
    sets, sick = _scan(cache)
    _say({other: error for other, error in sick.items() if other != name})
    return 1 + max((found.meta.extraction for found in sets), default=0)


def _choose(cache: Path, dataset: str, root: Path, recipe: Recipe) -> tuple[Path, Meta | None]:
    start, end = _folder_names(dataset, recipe)
    pattern = re.compile(re.escape(start) + r"(?:-(\d+))?" + re.escape(end))
    taken = sorted(name for name in os.listdir(cache) if pattern.fullmatch(name))
    metas = {name: _meta_of(cache / name, dataset) for name in taken}
    alike = {
        name: meta
        for name, meta in metas.items()
        if meta and (meta.dataset, meta.recipe.hash) == (dataset, recipe.hash)
    }
    for name, meta in alike.items():
        if meta.root and (meta.root == str(root) or _same_folder(meta.root, root)):
            return cache / name, meta
    for name, meta in alike.items():
        if not (meta.root and Path(meta.root).is_dir()) and _moved_to(cache / name, meta, root):
            return cache / name, meta
    free = (start + end, *(f"{start}-{number}{end}" for number in range(2, len(taken) + 3)))
    return cache / next(name for name in free if metas.get(name) is None), None


def _meta_of(folder: Path, dataset: str) -> Meta | None:
    try:
        return read_meta(folder)
    except (FileNotFoundError, CacheDamagedError):
        return meta_from_parts(folder, dataset)


def _moved_to(folder: Path, meta: Meta, root: Path) -> bool:
    """Return whether a data folder holds the photographs of a feature set; no where the set cannot be read."""
    try:
        replay = Replay(list_parts(folder, meta).parts)
        keys, sizes = replay.keys(), replay.column("size", np.empty(0, np.int64))
    except CacheError as error:
        log.warning("%s", error)
        return False
    sample = np.unique(np.linspace(0, len(keys) - 1, min(SAMPLE_ROWS, len(keys))).astype(int)).tolist()
    there = sum(_size(root, keys[row]) == sizes[row] for row in sample)
    return there >= SAME_SHARE * len(sample)


def _size(root: Path, key: bytes) -> int | None:
    try:
        return os.stat(os.path.join(os.fsencode(root), key)).st_size
    except OSError:
        return None


def _folder_names(dataset: str, recipe: Recipe) -> tuple[str, str]:
    """Return what a folder of this data set and recipe starts with, and what it ends with."""
    safe = "".join("_" if c in "/\\" or (not c.isprintable() and not _is_byte(c)) else c for c in dataset)
    encoded = os.fsencode(safe).lstrip(b".")[:NAME_BYTES] or b"data"
    return os.fsdecode(encoded), f"--{recipe.backbone}-{recipe.hash[:8]}"


def _is_byte(character: str) -> bool:
    return "\udc80" <= character <= "\udcff"


def _same_folder(a: str, b: Path) -> bool:
    """Return whether both are one folder on disk."""
    try:
        return os.path.samefile(a, b)
    except OSError:
        return False
