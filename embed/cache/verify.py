"""Checking a feature set from end to end."""

from dataclasses import dataclass, field
from pathlib import Path

from embed.cache.folders import FeatureSet
from embed.cache.listing import list_parts
from embed.cache.parts import check_contents
from embed.cache.reader import FeatureCache
from embed.errors import CacheDamagedError


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
        Names of damaged and missing parts, each with a sentence.
    """

    folder: Path
    parts: int = 0
    rows: int = 0
    damaged: dict[str, str] = field(default_factory=dict)


def verify(feature_set: FeatureSet, quick: bool = False) -> Report:
    """Check every part of a feature set: that it is there, its sha256, its checksums, and those of HDF5.

    Parameters
    ----------
    feature_set : FeatureSet
        One of ``list_features``.
    quick : bool
        Look at names, sizes and indexes only: that finds what is missing or cut short, not a flipped bit.

    Raises
    ------
    CacheFormatError
        A file is foreign, or of another recipe or a newer format.
    """
    listing = list_parts(feature_set.folder, feature_set.meta.recipe.hash)
    damaged = listing.problems()
    parts = len(listing.parts) + len(damaged)
    whole = []
    for part in listing.parts:
        try:
            if not quick:
                check_contents(part)
            whole.append(part)
        except CacheDamagedError as error:
            damaged[part.name] = str(error)
    rows = len(FeatureCache(feature_set, whole))
    return Report(feature_set.folder, parts, rows, damaged)
