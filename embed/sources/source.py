"""What a source of photographs is, and what it tells of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Address = Path | str  # a path, or a URL

# Columns of what a source says of its photographs.
LABEL, TEXT = "label", "text"


@dataclass(frozen=True, slots=True)
class Item:
    """One photograph of a source, found but not read.

    Parameters
    ----------
    name : str
        Unique in the source, with "/" between folders; bytes that are no text are surrogates (``os.fsdecode``).
    size : int
        In bytes.
    stamp : int or None
        Another one where the content may be another: the time of a file in nanoseconds. None takes the content as it is
        when it is read.
    """

    name: str
    size: int = 0
    stamp: int | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A place that was looked at to its end without an error, with all that is below it but the places that failed.

    Parameters
    ----------
    place : str
        Name of a folder, an archive or the like; empty for the source itself.
    """

    place: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A place, or a single photograph, that could not be looked at.

    Parameters
    ----------
    place : str
    reason : str
    expected : bool
        Whether a photograph was to be expected there: it is a folder, or has the name of an image.
    gone : bool
        Whether it is certain that no photograph is there (any more), because something else is.
    """

    place: str
    reason: str
    expected: bool = True
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of one photograph and what identifies them.

    Parameters
    ----------
    data : bytes
    sha256 : bytes
        32 bytes: of `data`, or of what it was made from.
    """

    data: bytes
    sha256: bytes


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that is not taken for photographs.

    Parameters
    ----------
    place : str
        A folder that is left out as a whole, or the folder of the files that are.
    reason : str
    images : int
        How many files with the name of an image it holds, as far as they were counted.
    """

    place: str
    reason: str
    images: int


Told = Item | Listed | Failed | LeftOut
Read = tuple[Item, Content | str]
Described = tuple[
    str, Mapping[str, str]
]  # the name of a photograph, and what is said of it: column and value


class Source(Protocol):
    """Where photographs come from. A new kind of source is one class with these members.

    Attributes
    ----------
    name : str
        Short name, which becomes part of the name of a feature set.
    root : Path, or a URL as text
        Where it is; a feature set remembers that.
    again : str
        The arguments of ``embed extract`` that lead there; empty where that is `root`.
    places : tuple of str
        The folders and archives in `root` that it looks into, where there are several.
    """

    name: str
    root: Path | str
    again: str
    places: tuple[str, ...]

    def find(self) -> Iterator[Told]:
        """Yield every item, best in the order of the bytes of the names, and each place after what is in it.

        ``Listed("")`` comes last. A row leaves a feature set only where its place was listed and its item was not there.

        Raises
        ------
        InputError
            The source itself cannot be looked at.
        """

    def read(self, group: Sequence[Item]) -> Iterator[Read]:
        """Yield each item of a group, in order, with its content, or with the reason why that cannot be had just now.

        Groups are read in several threads at once; items that follow each other in `find` are in one group.
        """

    def described(self) -> Iterator[Described]:
        """Yield what the source itself says of its photographs, as a table of them and labels beside them do."""

    def address(self, name: str) -> Address:
        """Return what leads to an item, whether it is there or not; `embed.sources.read` reads it."""
