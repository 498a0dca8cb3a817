"""Photographs copied, or linked to, at another place; nothing is ever overwritten."""

import filecmp
import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from embed.errors import ImageError, InputError
from embed.files import Draft
from embed.sources import Address, own_file, read


@dataclass(frozen=True)
class Placed:
    """Where a photograph goes.

    Attributes
    ----------
    file : path, or URL as text
        The photograph.
    to : Path
        Its copy, or the link to it.
    there : bool
        Whether that is there already.
    """

    file: Address
    to: Path
    there: bool


def free_place(file: Address, folder: Path, taken: set[str], *, link: bool = False) -> Placed:
    """Return where in a folder a photograph goes: under a name that nothing else has, or that it has already.

    Parameters
    ----------
    file : path, or URL as text
    folder : Path
    taken : set of str
        Of the places that were returned before; this one is added.
    link : bool
        Whether it is linked to rather than copied.
    """
    number = 1
    own = PurePosixPath(str(file))
    while True:
        name = own.name if number == 1 else f"{own.stem}-{number}{own.suffix}"
        to = folder / name
        key = unicodedata.normalize("NFC", os.fspath(to)).casefold()
        number += 1
        if key in taken:
            continue
        there = _is_there(file, to, link)
        if there or not os.path.lexists(to):
            taken.add(key)
            return Placed(file, to, there)


def _is_there(file: Address, to: Path, link: bool) -> bool:
    """Return whether a photograph is at a place already, as a link or as a copy."""
    if to.is_symlink():
        return link and isinstance(file, Path) and to.resolve() == file.resolve()
    try:
        if link or not to.is_file():
            return False
        own = own_file(file)
        return read(file).data == to.read_bytes() if own is None else filecmp.cmp(own, to, shallow=False)
    except (OSError, ImageError):
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
                own = own_file(one.file)
                if own is None:
                    raise InputError(f"{one.file} is no file of its own to link to: copy the photographs")
                one.to.symlink_to(own.absolute())
        except OSError as error:
            raise _error(one.to, error) from error
        if not link:
            _copy(one)
        yield one


def _copy(placed: Placed) -> None:
    try:
        content = read(placed.file)
    except ImageError as error:
        raise ImageError(f"{placed.file} {error}") from None
    with Draft(placed.to.parent, durable=False, error=_error) as draft:
        draft.write(content.data)
        own = own_file(placed.file)
        if own is not None:
            status = own.stat()
            os.utime(draft.path, ns=(status.st_atime_ns, status.st_mtime_ns))
        draft.publish(placed.to.name)


def _error(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot write {path}: {error.strerror or error}")
