"""Places beyond this machine, by their URLs: object storage, and whatever else fsspec knows."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from embed.sources.blob import State

SECOND = 10**9  # nanoseconds
VANISHED = "vanished"


class RemoteError(Exception):
    """What went wrong at a place elsewhere; the message is the reason alone.

    Parameters
    ----------
    message : str
    gone : bool
        Whether it is certain that nothing is there.
    """

    def __init__(self, message: str, gone: bool = False) -> None:
        super().__init__(message)
        self.gone = gone


@dataclass(frozen=True, slots=True)
class Entry:
    """One file elsewhere.

    Parameters
    ----------
    name : str
        Below the place that was listed.
    state : State
    """

    name: str
    state: State


class Remote(Protocol):
    """A folder elsewhere, or a prefix of objects. Any thread may ask.

    Every method raises `RemoteError`.
    """

    def entries(self) -> Iterator[Entry]:
        """Yield all files in it and below, best in the order of the bytes of the names."""

    def state(self, name: str) -> State:
        """Return the state of a file."""

    def read(
        self, name: str, state: State | None = None, start: int = 0, size: int | None = None
    ) -> tuple[bytes, State]:
        """Return some bytes of a file, or all, and its state; where another state was asked for, that differs."""


def stamp(time: datetime | None, tag: str) -> int:
    """Return the stamp of a file elsewhere: its time in seconds and, below a second, what its tag comes to."""
    seconds = 0 if time is None else int(time.timestamp())
    digest = hashlib.sha256(tag.removeprefix("W/").strip('"').encode()).digest()
    return seconds * SECOND + int.from_bytes(digest[:8], "big") % SECOND
