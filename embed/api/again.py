"""A feature set brought up to date by the recipe that it has, and photographs that are added to it."""

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

from embed import extract, files, images
from embed.backbones import Network, is_file, known
from embed.cache import FeatureCache
from embed.errors import ImageError, InputError, UsageError
from embed.extract import Progress, Summary
from embed.sources import signatures

UPLOADS = "uploads"  # folder in the data folder, of photographs that were handed over
LONGEST_NAME = 200  # bytes


def extract_again(
    features: FeatureCache,
    progress: Callable[[Progress], None] = lambda _: None,
    *,
    allow_removals: bool = False,
) -> Summary:
    """Compute the features of photographs that are new, or have changed, as those of the set were computed.

    Parameters
    ----------
    features : FeatureCache
    progress : callable, optional
        Told how far it is; where it raises KeyboardInterrupt, what is finished is kept.
    allow_removals : bool
        Let rows leave also where they are more than half of the set.

    Raises
    ------
    UsageError
        The set cannot be computed from here: its vectors were imported, or its network or its list of photographs is a file.
    InputError
        The data folder is gone, or holds no images.
    CacheError
        The cache is locked, or cannot be written.
    """
    recipe = features.recipe
    if recipe.imported or recipe.joined:
        raise UsageError(f"The features of {features.name} are brought up to date by {features.again}.")
    backbone = known(recipe.backbone, recipe.preprocess)
    listed = bool(features.origin.again) and not features.places
    if recipe.weights != backbone.published or is_file(recipe.backbone) or listed:
        raise UsageError(
            f"The features of {features.name} need files that only you know: run the embed extract that made them again."
        )
    network = Network(
        recipe.backbone, layer=recipe.layer, pooling=recipe.pooling, size=recipe.size, mirror=recipe.mirror
    )
    options = extract.FeatureOptions(
        network=network,
        fit=recipe.fit,
        views=recipe.views,
        view_seed=recipe.view_seed,
        precision=recipe.precision,
        dtype=recipe.dtype,
    )
    root = features.root
    data = [root / place for place in features.places] if isinstance(root, Path) and features.places else root
    run = extract.RunOptions(allow_removals=allow_removals)
    return extract.extract_features(data, features.folder.parent, options, run, progress=progress)


def add_photograph(features: FeatureCache, name: str, data: bytes) -> tuple[str, bool]:
    """Write a photograph into ``uploads/`` in the data folder; `extract_again` computes its features.

    Parameters
    ----------
    features : FeatureCache
    name : str
        Of the file, without a folder.
    data : bytes

    Returns
    -------
    path : str
        In the data folder.
    new : bool
        Whether it was not there already.

    Raises
    ------
    UsageError
        It cannot be a name of a photograph.
    ImageError
        It is no photograph that can be decoded.
    InputError
        Another photograph has that name, or the disk refused.
    """
    checked_name(name)
    if signatures.identify(data) is None:
        raise ImageError("is no image of a kind that is known")
    with images.Decoder(images.Resize(features.recipe.size or 1), workers=1) as decoder:
        decoder.decode(data)
    root = features.root
    if not isinstance(root, Path):
        raise UsageError(
            f"cannot be put into {root}: photographs are added to a folder of this machine", "name"
        )
    folder = root / UPLOADS
    if folder.is_symlink() or folder.resolve().parent != root.resolve():
        raise InputError(f"{folder} leads elsewhere, and nothing is written there")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from error
    file = folder / name
    if os.path.lexists(file):
        if not file.is_symlink() and file.is_file() and file.read_bytes() == data:
            return f"{UPLOADS}/{name}", False
        raise InputError(f"{UPLOADS}/{name} is another photograph already; choose another name")
    with files.Draft(folder, error=_error) as draft:
        draft.write(data)
        draft.publish(name)
    return f"{UPLOADS}/{name}", True


def checked_name(name: str) -> str:
    """Return the name of a file if it can be one of a photograph that was handed over. Raises UsageError."""
    plain = unicodedata.normalize("NFC", name)
    if plain != name or not name.isprintable() or name != Path(name).name or name.startswith("."):
        raise UsageError(f"{name!r} is no plain name of a file", "name")
    if len(name.encode()) > LONGEST_NAME or any(c in name for c in '/\\:*?"<>|'):
        raise UsageError(f"{name!r} is too long, or holds characters that not every disk can", "name")
    return name


def _error(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot write {path}: {error.strerror or error}")
