"""Places beyond this machine, by their URLs: object storage, and whatever else fsspec knows."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Protocol

from embed.errors import ImageError, InputError
from embed.sources.address import scheme
from embed.sources.blob import State
from embed.sources.source import Address

OBJECT_STORES = frozenset(("s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss"))
AHEAD = 8 << 20  # bytes that one request brings, while a list of members is walked
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


@lru_cache(maxsize=256)
def remote(url: str) -> Remote:
    """Return a place elsewhere.

    Raises
    ------
    InputError
        The library for it is missing, or it cannot be opened.
    """
    if scheme(url) in OBJECT_STORES:
        from embed.sources.remote_objects import ObjectStore

        return ObjectStore(url)
    from embed.sources.remote_files import FileSystem

    return FileSystem(url)


def stamp(time: datetime | None, tag: str) -> int:
    """Return the stamp of a file elsewhere: its time in seconds and, below a second, what its tag comes to."""
    seconds = 0 if time is None else int(time.timestamp())
    digest = hashlib.sha256(tag.removeprefix("W/").strip('"').encode()).digest()
    return seconds * SECOND + int.from_bytes(digest[:8], "big") % SECOND


class RemoteFile:
    """A file elsewhere, as a blob.

    Parameters
    ----------
    url : str
    """

    ahead = AHEAD

    def __init__(self, url: str) -> None:
        self.address: Address = url
        self._url = url
        self._folder, _, self._name = url.rpartition("/")

    def state(self) -> State:
        """Return its state. Raises InputError."""
        try:
            return remote(self._folder).state(self._name)
        except RemoteError as error:
            raise InputError(f"{self._url} {error}.") from error

    def read(self, start: int, size: int, state: State) -> bytes:
        """Return some bytes of that state. Raises ImageError."""
        try:
            data, found = remote(self._folder).read(self._name, state, start, size)
        except (RemoteError, InputError) as error:
            raise ImageError(str(error)) from error
        if found != state or len(data) != size:
            raise ImageError("changed while reading")
        return data
