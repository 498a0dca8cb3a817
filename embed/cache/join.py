"""Features of several networks as one set: joined by the content of the photographs, each scaled.

The networks keep their own sets, in which each feature was computed once; the joined set is made of them, and made anew where
they have changed. It is a set like any other, so whatever reads one need not know.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed import files
from embed.cache.contents import Contents
from embed.cache.identity import Wish
from embed.cache.origin import write_origin
from embed.cache.reader import FeatureCache
from embed.cache.recipe import Recipe
from embed.cache.sets import FeatureSet, list_features, read_set
from embed.cache.tuned import joined_tuned, write_tuned
from embed.cache.writer import FeatureWriter
from embed.errors import CacheError, NoFeaturesError, UsageError

MADE_OF = "joined.json"  # which parts of which sets a joined one was made of
BLOCK_ROWS = 4096
NAME_CHARACTERS = 80  # of the networks, in the name of a set


def joined_recipe(recipes: Sequence[Recipe]) -> Recipe:
    """Return the recipe of features that are joined.

    Raises
    ------
    UsageError
        They cannot be joined.
    """
    if len({recipe.hash for recipe in recipes}) < max(2, len(recipes)):
        raise UsageError(
            "names the same network and recipe twice; features are joined with others", "backbone"
        )
    if any(recipe.joined for recipe in recipes):
        raise UsageError("names features that are joined already; name those of each network", "name")
    if len({(recipe.views, recipe.view_seed) for recipe in recipes}) > 1:
        raise UsageError("names features of different views; extract them with the same ones", "name")

    def each(field: str) -> str:
        values = [str(getattr(recipe, field)) for recipe in recipes]
        return values[0] if len(set(values)) == 1 else "+".join(values)

    name = "+".join(recipe.backbone for recipe in recipes)
    return Recipe(
        backbone=name if len(name) <= NAME_CHARACTERS else f"{len(recipes)}-networks",
        weights=each("weights"),
        weights_sha256=hashlib.sha256(" ".join(recipe.hash for recipe in recipes).encode()).hexdigest(),
        layer=each("layer"),
        pooling=each("pooling"),
        size=max(recipe.size for recipe in recipes),
        joined=tuple(recipes),
        fit=each("fit"),
        interpolation=each("interpolation"),
        precision=each("precision"),
        dtype="float16" if all(recipe.dtype == "float16" for recipe in recipes) else "float32",
        views=recipes[0].views,
        view_seed=recipes[0].view_seed,
        decoder=max(recipe.decoder for recipe in recipes),
    )


def joined_features(features: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    """Return features (..., d₁), (..., d₂), … as one (..., d₁ + d₂ + …): each of unit length, and so the whole.

    Features that are zero everywhere stay zero.
    """
    scaled = []
    for part in features:
        length = np.linalg.norm(part, axis=-1, keepdims=True) * np.sqrt(len(features), dtype=np.float32)
        scaled.append(np.divide(part, length, out=np.zeros(part.shape, np.float32), where=length > 0))
    return np.concatenate(scaled, axis=-1)


def join(cache: Path, sets: Sequence[FeatureCache], name: str | None = None) -> FeatureCache:
    """Return the joined set of several, brought up to date where they have changed.

    Its photographs are those of the first set whose content every other has as well.

    Parameters
    ----------
    cache : Path
        Folder of the feature sets.
    sets : sequence of FeatureCache
    name : str, optional
        Of the data set; by default that of the first.

    Raises
    ------
    UsageError
        They cannot be joined.
    NoFeaturesError
        They have no photograph in common.
    CacheError
        The cache is locked, damaged, or cannot be written.
    """
    recipe = joined_recipe([one.recipe for one in sets])
    made_of = {"format_version": 1, "sets": [[one.name, one.fingerprint] for one in sets]}
    for found in list_features(cache):
        if found.meta.recipe.hash == recipe.hash and found.meta.complete and name is None:
            with suppress(CacheError, FileNotFoundError):
                if files.read_document(found.folder / MADE_OF) == made_of:
                    return FeatureCache.open(found)
    tuned = joined_tuned(sets)
    first, others = sets[0], sets[1:]
    contents = [Contents(one.sha256) for one in others]
    starts = range(0, len(first), BLOCK_ROWS)
    if not any(_rows(first, contents, start).size for start in starts):
        names = " and ".join(one.name for one in sets)
        raise NoFeaturesError(f"{names} have no photograph in common, going by their contents")
    with FeatureWriter.open(
        cache,
        first.meta.dataset,
        first.root,
        recipe,
        sum(one.dimension for one in sets),
        libraries={key: value for one in sets for key, value in one.meta.libraries.items()},
        wish=Wish(name),
        again=first.origin.again,
    ) as writer:
        write_origin(writer.folder, first.origin)
        if tuned is not None:
            write_tuned(writer.folder, tuned)
        met = np.zeros(len(writer.known), bool)
        for start in starts:
            _put(writer, sets, _rows(first, contents, start), met)
        for row in np.flatnonzero(~met).tolist():
            writer.remove(writer.known.path(row))
        writer.write_failures(first.failures())
        files.write_document(writer.folder, MADE_OF, made_of)
    return FeatureCache.open(FeatureSet(writer.folder, read_set(writer.folder)))


def _rows(first: FeatureCache, others: Sequence[Contents], start: int) -> NDArray[np.int64]:
    """Return rows of one content in each set, (sets, n), for a block of the first set; without those that some set lacks."""
    own = np.arange(start, min(start + BLOCK_ROWS, len(first)))
    rows = [own, *([next(iter(hits), -1) for hits in known.rows(first.sha256[own])] for known in others)]
    found = np.array(rows, np.int64)
    return found[:, (found >= 0).all(axis=0)]


def _put(
    writer: FeatureWriter, sets: Sequence[FeatureCache], rows: NDArray[np.int64], met: NDArray[np.bool_]
) -> None:
    """Put photographs whose rows in each set are `rows` (sets, n), where they are new or other than before."""
    first, known = sets[0], writer.known
    features = joined_features([one.rows(at) for one, at in zip(sets, rows, strict=True)])
    features = features.astype(known.recipe.dtype)
    seen = [one.view_rows(at) for one, at in zip(sets, rows, strict=True)]
    views = None if seen[0] is None else joined_features([view for view in seen if view is not None])
    paths = [first.path(row) for row in rows[0].tolist()]
    before = [known.index_of(path) for path in paths]
    there = np.array([row for row in before if row is not None], np.int64)
    met[there] = True
    former = dict(zip(there.tolist(), known.rows(there), strict=True))
    for i, (path, row, was) in enumerate(zip(paths, rows[0].tolist(), before, strict=True)):
        if (
            was is not None
            and known.sha256[was].tobytes() == first.sha256[row].tobytes()
            and (known.sizes[was], known.mtimes_ns[was]) == (first.sizes[row], first.mtimes_ns[row])
            and np.array_equal(former[was], features[i])
        ):
            continue
        writer.put(
            path,
            first.sha256[row].tobytes(),
            int(first.sizes[row]),
            int(first.mtimes_ns[row]),
            features[i],
            None if views is None else views[i],
            bytes(first.decoders[row]).decode(),
        )
