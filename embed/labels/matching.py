"""Which photograph a table means by a name.

The ways are tried in a fixed order, and one is taken for the whole table: the first by which every name is that of a
photograph, otherwise the one that finds the most (a looser kind only where it finds more than twice as many).

Kinds, each looser than the one before:

1. the path within the data folder;
2. the end of a path: the name ends with that of a photograph, as absolute paths and addresses do, or the other way round;
3. the last part that they share, such as the file name.

Within each, the spelling: as it is; the bytes of the file; then, each with those before it, backslashes for "/", ``%C3%A9``,
another Unicode normal form, another case, without extension.
"""

import os
import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

LAST_PART = "the last part of the path"
SEVERAL = -1  # instead of a position: more than one photograph is called so
PICTURES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".gif",
        ".bmp",
        ".tif",
        ".tiff",
        ".webp",
        ".heic",
        ".heif",
        ".avif",
        ".jp2",
        ".ppm",
        ".pgm",
        ".cr2",
        ".nef",
        ".arw",
        ".dng",
    ]
)  # extensions that a name may have where the photograph has another, or none
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{2,5}$")


@dataclass(frozen=True)
class Match:
    """The photographs that names mean.

    Parameters
    ----------
    positions : list of int or None
        Of the photograph of each name; None where there is none.
    way : str
        How they were found, for people: "path", "end of the path, in another case".
    several : tuple of (int, str, str) or None
        The first name that may be several photographs, by position, and two of them.
    """

    positions: list[int | None]
    way: str
    several: tuple[int, str, str] | None = None

    @property
    def count(self) -> int:
        """How many names mean one photograph or several."""
        return sum(position is not None for position in self.positions)


def match(names: Sequence[str], paths: Sequence[str], root: str | Path | None, encoding: str | None) -> Match:
    """Return the photographs that are meant by the names of a table.

    Parameters
    ----------
    names : sequence of str
        As they are in the table.
    paths : sequence of str
        Of the photographs, relative to the data folder, with "/" between folders.
    root : path, optional
        The data folder.
    encoding : str or None
        Of the table.
    """
    different = list(dict.fromkeys(names))
    spellings = list(_spellings(different, list(paths), root, encoding))
    best: list[tuple[int, str, list[int | None], Sequence[str], Sequence[str]]] = []
    for kind, find in KINDS.items():
        found = []
        for how, spelt, keys in spellings:
            positions = find(spelt, keys)
            hits = _found(positions, kind)
            found.append((hits, ", ".join([kind, *how]), positions, spelt, keys))
            if hits == len(different):
                break
        best.append(max(found, key=lambda one: one[0]))
        if best[-1][0] == len(different):
            break
    most = max(hits for hits, *_ in best)
    # A looser kind may find a photograph by chance: it has to find many more, unless it finds one for every name.
    enough = most if most == len(different) else most / 2
    _, way, positions, spelt, keys = next(one for one in best if one[0] >= enough)
    several = None
    if SEVERAL in positions:
        place = positions.index(SEVERAL)
        first, second = _meant(spelt[place], paths, keys)
        several = names.index(different[place]), first, second
    position_of = dict(zip(different, positions, strict=True))
    return Match([position_of[name] for name in names], way, several)


def _found(positions: Sequence[int | None], kind: str) -> int:
    """Return how many names were found. By the last part, folders may contradict: two names of one photograph count once."""
    found = [position for position in positions if position is not None]
    return len(found) if kind != LAST_PART else len({*found} - {SEVERAL}) + found.count(SEVERAL)


def _spellings(
    names: Sequence[str], paths: Sequence[str], root: str | Path | None, encoding: str | None
) -> Iterator[tuple[list[str], Sequence[str], Sequence[str]]]:
    """Yield how names and paths are spelt, in words, and both so spelt. What changes nothing is left out."""
    roots = [] if root is None else [posixpath.abspath(str(root)), os.path.realpath(root)]
    plain: Sequence[str] = [_plain(name, roots) for name in names]
    yield [], plain, paths
    if encoding not in (None, "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"):
        # A file name that is no UTF-8, or a table that is UTF-8 but for a few bytes: its very bytes.
        yield ["by its bytes"], [os.fsdecode(name.encode(str(encoding), "replace")) for name in plain], paths
    how: list[str] = []
    for words, of_name, of_path in FOLDS:
        other_names, other_paths = list(map(of_name, plain)), list(map(of_path, paths))
        if other_names != plain or other_paths != paths:
            plain, paths = other_names, other_paths
            how.append(words)
            yield list(how), plain, paths


def _plain(name: str, roots: Sequence[str]) -> str:
    """Return a name without what is no part of a path: the scheme and query of an address, the data folder, "./"."""
    if "://" in name or "?d=" in name:
        try:
            address = urlsplit(name)
            name = parse_qs(address.query).get("d", [f"{address.netloc}{address.path}"])[0]
        except ValueError:  # an address with half a bracket
            pass
    if posixpath.isabs(name):
        name = posixpath.normpath(name)
        for root in roots:
            if name.startswith(root.rstrip("/") + "/"):
                name = name[len(root.rstrip("/")) + 1 :]
                break
    return posixpath.normpath(name) if name else name


def _without_backslashes(name: str) -> str:
    return posixpath.normpath(name.replace("\\", "/")) if "\\" in name else name


def _unquoted(name: str) -> str:
    return unquote(name, errors="surrogateescape") if "%" in name else name


def _composed(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _without_extension(path: str) -> str:
    return _EXTENSION.sub("", path)


def _without_picture(name: str) -> str:
    extension = _EXTENSION.search(name)
    return name[: extension.start()] if extension and extension[0].lower() in PICTURES else name


def _same(path: str) -> str:
    return path


Spell = Callable[[str], str]
FOLDS: tuple[tuple[str, Spell, Spell], ...] = (
    ("with backslashes for /", _without_backslashes, _same),
    ("with %XX decoded", _unquoted, _same),
    ("in another Unicode form", _composed, _composed),
    ("in another case", str.casefold, str.casefold),
    ("without extension", _without_picture, _without_extension),
)  # words, what becomes of a name, what becomes of the path of a photograph


def _positions(keys: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for position, key in enumerate(keys):
        found[key] = SEVERAL if key in found else position
    return found


def _ends(keys: Sequence[str]) -> dict[str, int]:
    """Return the photograph of every end of a path, but the whole."""
    found: dict[str, int] = {}
    for position, key in enumerate(keys):
        for end in _parts(key):
            found[end] = SEVERAL if end in found else position
    return found


def _parts(name: str) -> Iterator[str]:
    """Yield the ends of a path that begin after a "/", the longest first."""
    place = name.find("/")
    while place >= 0:
        if place + 1 < len(name):
            yield name[place + 1 :]
        place = name.find("/", place + 1)


def _by_path(names: Sequence[str], keys: Sequence[str]) -> list[int | None]:
    whole = _positions(keys)
    return [whole.get(name) for name in names]


def _by_end(names: Sequence[str], keys: Sequence[str]) -> list[int | None]:
    whole, ends = _positions(keys), _ends(keys)

    def find(name: str) -> int | None:
        if name in whole:
            return whole[name]
        if name in ends:
            return ends[name]
        return next((whole[part] for part in _parts(name) if part in whole), None)

    return list(map(find, names))


def _by_last_part(names: Sequence[str], keys: Sequence[str]) -> list[int | None]:
    whole = _positions(keys)
    ends = _ends(keys)
    for key, position in whole.items():
        ends[key] = SEVERAL if key in ends else position

    def find(name: str) -> int | None:
        if name in whole:
            return whole[name]
        return next((ends[part] for part in (name, *_parts(name)) if part in ends), None)

    return list(map(find, names))


KINDS = {
    "the path": _by_path,
    "the end of the path": _by_end,
    LAST_PART: _by_last_part,
}


def _meant(name: str, paths: Sequence[str], keys: Sequence[str]) -> tuple[str, str]:
    """Return two of the photographs that a name may be."""
    for part in (name, *_parts(name)):
        both = [
            path for path, key in zip(paths, keys, strict=True) if key == part or key.endswith("/" + part)
        ]
        if len(both) > 1:
            return both[0], both[1]
    raise AssertionError("a name of several photographs is the end of their paths")
