"""``meta.json``: what a feature set is."""

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from embed import files
from embed.cache.checked import FORMAT_VERSION, FORMAT_VERSIONS, CheckedFile
from embed.cache.columns import MOST_VALUES, Column
from embed.cache.hdf5 import Hdf5
from embed.cache.manifest import NAME, replay_order
from embed.cache.recipe import Recipe
from embed.errors import CacheDamagedError, CacheError, CacheFormatError

META_NAME = "meta.json"
FORMAT = "embed features"
MOST_EXTRACTIONS = 1 << 53
# What a number can be at most, and what is text.
MOST = {"dimension": MOST_VALUES, "extraction": MOST_EXTRACTIONS, "filesystem": 1 << 64, "inode": 1 << 64}
TEXTS = ("dataset", "root", "relative", "created", "extracted")
SEALED_FROM = 2  # the first version of the format whose documents carry a checksum


@dataclass(frozen=True, kw_only=True)
class Meta:
    """What ``meta.json`` says about a feature set.

    Parameters
    ----------
    dataset : str
        Name of the data folder.
    root : str
        Absolute path of the data folder at the last extraction; empty where ``meta.json`` was lost.
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
    rows : int or None
        Rows at the end of the last extraction that came to its end; None where that is not known.
    relative : str
        Path of the data folder as seen from the cache.
    filesystem, inode : int
        What the data folder was known by at the last extraction; 0 where that is not known.
    former : dict of str to int
        Paths at which the data folder was before, each with its inode there.
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
    rows: int | None = None
    relative: str = ""
    filesystem: int = 0
    inode: int = 0
    former: dict[str, int] = field(default_factory=dict)

    def lost_rows(self, rows: int, parts: int) -> str | None:
        """Return a sentence where a set of so many rows and parts cannot be what was written."""
        if self.rows is None or (rows == self.rows if self.complete else parts or not self.rows):
            return None
        return f"{self.rows} rows were written and {rows} are there: parts were lost; run embed extract to recompute them"


def read_meta(folder: Path) -> Meta:
    """Return what ``meta.json`` says.

    Raises
    ------
    FileNotFoundError
        There is none: the folder is no feature set, or one that has lost it.
    CacheFormatError
        It is of another or a newer format.
    CacheDamagedError
        It is not what was written.
    """
    path = folder / META_NAME
    document = files.read_document(path, SEALED_FROM)
    if document.pop("format", None) != FORMAT:
        raise CacheFormatError(f"{path} does not describe features of embed: move {folder} elsewhere")
    version = document.pop("format_version", None)
    if version not in FORMAT_VERSIONS:
        raise CacheFormatError(
            f"{path} is of format version {version}; this embed understands {FORMAT_VERSION}: "
            "use the version of embed that wrote it"
        )
    recorded = document.pop("recipe_hash", None)
    try:
        meta = Meta(**{**document, "recipe": Recipe.from_json(document.get("recipe"))})
        _check(meta)
    except (TypeError, ValueError, CacheFormatError) as error:
        raise CacheDamagedError(f"{path} is damaged: {error}") from error
    if meta.recipe.hash != recorded:
        raise CacheDamagedError(f"{path} is damaged: its recipe does not have the hash it names")
    return meta


def _check(meta: Meta) -> None:
    """Raise ValueError where a value is none of its kind: paths are made and memory is taken by what these say."""
    for name, most in MOST.items():
        value = getattr(meta, name)
        if type(value) is not int or not (name == "dimension") <= value <= most:
            raise ValueError(f"{name} is {value!r:.60}")
    if meta.rows is not None and (type(meta.rows) is not int or meta.rows < 0):
        raise ValueError(f"rows is {meta.rows!r:.60}")
    if type(meta.complete) is not bool:
        raise ValueError(f"complete is {meta.complete!r:.60}")
    if not (isinstance(meta.libraries, dict) and isinstance(meta.former, dict)):
        raise ValueError("libraries or former is no object")
    if not all(type(inode) is int for inode in meta.former.values()):
        raise ValueError("former has no inodes")
    texts = [getattr(meta, name) for name in TEXTS]
    for text in (*texts, *meta.libraries, *meta.libraries.values(), *meta.former):
        # UnicodeEncodeError, of what can be the name of no file, is a ValueError.
        if not isinstance(text, str) or b"\0" in text.encode("utf-8", "surrogateescape"):
            raise ValueError(f"{text!r:.60} is no name")


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
    files.write_document(folder, META_NAME, document)


def meta_from_parts(folder: Path, dataset: str) -> Meta | None:
    """Return what the parts of a folder say about their set, or None where none of them can be read.

    They carry the recipe; which data folder they belong to has to be found out by looking into it.

    Raises
    ------
    CacheFormatError
        A part is of another or a newer format.
    """
    names = sorted(filter(NAME.fullmatch, os.listdir(folder)), key=replay_order, reverse=True)
    for name in names:
        _, _, index_digest, file_digest = name.removesuffix(".h5").split("-")
        try:
            file = CheckedFile(folder / name, index_digest, file_digest)
            recipe = Recipe.from_json(file.index.get("recipe") or _recipe_in_hdf5(file))
            dimension = Column(file, "features", file.index["datasets"].get("features")).shape[1]
        except CacheFormatError:
            raise
        except (FileNotFoundError, CacheError):
            continue
        if recipe.hash == file.index["recipe_hash"]:
            return Meta(dataset=dataset, root="", dimension=dimension, recipe=recipe)
    return None


def _recipe_in_hdf5(file: CheckedFile) -> Any:
    """Return the recipe of a part of version 1, whose index has none."""
    file.check_blocks()  # first: HDF5 can hang on bytes that it did not write
    try:
        with Hdf5() as hdf5:
            return files.from_json(os.fsencode(hdf5.recipe(file)))
    except ValueError as error:
        raise file.damaged(f"HDF5 finds no recipe in it ({error})") from error
