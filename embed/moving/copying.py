"""Photographs copied, or linked to, at another place; nothing is ever overwritten."""

import filecmp
import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from embed.errors import ImageError, InputError
from embed.files import Draft
from embed.sources import Files, Item


@dataclass(frozen=True)
class Placed:
    """Where a photograph goes.

    Attributes
    ----------
    file : Path
        The photograph.
    to : Path
        Its copy, or the link to it.
    there : bool
        Whether that is there already.
    """

    file: Path
    to: Path
    there: bool


def free_place(file: Path, folder: Path, taken: set[str], *, link: bool = False) -> Placed:
    """Return where in a folder a photograph goes: under a name that nothing else has, or that it has already.

    Parameters
    ----------
    file : Path
    folder : Path
    taken : set of str
        Of the places that were returned before; this one is added.
    link : bool
        Whether it is linked to rather than copied.
    """
    number = 1
    while True:
        name = file.name if number == 1 else f"{file.stem}-{number}{file.suffix}"
        to = folder / name
        key = unicodedata.normalize("NFC", os.fspath(to)).casefold()
        number += 1
        if key in taken:
            continue
        there = _is_there(file, to, link)
        if there or not os.path.lexists(to):
            taken.add(key)
            return Placed(file, to, there)


def _is_there(file: Path, to: Path, link: bool) -> bool:
    """Return whether a photograph is at a place already, as a link or as a copy."""
    if to.is_symlink():
        return link and to.resolve() == file.resolve()
    try:
        return not link and to.is_file() and filecmp.cmp(file, to, shallow=False)
    except OSError:
        return False


def carry_out(placed: Iterable[Placed], *, link: bool = False) -> Iterator[Placed]:
    """Copy or link photographs, and yield each that is done; those that are there already are left alone.

    Raises
    ------
    InputError
        A photograph cannot be read any more, or its copy not written; what is done stays.
    """
    for one in placed:
        if one.there:
            continue
        try:
            one.to.parent.mkdir(parents=True, exist_ok=True)
            if link:
                one.to.symlink_to(one.file.absolute())
        except OSError as error:
            raise _error(one.to, error) from error
        if not link:
            _copy(one)
        yield one


def _copy(placed: Placed) -> None:
    ((_, content),) = Files([]).read([Item(str(placed.file), 0)])
    if isinstance(content, str):
        raise ImageError(f"{placed.file} {content}")
    with Draft(placed.to.parent, durable=False, error=_error) as draft:
        draft.write(content.data)
        status = placed.file.stat()
        os.utime(draft.path, ns=(status.st_atime_ns, status.st_mtime_ns))
        draft.publish(placed.to.name)


def _error(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot write {path}: {error.strerror or error}")
