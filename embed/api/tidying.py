"""Photographs put aside, into a bin beside the others, and back again."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from embed.api.features import Features
from embed.api.labelling import path_of
from embed.arguments import checked
from embed.cache import FeatureCache
from embed.errors import InputError
from embed.moving import Bin, Binned, Moved, Restored, Wanted, bin_of

if TYPE_CHECKING:
    from embed.search import DuplicateGroup, Progress


@dataclass(frozen=True)
class PutAside:
    """What became of groups of duplicates, or would.

    Attributes
    ----------
    moved : Moved
        What was put aside.
    kept : mapping of str to bool
        Path → whether it is kept, of the groups of which anything goes.
    disagreeing : int
        Groups that were left alone because their labels disagree.
    """

    moved: Moved
    kept: Mapping[str, bool] = field(repr=False)
    disagreeing: int


@checked
def move_to_bin(
    features: FeatureCache,
    photographs: Sequence[str | os.PathLike[str]],
    bin: Path | None = None,
    *,
    reason: str = "",
    dry_run: bool = False,
) -> Moved:
    """Put photographs aside, out of the way of the next extraction; nothing is deleted, and `restore` puts them back.

    They are renamed into a folder of their own in the bin, with their path in the data folder. What is about to move is
    written into the journal of the bin before it does. A photograph that is not what its features were computed of stays.

    Parameters
    ----------
    features : FeatureCache
    photographs : sequence of str or path
        Their paths in the data folder, or their files.
    bin : Path, optional
        A folder on the same disk; by default ``.embed-bin`` in the data folder. It is never extracted, whatever its name.
    reason : str
        Why, for whoever looks into the bin.
    dry_run : bool
        Only look what would be done.

    Returns
    -------
    Moved
        What was put aside, and what stays and why.

    Raises
    ------
    InputError
        Something is no photograph of the feature set, and nothing is moved then; the folder holds other files.
    CacheWriteError
        The journal cannot be written; nothing has moved then.

    Examples
    --------
    >>> from embed import api
    >>> known = embed.open("cache").cache
    >>> moved = api.move_to_bin(known, [known.path(0)], reason="blurred", dry_run=True)
    >>> [one.path for one in moved.photographs] == [known.path(0)], moved.bin.name
    (True, '.embed-bin')
    """
    wanted = []
    for photograph in photographs:
        path = path_of(features, photograph)
        row = features.index_of(path)
        assert row is not None, "path_of looked"
        wanted.append(
            Wanted(
                path, int(features.sizes[row]), int(features.mtimes_ns[row]), features.sha256[row].tobytes()
            )
        )
    return _bin(features, bin).move(wanted, reason=reason, dry_run=dry_run)


@checked
def put_aside(
    features: Features,
    groups: "Sequence[DuplicateGroup]",
    keep: str = "largest",
    bin: Path | None = None,
    *,
    dry_run: bool = False,
    progress: "Progress | None" = None,
) -> PutAside:
    """Keep one photograph of each group of duplicates, and put the others aside.

    What merely looks alike stays, and so does every photograph of a group whose labels disagree: somebody has to say first
    which is right.

    Parameters
    ----------
    features : Features
    groups : sequence of DuplicateGroup
        As `embed.api.duplicates` returns them.
    keep : {"largest", "first", "sharpest"}
        The most pixels, and of those the most bytes; the first path; the most detail.
    bin, dry_run
        As for `move_to_bin`.
    progress : callable, optional

    Raises
    ------
    UsageError
        There is no such rule of what is kept.
    InputError, CacheWriteError
        As for `move_to_bin`.

    Examples
    --------
    >>> from embed import api
    >>> features = embed.open("cache")
    >>> api.put_aside(features, api.duplicates(features.cache), dry_run=True).moved.photographs
    ()
    """
    from embed import search

    going = search.superfluous(features.cache, groups, keep, progress or search.silent)
    kept: dict[str, bool] = {}
    for group, others in zip(groups, going, strict=True):
        gone = {one.path for one in others}
        kept |= {
            one.path: one.path not in gone
            for one in group.photographs
            if gone and one.grade != search.Grade.ALIKE
        }
    moved = move_to_bin(
        features.cache,
        [path for path, stays in kept.items() if not stays],
        bin,
        reason=f"a duplicate; {keep} kept",
        dry_run=dry_run,
    )
    return PutAside(moved, kept, sum(group.labels_disagree for group in groups))


@checked
def bin_contents(features: FeatureCache, bin: Path | None = None) -> list[Binned]:
    """Return the photographs of a data folder that are in its bin, in the order in which they came.

    Parameters
    ----------
    features : FeatureCache
    bin : Path, optional
        As for `move_to_bin`.

    Raises
    ------
    CacheError
        The journal of the bin cannot be read.

    Examples
    --------
    >>> from embed import api
    >>> api.bin_contents(embed.open("cache").cache)
    []
    """
    return _bin(features, bin).contents()


@checked
def restore(
    features: FeatureCache,
    bin: Path | None = None,
    *,
    photographs: Sequence[str] | None = None,
    batch: str | None = None,
) -> Restored:
    """Put photographs back from the bin to where they were; over no file that has come there meanwhile.

    Parameters
    ----------
    features : FeatureCache
    bin : Path, optional
        As for `move_to_bin`.
    photographs : sequence of str, optional
        Their paths in the data folder; by default all of the batch.
    batch : str, optional
        What was put aside together; by default the last, or where photographs are named whichever has them.

    Returns
    -------
    Restored
        What was put back, and what stays in the bin and why.

    Raises
    ------
    InputError
        There is no such batch, or no such photograph in the bin.
    CacheError
        The journal of the bin cannot be read.

    Examples
    --------
    >>> from embed import api
    >>> api.restore(embed.open("cache").cache).photographs
    ()
    """
    return _bin(features, bin).restore(photographs, batch)


def _bin(features: FeatureCache, folder: Path | None) -> Bin:
    root = features.root
    if isinstance(root, str) or root.is_file():
        raise InputError(
            f"The photographs of {features.name} lie in {root} and are no files of their own: they cannot be moved."
        )
    ends = [features.path(row) for row in (0, len(features) - 1)] if len(features) else []
    return bin_of(root, ends, folder)
