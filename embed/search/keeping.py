"""Which photograph of a group is kept where the others are put aside."""

from collections.abc import Callable, Sequence

import numpy as np

from embed import sources
from embed.cache import FeatureCache
from embed.errors import ImageError, UsageError
from embed.images import Decoder, Resize
from embed.search.duplicates import Duplicate, DuplicateGroup, Grade
from embed.search.store import Progress

KEEP = ("largest", "first", "sharpest")
SHARPNESS_PIXELS, BLOCK = 256, 16  # of the sides of photographs as they are compared, and of their blocks

Score = Callable[[Decoder, bytes], tuple[float, ...]]


def superfluous(
    features: FeatureCache, groups: Sequence[DuplicateGroup], keep: str, progress: Progress
) -> list[list[Duplicate]]:
    """Return what can go of each group: all that is the same picture as the one that is kept.

    Of a group whose labels disagree nothing can: somebody has to say first which is right. What merely looks alike stays.

    Parameters
    ----------
    features : FeatureCache
    groups : sequence of DuplicateGroup
    keep : {"largest", "first", "sharpest"}
        The most pixels, and of those the most bytes; the first path; the most detail. Of equals the first path.
    progress : callable

    Raises
    ------
    UsageError
        There is no such rule.
    """
    if keep not in KEEP:
        raise UsageError(f"{keep!r} is not known; it is one of {', '.join(KEEP)}", "keep")
    score = {"largest": _size, "sharpest": _sharpness}.get(keep)
    going: list[list[Duplicate]] = []
    with Decoder(Resize(SHARPNESS_PIXELS), workers=1) as decoder:
        for done, group in enumerate(groups, 1):
            members = [one for one in group.photographs if one.grade != Grade.ALIKE]
            if group.labels_disagree or len(members) < 2:
                going.append([])
                continue
            members.sort(key=lambda one: features.index_of(one.path) or 0)
            kept = members[0]
            if score is not None and not _identical(members):
                kept = max(
                    members, key=lambda one: _scored(features, decoder, one, score)
                )  # the first of equals
            going.append([one for one in members if one is not kept])
            progress("Choosing what to keep", done, len(groups))
    return going


def _identical(members: Sequence[Duplicate]) -> bool:
    return all(one.grade == Grade.IDENTICAL for one in members)


def _scored(features: FeatureCache, decoder: Decoder, one: Duplicate, score: Score) -> tuple[float, ...]:
    """Return the score of a photograph; what cannot be looked at is not kept for it."""
    source = sources.Files([sources.locator(features.root)(one.path)])
    ((_, content),) = source.read(list(source.items()))
    if isinstance(content, str):
        return ()
    try:
        return score(decoder, content.data)
    except ImageError:
        return ()


def _size(decoder: Decoder, data: bytes) -> tuple[float, ...]:
    about = decoder.about(data)
    return about.width * about.height, len(data)


def _sharpness(decoder: Decoder, data: bytes) -> tuple[float, ...]:
    """Return how much detail there is in half of the blocks of a photograph: a watermark in some of them is none of it."""
    from scipy.ndimage import laplace

    edges = laplace(decoder.decode(data).astype(np.float32).mean(axis=2))
    side = SHARPNESS_PIXELS // BLOCK
    blocks = edges.reshape(side, BLOCK, side, BLOCK).swapaxes(1, 2).reshape(side * side, -1)
    return (float(np.median(blocks.std(axis=1))),)
