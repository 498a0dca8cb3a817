"""A file that is read piece by piece, wherever it lies: an archive, or a table of photographs."""

import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from embed.errors import ImageError, InputError
from embed.sources import file
from embed.sources.reasons import kind, reason
from embed.sources.source import Address

CHANGED = "changed while reading"


@dataclass(frozen=True, slots=True)
class State:
    """What tells one content of a file from another.

    Parameters
    ----------
    size : int
    stamp : int
        The time of a file in nanoseconds; of an object, its time in seconds and, below a second, its ETag.
    """

    size: int
    stamp: int


class Blob(Protocol):
    """A file that is read piece by piece.

    Attributes
    ----------
    address : path or URL
    ahead : int
        Bytes that are read at once where less is asked for, since more is on its way anyhow.
    """

    address: Address
    ahead: int

    def state(self) -> State:
        """Return what it is now. Raises InputError where it cannot be looked at."""

    def read(self, start: int, size: int, state: State) -> bytes:
        """Return some bytes of that state.

        Raises
        ------
        ImageError
            They cannot be had, or it has another state by now.
        """


class LocalFile:
    """A file of this machine, as a blob.

    Parameters
    ----------
    path : Path
    """

    ahead = 16 << 10

    def __init__(self, path: Path) -> None:
        self.address: Address = path
        self._path = path

    def __reduce__(self) -> tuple[type["LocalFile"], tuple[Path]]:
        """Return what another process, in another working folder, finds the file by."""
        return LocalFile, (self._path.absolute(),)

    def state(self) -> State:
        """Return its size and its time. Raises InputError."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            raise InputError(f"There is no file {self._path}.") from None
        except OSError as error:
            raise InputError(f"{self._path} cannot be read: {reason(error)}.") from None
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{self._path} is {kind(status.st_mode)}, not a file.")
        return State(status.st_size, file.stamp(status))

    def read(self, start: int, size: int, state: State) -> bytes:
        """Return some bytes of that state. Raises ImageError."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise ImageError(f"cannot be read: {reason(error)}") from None
        try:
            data = bytearray()
            while len(data) < size and (piece := os.pread(descriptor, size - len(data), start + len(data))):
                data += piece
            status = os.fstat(descriptor)
        except OSError as error:
            raise ImageError(f"cannot be read: {reason(error)}") from None
        finally:
            os.close(descriptor)
        if State(status.st_size, file.stamp(status)) != state or len(data) != size:
            raise ImageError(CHANGED)
        return bytes(data)


class Window(io.RawIOBase):
    """One state of a blob as an open file, of which some bytes are at hand: what lists members walks through it.

    Parameters
    ----------
    blob : Blob
    state : State

    Attributes
    ----------
    most : int
        Bytes that may be read at once.
    """

    most = file.MAX_BYTES

    def __init__(self, blob: Blob, state: State) -> None:
        self._blob, self.state = blob, state
        self._start, self._data = 0, b""
        self._position = 0

    def at(self, start: int, size: int) -> bytes:
        """Return some bytes; fewer where the file ends. Raises ImageError."""
        size = max(0, min(size, self.state.size - start))
        if size > self.most:
            raise ImageError(f"has {size:,} bytes where at most {self.most:,} are read at once")
        inside = start - self._start
        if not (inside >= 0 and inside + size <= len(self._data)):
            most = min(max(size, self._blob.ahead), self.state.size - start)
            self._data = self._blob.read(start, most, self.state) if most > 0 else b""
            self._start, inside = start, 0
        return self._data[inside : inside + size]

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.state.size}[whence]
        if base + offset < 0:
            raise OSError("a position before the beginning")
        self._position = base + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes. Raises ImageError where these would be too many at once."""
        wanted = self.state.size if size is None or size < 0 else size
        data = self.at(self._position, min(wanted, max(0, self.state.size - self._position)))
        self._position += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer and return how many bytes that took."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
