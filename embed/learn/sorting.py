"""Photographs copied or linked into folders by the class predicted for them; nothing is ever overwritten.

A class is named by strangers, in a folder or a table: what a name of a folder cannot hold is replaced.
"""

import filecmp
import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from embed.errors import ImageError, InputError, UsageError
from embed.files import Draft
from embed.learn.prediction import Prediction
from embed.sources import Address, own_file, read

REFUSED = frozenset('/\\:*?"<>|')  # no name of a folder holds them, on one file system or another
LONGEST = 200  # bytes of the name of a folder


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


def place(
    predictions: Iterable[Prediction],
    classes: Sequence[str],
    into: Path,
    *,
    link: bool = False,
    data: Path | str | None = None,
) -> list[Placed | None]:
    """Return where each photograph goes, and None for one that is unsure, unlike all others or cannot be read.

    Parameters
    ----------
    predictions : iterable of Prediction
    classes : sequence of str
        All that there are.
    into : Path
        The folder that the folders of the classes are in.
    link : bool
        Whether photographs are linked to rather than copied.
    data : path or URL, optional
        The data folder, whose photographs the copies would join.

    Raises
    ------
    UsageError
        The folder is in the data folder; the folder of a class leads elsewhere.
    """
    home = into.resolve()
    if isinstance(data, Path) and home.is_relative_to(data.resolve()):
        raise UsageError(
            f"lies in the data folder {data}, and the next extraction would take the copies for photographs: choose"
            " another",
            "into",
        )
    folders = {label: into / name for label, name in folder_names(classes).items()}
    for folder in (into, *folders.values()):
        if not folder.resolve().is_relative_to(home) or (folder.exists() and not folder.is_dir()):
            raise UsageError(f"cannot be used: {folder} is no folder, or leads elsewhere", "into")
    taken: set[str] = set()
    return [
        _place(one.file, folders[one.label], taken, link)
        if one.label is not None and not one.unlike
        else None
        for one in predictions
    ]


def _place(file: Address, folder: Path, taken: set[str], link: bool) -> Placed:
    """Return where a photograph goes: a name that nothing else has, or that it has already."""
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


def folder_names(classes: Iterable[str]) -> dict[str, str]:
    """Return the name of a folder for every class: one name, that leads nowhere and that no other class has.

    Examples
    --------
    >>> folder_names(["ants", "../bees", ""])
    {'ants': 'ants', '../bees': '_bees', '': '_'}
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for label in classes:
        plain = "".join(c if c.isprintable() and c not in REFUSED else "_" for c in label)
        plain = plain.encode()[:LONGEST].decode(errors="ignore").strip(" .") or "_"
        name, number = plain, 1
        while unicodedata.normalize("NFC", name).casefold() in taken:
            number += 1
            name = f"{plain} ({number})"
        taken.add(unicodedata.normalize("NFC", name).casefold())
        names[label] = name
    return names
