"""Writing to disk so that a crash at any moment leaves the old state or the new one, and never a mixture.

Everything goes through plain system calls of ``os``, in an order that the tests interrupt at every step.
"""

import errno
import itertools
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from embed.errors import CacheWriteError

TEMPORARY_PREFIX = ".tmp-"  # never read; swept by the next writer, under the lock
# Raised by file systems without hard links (FAT, exFAT, some network shares).
NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}

_serial = itertools.count()


def write_error(path: Path, error: OSError) -> CacheWriteError:
    """Return the error that tells which path could not be written and why."""
    cause = error.strerror or str(error)
    hint = {
        errno.ENOSPC: "free some space and run the command again; everything committed is kept",
        errno.EDQUOT: "free some of the quota and run the command again; everything committed is kept",
        errno.EROFS: "the features can be read but not added to",
        errno.EACCES: "the features can be read but not added to",
        errno.EPERM: "the features can be read but not added to",
    }.get(error.errno or 0, "everything committed is kept")
    return CacheWriteError(f"cannot write {path}: {cause} ({hint})")


class Draft:
    """A file under a temporary name: published as a whole, or gone with the ``with`` block.

    HDF5 may write to it as to any file of Python's. It crashes the process where a write fails under it, so the first
    error of the disk is kept from it, and raised by whatever comes next.

    Raises
    ------
    CacheWriteError
        The disk refused.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._temporary = (
            folder / f"{TEMPORARY_PREFIX}{socket.gethostname()[:32]}-{os.getpid()}-{next(_serial)}"
        )
        self._position = 0
        self.size = 0
        self._refused: OSError | None = None
        try:
            self._descriptor = os.open(self._temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except OSError as error:
            raise write_error(self._folder, error) from error

    def write(self, data: Any) -> int:
        """Write all of some bytes at the position."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        while rest:
            written = self._try(os.pwrite, rest, self._position)
            if not written:
                self._refused = self._refused or OSError(errno.EIO, os.strerror(errno.EIO))
                written = len(rest)
            rest = rest[written:]
            self._position += written
        self.size = max(self.size, self._position)
        return size

    def read(self, size: int) -> bytes:
        """Return bytes from the position on."""
        data = bytearray(size)
        return bytes(data[: self.readinto(data)])

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from the position on."""
        return self._try(os.preadv, [buffer], self._position)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def truncate(self, size: int) -> int:
        """Cut the file off, or lengthen it."""
        self.size = size
        self._try(os.ftruncate, size)
        return size

    def flush(self) -> None:
        """Do nothing: what was written is with the operating system, and ``publish`` makes it durable."""

    def blocks(self, size: int) -> Iterator[bytes]:
        """Yield what was written, so many bytes at a time."""
        self._check(self._folder)
        for start in range(0, self.size, size):
            try:
                yield os.pread(self._descriptor, size, start)
            except OSError as error:
                raise write_error(self._folder, error) from error

    def publish(self, name: str) -> None:
        """Give the file its name, which must be free: durable on return, absent or whole after a crash."""
        final = self._folder / name
        self._sync(final)
        try:
            try:
                os.link(self._temporary, final)
            except OSError as error:
                if error.errno not in NO_HARD_LINKS:
                    raise
                if final.exists():
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
                os.rename(self._temporary, final)
            sync_folder(self._folder)
        except OSError as error:
            raise write_error(final, error) from error

    def replace(self, name: str) -> None:
        """Give the file a name that another may have had: durable on return, old or new after a crash."""
        final = self._folder / name
        self._sync(final)
        try:
            os.replace(self._temporary, final)
            sync_folder(self._folder)
        except OSError as error:
            raise write_error(final, error) from error

    def _sync(self, final: Path) -> None:
        self._check(final)
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise write_error(final, error) from error

    def _try(self, call: Callable[..., int | None], *arguments: Any) -> int:
        """Return what a system call returns, and 0 without asking the disk again once it has refused."""
        if self._refused is None:
            try:
                return call(self._descriptor, *arguments) or 0
            except OSError as error:
                self._refused = error
        return 0

    def _check(self, path: Path) -> None:
        if self._refused is not None:
            raise write_error(path, self._refused) from self._refused

    def __enter__(self) -> "Draft":
        return self

    def __exit__(self, *_: object) -> None:
        # Whoever still writes, after an interruption, must not reach another file under this number.
        self._refused = self._refused or OSError(errno.EBADF, os.strerror(errno.EBADF))
        os.close(self._descriptor)
        # One that stays is swept by the next writer.
        with suppress(OSError):
            os.unlink(self._temporary)


def replace(folder: Path, name: str, data: bytes) -> None:
    """Put ``data`` in the place of a file, or create it: durable on return, old or new after a crash.

    Raises
    ------
    CacheWriteError
        The disk refused; the old content is still there.
    """
    with Draft(folder) as draft:
        draft.write(data)
        draft.replace(name)


def append_line(path: Path, line: bytes) -> None:
    """Append one line in one write; a crash may lose it.

    Raises
    ------
    CacheWriteError
        The disk refused.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        finally:
            os.close(descriptor)
    except OSError as error:
        raise write_error(path, error) from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create a folder and the ones above it, durably.

    Raises
    ------
    CacheWriteError
        The disk refused.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            sync_folder(path.parent)
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    except OSError as error:
        raise write_error(folder, error) from error


def sweep(folder: Path) -> None:
    """Remove what an interrupted writer left behind. Call it under the lock only."""
    try:
        for name in os.listdir(folder):
            if name.startswith(TEMPORARY_PREFIX):
                os.unlink(folder / name)
    except OSError as error:
        raise write_error(folder, error) from error


def remove(folder: Path, names: Iterable[str]) -> None:
    """Remove files of a folder.

    Raises
    ------
    CacheWriteError
        The disk refused.
    """
    for name in names:
        try:
            os.unlink(folder / name)
        except OSError as error:
            raise write_error(folder / name, error) from error


def move_aside(folder: Path, names: Iterable[str], to: str) -> Path:
    """Move files of a folder into a folder below it, never over another file, and return that folder.

    Raises
    ------
    CacheWriteError
        The disk refused.
    """
    aside = folder / to
    make_folder(aside)
    try:
        for name in names:
            spare = itertools.chain([name], (f"{name}.{number}" for number in itertools.count(2)))
            os.rename(folder / name, aside / next(free for free in spare if not (aside / free).exists()))
        sync_folder(aside)
        sync_folder(folder)
    except OSError as error:
        raise write_error(aside, error) from error
    return aside
