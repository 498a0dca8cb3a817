"""Which folder a writer adds to: its own one, the one of a data folder that moved, or a new one."""

import os
import re
from pathlib import Path

import numpy as np

from embed import files
from embed.cache.folders import Meta, folder_names, read_meta, same_folder
from embed.cache.listing import list_parts, part_names
from embed.cache.lock import Lock
from embed.cache.reader import FeatureCache, FeatureSet
from embed.cache.recipe import Recipe
from embed.errors import CacheDamagedError, CacheError

SAMPLE_ROWS = 64  # looked for in a data folder to tell whether it is one that moved
SAME_SHARE = 0.5  # of them that have to be there, in the same size


def claim(cache: Path, dataset: str, root: Path, recipe: Recipe) -> tuple[Path, Lock, Meta | None]:
    """Lock the feature set of a data folder and return its folder, the lock and its meta.json, None for a new set.

    Two data folders of one name never share a set. One that was moved keeps its set: its former place is gone, and
    half of the photographs of a sample are in the new place.

    Raises
    ------
    CacheLockedError
        Another process writes to the set.
    CacheWriteError
        The disk refused.
    CacheDamagedError
        A folder of that name holds parts and no readable meta.json.
    """
    while True:
        folder = _choose(cache, dataset, root, recipe)
        files.make_folder(folder)
        lock = Lock(folder)
        try:
            # Another writer may have taken the folder between the choice and the lock.
            if _choose(cache, dataset, root, recipe) == folder:
                return folder, lock, _read(folder)
        except BaseException:
            lock.release()
            raise
        lock.release()


def last_extraction(cache: Path) -> int:
    """Return the number of the last extraction into any set of the cache."""
    numbers = [0]
    for folder in cache.iterdir():
        try:
            numbers.append(read_meta(folder).extraction)
        except (FileNotFoundError, NotADirectoryError, CacheError):
            continue  # no feature set, or one that its own reader will complain about
    return max(numbers)


def _choose(cache: Path, dataset: str, root: Path, recipe: Recipe) -> Path:
    start, end = folder_names(dataset, recipe)
    pattern = re.compile(re.escape(start) + r"(?:-(\d+))?" + re.escape(end))
    taken = sorted(name for name in os.listdir(cache) if pattern.fullmatch(name))
    metas = {name: _read(cache / name) for name in taken}
    alike = {
        name: meta
        for name, meta in metas.items()
        if meta and (meta.dataset, meta.recipe.hash) == (dataset, recipe.hash)
    }
    for name, meta in alike.items():
        if meta.root == str(root) or same_folder(meta.root, root):
            return cache / name
    for name, meta in alike.items():
        if not Path(meta.root).is_dir() and _moved_to(cache / name, meta, root):
            return cache / name
    free = (start + end, *(f"{start}-{number}{end}" for number in range(2, len(taken) + 3)))
    return cache / next(name for name in free if metas.get(name) is None)


def _read(folder: Path) -> Meta | None:
    try:
        return read_meta(folder)
    except FileNotFoundError:
        if part_names(folder):
            raise CacheDamagedError(
                f"{folder} holds parts and no meta.json: restore it, or delete {folder}"
            ) from None
        return None


def _moved_to(folder: Path, meta: Meta, root: Path) -> bool:
    """Return whether a data folder holds the photographs of a feature set."""
    cache = FeatureCache(FeatureSet(folder, meta), list_parts(folder, meta.recipe.hash).parts)
    sample = np.unique(np.linspace(0, len(cache) - 1, min(SAMPLE_ROWS, len(cache))).astype(int)).tolist()
    there = sum(_size(root, cache.keys[row]) == cache.sizes[row] for row in sample)
    return there >= SAME_SHARE * len(sample)


def _size(root: Path, key: bytes) -> int | None:
    try:
        return os.stat(os.path.join(os.fsencode(root), key)).st_size
    except OSError:
        return None
