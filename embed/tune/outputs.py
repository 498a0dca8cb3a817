"""The outputs of the layer below the cut, computed once and kept inside the feature set until the training is done.

``tune/`` in a set is a cache of its own: what extracts features extracts these, so they survive kills, are taken up where they were
left, and are checked whenever they are read. Nobody lists it.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embed import sources
from embed.backbones import Cut
from embed.cache import FeatureCache, list_features, sick_features
from embed.errors import CacheError, CacheWriteError
from embed.extract import FeatureOptions, RunOptions, extract_features
from embed.tune.options import Told

FOLDER = "tune"
TRAINING = "training"  # in it: where a training that was interrupted goes on
STORED = "float16"


def options_of(features: FeatureOptions, cut: Cut, views: int, seed: int) -> FeatureOptions:
    """Return what computes the outputs of a cut, as they are kept."""
    network = replace(features.network, layer=cut.layer, pooling="flatten", mirror=False)
    return replace(features, network=network, views=views, view_seed=seed, dtype=STORED)


def size_of(photographs: int, cut: Cut, views: int) -> int:
    """Return how many bytes the outputs of a cut take on disk."""
    return int(photographs * views * cut.values * np.dtype(STORED).itemsize)


def compute(
    features: FeatureCache,
    rows: NDArray[np.int64],
    source: sources.Source,
    options: FeatureOptions,
    run: RunOptions,
    told: Told,
) -> FeatureCache:
    """Compute the outputs of some photographs of a feature set that are not kept yet.

    Parameters
    ----------
    features : FeatureCache
    rows : ndarray of int64
        Of the photographs, ascending.
    source : Source
        Where they are.
    options : FeatureOptions
        As of `options_of`.
    run : RunOptions
    told : Told

    Raises
    ------
    CacheWriteError
        There is no room for them, or the disk refused.
    """
    cache = features.folder / FOLDER
    wanted = options.recipe(options.network.resolve()).hash
    others = [one.folder for one in list_features(cache) if one.meta.recipe.hash != wanted]
    for folder in [*others, *(cache / name for name in sick_features(cache))]:
        shutil.rmtree(folder)  # of another cut: one set is kept
    items = [
        sources.Item(features.path(row), int(features.sizes[row]), int(features.mtimes_ns[row]))
        for row in rows.tolist()
    ]
    some = sources.Some(source, items)
    summary = extract_features(some, cache, options, replace(run, name=None, move=False), told.extracting)
    if summary.interrupted:
        raise KeyboardInterrupt
    return FeatureCache.open(next(one for one in list_features(cache) if one.name == summary.features))


def check_room(folder: Path, needed: int) -> None:
    """Raise CacheWriteError where a disk has no room for so many bytes beside what is kept there already."""
    cache = folder / FOLDER
    kept = 0
    for one in list_features(cache):
        try:
            kept += FeatureCache.open(one).bytes_on_disk
        except CacheError:
            continue
    free = shutil.disk_usage(folder).free
    if needed - kept > free:
        raise CacheWriteError(
            f"the outputs of the layer take {needed / 1e9:.1f} GB in {cache}, and {free / 1e9:.1f} GB are free: free some space, "
            "or take a cut further up, fewer views or fewer photographs"
        )


def matching(features: FeatureCache, outputs: FeatureCache, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the row of each photograph among the outputs; -1 for one whose outputs could not be computed, or that changed."""
    found = [outputs.index_of(features.path(row)) for row in rows.tolist()]
    place = np.array([-1 if row is None else row for row in found], np.int64)
    same = (outputs.sha256[place] == features.sha256[rows]).all(axis=1)
    return np.where(same, place, -1)


def remove(folder: Path) -> None:
    """Remove everything that is kept for the training."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
