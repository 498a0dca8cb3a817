"""Photographs that are handed over, made features as those of a feature set: for a program that is asked again and again."""

from typing import Any

from embed.cache import FeatureCache
from embed.extract import Embedded, Networks, embed_files
from embed.images import Given


def embed_photographs(
    features: FeatureCache, photographs: Any, networks: Networks | None = None
) -> list[Embedded]:
    """Return the features of each photograph, or the problem for which it has none, in order.

    Parameters
    ----------
    features : FeatureCache
        Whose recipe is followed.
    photographs : one photograph or several
        As for `ImageFeatures.transform`.
    networks : Networks, optional
        Those that stay ready from one call to the next.

    Raises
    ------
    InputError
        Something is no photograph; the message says which.
    WeightsError, CacheError
        The network that computed the set cannot be had.
    """
    return list(embed_files(Given(photographs), features, networks=networks))
