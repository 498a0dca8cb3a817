"""Photographs sorted into folders by the class predicted for them.

A class is named by strangers, in a folder or a table: what a name of a folder cannot hold is replaced.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from embed.errors import UsageError
from embed.learn.prediction import Prediction
from embed.moving import Placed, free_place
from embed.sources import address

REFUSED = frozenset('/\\:*?"<>|')  # no name of a folder holds them, on one file system or another
LONGEST = 200  # bytes of the name of a folder


def place(
    predictions: Iterable[Prediction],
    classes: Sequence[str],
    into: Path,
    *,
    link: bool = False,
    data: Path | str | None = None,
    given: Iterable[str | Path] = (),
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
    given : iterable of path or URL
        What was predicted; the copies would join the photographs of a folder.

    Raises
    ------
    UsageError
        The folder is in the data folder, or in one that was predicted; the folder of a class leads elsewhere.
    """
    home = into.resolve()
    looked_into = [
        (one, "folder", "prediction") for one in map(address, given) if isinstance(one, Path) and one.is_dir()
    ]
    if isinstance(data, Path):
        looked_into.insert(0, (data, "data folder", "extraction"))
    for one, what, run in looked_into:
        if home.is_relative_to(one.resolve()):
            raise UsageError(
                f"lies in the {what} {one}, and the next {run} would take the copies for photographs: choose another",
                "into",
            )
    folders = {label: into / name for label, name in folder_names(classes).items()}
    for folder in (into, *folders.values()):
        if not folder.resolve().is_relative_to(home) or (folder.exists() and not folder.is_dir()):
            raise UsageError(f"cannot be used: {folder} is no folder, or leads elsewhere", "into")
    taken: set[str] = set()
    return [
        free_place(one.file, folders[one.label], taken, link=link)
        if one.label is not None and not one.unlike
        else None
        for one in predictions
    ]


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
