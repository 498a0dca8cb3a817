"""``source.json``: what was left out of a feature set, and what the user asked to leave out or to take in."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embed import files
from embed.cache.sets import list_features
from embed.errors import CacheDamagedError, CacheError

ORIGIN_NAME = "source.json"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Origin:
    """How the photographs of a feature set were looked for.

    Parameters
    ----------
    exclude, include : tuple of str
        The patterns that the user gave; they hold until others are given.
    left_out : tuple of (str, str, int)
        Places that were left out, why, and how many files with the name of an image lie there, as far as they were counted.
    again : str
        The arguments of ``embed extract`` that look there again; empty where it is the data folder.
    places : tuple of str
        The folders and archives in the data folder that were given, or are all that is there.
    """

    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str, int], ...] = ()
    again: str = ""
    places: tuple[str, ...] = ()


def write_origin(folder: Path, origin: Origin) -> None:
    """Put ``source.json`` in place where it says anything new.

    Raises
    ------
    CacheWriteError
        The disk refused; the former one is still there.
    """
    with suppress(CacheError):
        if read_origin(folder) == origin:
            return
    document: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "exclude": list(origin.exclude),
        "include": list(origin.include),
        "left_out": [list(one) for one in origin.left_out],
        "again": origin.again,
        "places": list(origin.places),
    }
    files.write_document(folder, ORIGIN_NAME, document)


def read_origin(folder: Path) -> Origin:
    """Return what ``source.json`` says; nothing was left out where there is none.

    Raises
    ------
    CacheDamagedError
        It is not what was written.
    """
    path = folder / ORIGIN_NAME
    try:
        document = files.read_document(path)
        (again,) = _texts([document["again"]])
        return Origin(
            exclude=_texts(document["exclude"]),
            include=_texts(document["include"]),
            left_out=tuple(map(_left_out, document["left_out"])),
            again=again,
            places=_texts(document["places"]),
        )
    except FileNotFoundError:
        return Origin()
    except (KeyError, TypeError, ValueError) as error:
        raise CacheDamagedError(
            f"{path} is damaged: {error}; run embed extract, which writes it anew"
        ) from error


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(text, str) for text in values):
        raise TypeError(f"{values!r:.60} is no list of texts")
    for text in values:
        if b"\0" in text.encode("utf-8", "surrogateescape"):  # UnicodeEncodeError is a ValueError
            raise ValueError(f"{text!r:.60} is no path")
    return tuple(values)


def _left_out(values: Any) -> tuple[str, str, int]:
    *texts, images = values
    place, reason = _texts(texts)
    if type(images) is not int or images < 0:
        raise TypeError(f"{images!r:.60} is no number of files")
    return place, reason, images


def origin_of(cache: Path, root: Path | str, again: str) -> Origin:
    """Return how photographs were looked for last where the same arguments look, by whatever recipe."""
    for found in list_features(cache):
        if found.meta.root == str(root):
            with suppress(CacheError):  # `verify` names it
                origin = read_origin(found.folder)
                if origin.again == again:
                    return origin
    return Origin()
