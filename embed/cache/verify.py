"""Checking a feature set from end to end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from embed import files
from embed.cache import exif, failures
from embed.cache.failures import FAILURES_NAME
from embed.cache.hdf5 import Hdf5
from embed.cache.listing import list_parts
from embed.cache.manifest import MANIFEST_NAME
from embed.cache.meta import META_NAME, SEALED_FROM, read_meta
from embed.cache.origin import ORIGIN_NAME
from embed.cache.parts import Part, check_contents
from embed.cache.reader import FeatureCache
from embed.cache.sets import FeatureSet
from embed.cache.tuned import NAME as TUNED_NAME
from embed.cache.tuned import check_tuned
from embed.errors import CacheDamagedError, UntrustedError

MODEL_NAME = "model.json"
TUNE = "tune"  # a cache in the set


@dataclass
class Report:
    """What ``verify`` found.

    Parameters
    ----------
    folder : Path
        Of the feature set.
    parts : int
        Parts of the set, damaged and missing ones included.
    rows : int
        Rows in the parts that are whole.
    damaged : dict of str to str
        Names of damaged and missing files, each with a sentence.
    """

    folder: Path
    parts: int = 0
    rows: int = 0
    damaged: dict[str, str] = field(default_factory=dict)


def verify(
    feature_set: FeatureSet,
    quick: bool = False,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Report:
    """Check every file of a feature set: that it is there, its sha256, its checksums, and those of HDF5.

    Parameters
    ----------
    feature_set : FeatureSet
        One of ``list_features``.
    quick : bool
        Of the parts, look at names, sizes and indexes only: that finds what is missing or cut short, not a flipped bit.
    progress : callable
        Is told what is done, and how many rows of how many.

    Raises
    ------
    CacheFormatError
        A file is foreign, or of another recipe or a newer format.
    CacheError
        A file cannot be read.
    """
    folder, meta = feature_set.folder, feature_set.meta
    listing = list_parts(folder, meta)
    damaged = listing.problems()
    parts = len(listing.parts) + len(damaged)
    whole: list[Part] = []
    rows = sum(map(len, listing.parts))
    with Hdf5() as hdf5:
        for part in listing.parts:
            progress("Checking rows", sum(map(len, whole)), rows)
            try:
                _ = part.columns
                if not quick:
                    check_contents(part, hdf5)
                whole.append(part)
            except CacheDamagedError as error:
                damaged[part.name] = str(error)
    if listing.torn:
        damaged[MANIFEST_NAME] = (
            f"{folder / MANIFEST_NAME} is damaged in {listing.torn} lines; run embed extract, which writes it anew"
        )
    cache = FeatureCache(feature_set, whole)
    if not damaged and (lost := cache.lost_rows()):
        damaged[META_NAME] = lost
    damaged |= _check_small_files(folder)
    return Report(folder, parts, len(cache), damaged)


def _check_small_files(folder: Path) -> dict[str, str]:
    """Check the small files that carry a checksum of their own, also those that others keep in the set."""
    damaged = {}
    models = [model / MODEL_NAME for model in files.folders_with(folder / "models", MODEL_NAME)]
    for path in (
        folder / META_NAME,
        folder / FAILURES_NAME,
        folder / exif.NAME,
        folder / ORIGIN_NAME,
        *models,
        folder / TUNED_NAME,
        *(one / META_NAME for one in files.folders_with(folder / TUNE, META_NAME)),
    ):
        try:
            if path.name == FAILURES_NAME:
                failures.read(folder)
            elif path.name == exif.NAME:
                exif.read(folder)
            elif path.name == META_NAME and path.parent == folder:
                read_meta(folder)
            elif path.name == TUNED_NAME:
                check_tuned(folder)
            else:
                boundary = files.Boundary.of_set(folder) if path in models else None
                files.read_document(path, SEALED_FROM, boundary)
        except FileNotFoundError:
            continue  # replaced meanwhile, or never written
        except (CacheDamagedError, UntrustedError) as error:
            damaged[str(path.relative_to(folder))] = str(error)
    return damaged
