"""What leads to one photograph, wherever it lies: a file, a member of an archive, an object.

An address is a path, or a URL as text. One that goes on behind an archive, or behind a table of photographs, is that of one
of them: ``shards/train-000.tar/0001.jpg``.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

from embed.errors import InputError
from embed.sources.source import Address

WEB = ("http", "https", "data")
_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def address(text: str | os.PathLike[str]) -> Address:
    """Return a path, or a URL as text; what is called like a URL and lies on the disk is a path.

    Raises
    ------
    InputError
        It is empty, as a variable of a shell that was never set: that would be the working folder.
    """
    if text == "":
        raise InputError("An empty name leads to no photographs; the working folder is called '.'.")
    if isinstance(text, str) and _URL.match(text) and not os.path.lexists(text):
        return text
    return Path(text)


def scheme(url: str) -> str:
    """Return what a URL begins with, in lower case."""
    return url.partition("://")[0].lower()


def locator(place: str | Path) -> Callable[[str], Address]:
    """Return what gives the address of each photograph of a place by its name, whether it is there or not."""
    top = address(place)
    if isinstance(top, Path):
        return lambda name: top / name
    return lambda name: f"{top.rstrip('/')}/{name}"


def own_file(place: Address) -> Path | None:
    """Return the file that a photograph is, or None where it is none of its own that is there."""
    return place if isinstance(place, Path) and place.is_file() else None
