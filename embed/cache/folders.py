"""The feature sets of a cache: their folders, their ``meta.json``, and which one belongs to which data folder."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from embed import files
from embed.cache.checked import FORMAT_VERSION
from embed.cache.listing import part_names
from embed.cache.recipe import Recipe
from embed.errors import CacheDamagedError, CacheError, CacheFormatError, NoFeaturesError

META_NAME = "meta.json"
FORMAT = "embed features"
NAME_BYTES = 120  # of the name of a data folder, at most, in the name of a feature set


@dataclass(frozen=True, kw_only=True)
class Meta:
    """What ``meta.json`` says about a feature set.

    Parameters
    ----------
    dataset : str
        Name of the data folder.
    root : str
        Absolute path of the data folder at the last extraction.
    dimension : int
    recipe : Recipe
    libraries : dict of str to str
        Versions that computed the features; they do not identify them.
    created, extracted : str
        UTC, ISO 8601; for people.
    extraction : int
        Number of the last extraction among all of the cache: the greatest is the latest, whatever the clock says.
    complete : bool
        Whether that extraction came to its end.
    """

    dataset: str
    root: str
    dimension: int
    recipe: Recipe
    libraries: dict[str, str] = field(default_factory=dict)
    created: str = ""
    extracted: str = ""
    extraction: int = 0
    complete: bool = False


@dataclass(frozen=True)
class FeatureSet:
    """One feature set of a cache: where it is and what its ``meta.json`` says."""

    folder: Path
    meta: Meta

    @property
    def name(self) -> str:
        """Name of the folder, which picks the set on the command line."""
        return self.folder.name


def read_meta(folder: Path) -> Meta:
    """Return what ``meta.json`` says.

    Raises
    ------
    FileNotFoundError
        There is none: the folder is no feature set.
    CacheFormatError
        It is of another or a newer format.
    CacheDamagedError
        It does not agree with itself.
    """
    path = folder / META_NAME
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CacheError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise CacheDamagedError(f"{path} is damaged ({error}): restore it, or delete {folder}") from error
    if not isinstance(document, dict) or document.pop("format", None) != FORMAT:
        raise CacheFormatError(f"{path} does not describe features of embed: move {folder} elsewhere")
    version = document.pop("format_version", None)
    if version != FORMAT_VERSION:
        raise CacheFormatError(
            f"{path} is of format version {version}; this embed understands {FORMAT_VERSION}: "
            "use the version of embed that wrote it"
        )
    recorded = document.pop("recipe_hash", None)
    try:
        meta = Meta(**{**document, "recipe": Recipe.from_json(document.get("recipe"))})
    except (TypeError, CacheFormatError) as error:
        raise CacheDamagedError(f"{path} is damaged ({error}): restore it, or delete {folder}") from error
    if meta.recipe.hash != recorded:
        raise CacheDamagedError(
            f"{path} is damaged (its recipe does not have the hash it names): restore it, or delete {folder}"
        )
    return meta


def write_meta(folder: Path, meta: Meta) -> None:
    """Put ``meta.json`` in place.

    Raises
    ------
    CacheWriteError
        The disk refused; the former one is still there.
    """
    document: dict[str, Any] = {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(meta)}
    document["recipe"] = meta.recipe.to_json()
    document["recipe_hash"] = meta.recipe.hash
    files.replace(folder, META_NAME, (json.dumps(document, indent=2) + "\n").encode())


def list_features(cache: Path) -> list[FeatureSet]:
    """Return the feature sets of a cache, the one extracted last first.

    Raises
    ------
    CacheFormatError
        A set is of another or a newer format.
    CacheDamagedError
        A ``meta.json`` is damaged.
    """
    try:
        folders = sorted(path for path in Path(cache).iterdir() if path.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise CacheError(f"cannot read {cache}: {error.strerror or error}") from error
    sets = []
    for folder in folders:
        try:
            sets.append(FeatureSet(folder, read_meta(folder)))
        except FileNotFoundError:
            if "--" in folder.name and part_names(folder):
                raise CacheDamagedError(
                    f"{folder / META_NAME} is missing: restore it, or delete {folder}"
                ) from None
    return sorted(sets, key=lambda s: (-s.meta.extraction, s.name))


def find_features(cache: Path, name: str | None = None) -> FeatureSet:
    """Return the feature set of that name, or the one extracted last.

    Raises
    ------
    NoFeaturesError
        There is none.
    """
    if name is not None:
        # Only this one is looked at: damage in another set is no concern of its reader.
        try:
            return FeatureSet(Path(cache) / name, read_meta(Path(cache) / name))
        except (FileNotFoundError, NotADirectoryError):
            known = ", ".join(found.name for found in list_features(cache)) or "none"
            raise NoFeaturesError(f"{cache} holds no feature set {name!r}; it holds: {known}") from None
    sets = list_features(cache)
    if not sets:
        raise NoFeaturesError(
            f"{cache} holds no features: run embed extract DATA first, or name another --cache"
        )
    return sets[0]


def folder_names(dataset: str, recipe: Recipe) -> tuple[str, str]:
    """Return what a folder of this data set and recipe starts with, and what it ends with."""
    safe = "".join("_" if c in "/\\" or (not c.isprintable() and not _is_byte(c)) else c for c in dataset)
    encoded = os.fsencode(safe).lstrip(b".")[:NAME_BYTES] or b"data"
    return os.fsdecode(encoded), f"--{recipe.backbone}-{recipe.hash[:8]}"


def _is_byte(character: str) -> bool:
    return "\udc80" <= character <= "\udcff"


def same_folder(a: str, b: Path) -> bool:
    """Return whether both are one folder on disk."""
    try:
        return os.path.samefile(a, b)
    except OSError:
        return False
