"""What an archive, or a table of photographs, says of one file in it; and what a format of either is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from embed.errors import EmbedError
from embed.sources.blob import Blob, State, Window


class BrokenError(EmbedError):
    "A file is damaged, or not what its name says; the message is the reason alone."


@dataclass(slots=True)
class Member:
    """One file in an archive.

    Parameters
    ----------
    name : str
    start, span : int
        Where it lies in the archive; the number of its row in a table.
    size : int
        Bytes of the file.
    packing : int
        How its bytes are packed, and their checksum, as the format counts it.
    problem : str
        Why it cannot be read.
    """

    name: str
    start: int
    span: int
    size: int
    packing: int = 0
    checksum: int = 0
    problem: str = ""


class Format(Protocol):
    """How files lie together in one. A new format is a class with these members, in `embed.sources.formats`.

    Attributes
    ----------
    pictures_only : bool
        Whether every member is meant to be a photograph, whatever its name.
    """

    pictures_only: bool

    def members(self, window: Window) -> Iterator[Member]:
        """Yield each member, the later of two of one name last.

        Raises
        ------
        BrokenError
            It is damaged; what was told before holds.
        ImageError
            It cannot be read just now.
        """

    def contents(self, blob: Blob, state: State, members: Sequence[Member]) -> Iterator[bytes | str]:
        """Yield the bytes of each of some members, or the reason why that has none.

        Raises
        ------
        ImageError
            The archive cannot be read.
        """

    def peek(self, window: Window, member: Member) -> bytes | str:
        """Return the bytes of a small member while the archive is being listed, or why it has none. Raises ImageError."""

    def columns(self, window: Window) -> Mapping[str, Sequence[str]] | None:
        """Return what the format itself says of its members, by column, in their order; None where it says nothing."""
