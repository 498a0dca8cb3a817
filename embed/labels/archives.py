"""Paths of photographs in several archives, as their folders are to be read: an archive is no folder, and may be a split."""

import re
from collections.abc import Sequence

from embed.labels.names import split_named

SUFFIXES = (".tar", ".zip", ".parquet")
_WORDS = re.compile(r"[^\W\d_]+")


def looked_into(paths: Sequence[str], places: Sequence[str]) -> Sequence[str]:
    """Return the paths with each archive among the places replaced by the split that its name says, or by nothing.

    Examples
    --------
    >>> looked_into(["train-00.tar/a/1.jpg", "extra.zip/a/2.jpg"], ["train-00.tar", "extra.zip"])
    ['train/a/1.jpg', 'a/2.jpg']
    >>> paths = ["x/1.jpg"]
    >>> looked_into(paths, ["x"]) is paths
    True
    """
    instead = {place: _split(place) for place in places if place.lower().endswith(SUFFIXES)}
    if not instead:
        return paths
    found = []
    for path in paths:
        end = path.find("/")
        while end >= 0 and path[:end] not in instead:
            end = path.find("/", end + 1)
        split = instead.get(path[:end]) if end >= 0 else None
        found.append(path if end < 0 else path[end + 1 :] if split is None else f"{split}{path[end:]}")
    return found


def _split(place: str) -> str | None:
    """Return the split that the name of an archive has a word for."""
    stem = place.rpartition("/")[2].rpartition(".")[0]
    return next((split for word in _WORDS.findall(stem) if (split := split_named(word)) is not None), None)
