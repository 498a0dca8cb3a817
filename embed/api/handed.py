"""Photographs that are handed over, made features as those of a feature set: for a program that is asked again and again."""

from typing import Any

from embed.extract import Embedded, Embedder
from embed.images import Given


def embed_photographs(embedder: Embedder, photographs: Any) -> list[Embedded]:
    """Return the features of each photograph, or the problem for which it has none, in order.

    Parameters
    ----------
    embedder : Embedder
        Whose feature set says how they are computed.
    photographs : one photograph or several
        As for `ImageFeatures.transform`.

    Raises
    ------
    InputError
        Something is no photograph; the message says which.
    WeightsError, CacheError
        The network that computed the set cannot be had.
    """
    return list(embedder.embed(Given(photographs)))
