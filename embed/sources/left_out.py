"""What lies among photographs and is none: folders of programs, hidden ones, bins, and what the user leaves out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from embed.errors import UsageError
from embed.sources.source import Content

if TYPE_CHECKING:
    import pathspec

# Folders in which programs and systems keep thumbnails, copies and what was thrown away; in lower case.
_PROGRAMS = frozenset(
    (
        b"@eadir",
        b"@recycle",
        b"@recently-snapshot",
        b"@tmp",
        b"#recycle",
        b"#snapshot",
        b"$recycle.bin",
        b"recycler",
        b"system volume information",
        b"lost+found",
        b"__macosx",
        b"__pycache__",
        b"thumbs.db",
    )
)
HIDDEN, PROGRAM = "a hidden folder", "a folder of a program or of the system"
SIDECARS = "files named ._*, which a Mac puts beside others"
EXCLUDED = "excluded"
BINNED = "put aside by embed"
BIN = ".embed-bin"  # where photographs are put aside, in their data folder
BIN_JOURNAL = ".embed-bin.journal"  # in every bin, whatever its name
MOST_COUNTED = 10_000  # entries of a folder that is left out: what it holds is counted, but not at any price

# In a PNG, and in the comment or the metadata of another format.
MARK = "Software: embed"
_MARKS = (b"tEXtSoftware\0embed", MARK.encode())
_MARKED_BYTES = 4096  # at the beginning and at the end
DRAWN = "was drawn by embed"


def is_in_bin(folder: Path, known: dict[Path, bool]) -> bool:
    """Return whether a folder is a bin, or lies in one; what was found before is remembered."""
    if folder not in known:
        above = folder.parent
        known[folder] = os.path.lexists(folder / BIN_JOURNAL) or (above != folder and is_in_bin(above, known))
    return known[folder]


def is_drawn(data: bytes) -> bool:
    """Return whether a picture is one that embed draws itself."""
    return any(mark in part for part in (data[:_MARKED_BYTES], data[-_MARKED_BYTES:]) for mark in _MARKS)


def unless_drawn(content: Content) -> Content | str:
    """Return the content of a photograph, or that it is none: embed drew it."""
    return DRAWN if is_drawn(content.data) else content


@dataclass(frozen=True)
class Filters:
    """What a user leaves out, and takes in.

    Parameters
    ----------
    exclude : tuple of str
        Patterns as in ``.gitignore``: without "/" they are about names, at any depth, otherwise about the whole path.
    include : tuple of str
        Patterns of what is taken although `exclude`, or its being hidden, leaves it out.

    Raises
    ------
    UsageError
        A pattern cannot be used.
    """

    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _ = self._excluded, self._included

    def __bool__(self) -> bool:
        return bool(self.exclude or self.include)

    def __reduce__(self) -> tuple[type[Filters], tuple[tuple[str, ...], tuple[str, ...]]]:
        return Filters, (self.exclude, self.include)

    def reason(self, path: bytes, name: bytes, is_folder: bool) -> str | None:
        """Return why a file, or a folder, is left out, or None; the name of a folder may end in "/"."""
        if is_folder and name.rstrip(b"/") == os.fsencode(BIN):
            return BINNED
        if is_folder and name.startswith(b"."):
            return HIDDEN
        if is_folder and name.rstrip(b"/").lower() in _PROGRAMS:
            return PROGRAM
        if not is_folder and name.startswith(b"._"):
            return SIDECARS
        if self._excluded is None:
            return None
        # A pattern that ends in "/" is about folders.
        full = os.fsdecode(path) + ("/" if is_folder else "")
        return EXCLUDED if self._excluded.match_file(full) else None

    def takes_in(self, path: bytes) -> bool:
        """Return whether a file is taken, whatever leaves it out."""
        return self._included is not None and self._included.match_file(os.fsdecode(path))

    def left_out(self, name: str) -> tuple[str, str] | None:
        """Return the place that is left out, and why, where a file is, or a folder on the way to it."""
        path = os.fsencode(name)
        if self.takes_in(path):
            return None
        parts = path.split(b"/")
        for depth, part in enumerate(parts[:-1], 1):
            folder = b"/".join(parts[:depth])
            if reason := self.reason(folder, part, True):
                return os.fsdecode(folder), reason
        if reason := self.reason(path, parts[-1], False):
            return os.fsdecode(b"/".join(parts[:-1])), reason
        return None

    @cached_property
    def _excluded(self) -> pathspec.GitIgnoreSpec | None:
        return _patterns(self.exclude, "exclude")

    @cached_property
    def _included(self) -> pathspec.GitIgnoreSpec | None:
        return _patterns(self.include, "include")


def _patterns(globs: tuple[str, ...], parameter: str) -> pathspec.GitIgnoreSpec | None:
    if not globs:
        return None
    import pathspec

    for glob in globs:
        if not glob.strip() or glob.startswith(("!", "#")):
            raise UsageError(
                f"{glob!r} is no pattern; it is one such as '*.tif', 'raw/' or '/2019/*'", parameter
            )
    try:
        return pathspec.GitIgnoreSpec.from_lines(globs)
    except ValueError as error:
        raise UsageError(f"has a pattern that cannot be used: {error}", parameter) from None
