"""``tuned.json``: the photographs whose labels the network of a feature set has seen, so that nobody is judged on them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed import files
from embed.cache.reader import FeatureCache
from embed.cache.recipe import Recipe
from embed.errors import CacheDamagedError

NAME = "tuned.json"
FORMAT_VERSION = 1
MOST_BYTES = 1 << 30
CHARACTERS = 64  # of a sha256, hexadecimal


def check_tuned(folder: Path) -> None:
    """Raise CacheDamagedError where the document is damaged, FileNotFoundError where there is none."""
    files.unseal(files.read_bytes(folder / NAME, MOST_BYTES), folder / NAME)


def is_tuned(recipe: Recipe) -> bool:
    """Return whether a network of a recipe has seen labels."""
    return bool(recipe.tuned_from) or any(map(is_tuned, recipe.joined))


def write_tuned(folder: Path, document: dict[str, Any]) -> None:
    """Write down how the weights of a set were tuned, where that is not there yet; ``contents`` are those that were tuned on.

    Raises
    ------
    CacheWriteError
        The disk refused.
    """
    document = {"format_version": FORMAT_VERSION, **document}
    try:
        if files.unseal(files.read_bytes(folder / NAME, MOST_BYTES), folder / NAME) == document:
            return
    except (FileNotFoundError, CacheDamagedError):
        pass
    files.write_document(folder, NAME, document)


def read_tuned(features: FeatureCache) -> dict[str, Any] | None:
    """Return how the weights of a set were tuned; None where its recipe says that they were not.

    Raises
    ------
    CacheDamagedError
        The recipe says that they were, and the photographs are not known: nothing may be judged.
    """
    if not is_tuned(features.recipe):
        return None
    file = features.folder / NAME
    try:
        document = files.unseal(files.read_bytes(file, MOST_BYTES), file)
        if document["format_version"] != FORMAT_VERSION or not isinstance(document["contents"], str):
            raise ValueError("of another version")
        bytes.fromhex(document["contents"])
    except (FileNotFoundError, CacheDamagedError, KeyError, ValueError) as error:
        raise CacheDamagedError(
            f"{file} does not say which photographs the network was tuned on ({error}), and on those nothing can be judged: "
            f"run {features.again} again with the tuned weights"
        ) from error
    return document


def tuned_on(features: FeatureCache) -> NDArray[np.bool_]:
    """Return which photographs the network of a set was tuned on, bool ndarray of shape (n,); errors as of `read_tuned`."""
    document = read_tuned(features)
    if document is None:
        return np.zeros(len(features), bool)
    seen = set(contents_of(document))
    return np.fromiter((row.tobytes() in seen for row in features.sha256), bool, len(features))


def contents_of(document: dict[str, Any]) -> Iterable[bytes]:
    """Return the sha256 of each photograph that a document names."""
    contents = bytes.fromhex(document["contents"])
    return (contents[start : start + CHARACTERS // 2] for start in range(0, len(contents), CHARACTERS // 2))


def joined_tuned(sets: Iterable[FeatureCache]) -> dict[str, Any] | None:
    """Return what is to be written beside features that several sets are joined in; None where none was tuned."""
    known = [document for one in sets if (document := read_tuned(one)) is not None]
    if not known:
        return None
    contents = {content for document in known for content in contents_of(document)}
    return {"contents": b"".join(sorted(contents)).hex()}
