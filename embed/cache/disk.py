"""Writing to disk so that a crash at any moment leaves the old state or the new one, and never a mixture.

Everything goes through plain system calls of ``os``, in an order that the tests interrupt at every step.
"""

import errno
import fcntl
import itertools
import os
import socket
import weakref
from collections.abc import Iterable
from pathlib import Path

from embed.errors import CacheLockedError, CacheWriteError

TEMPORARY_PREFIX = ".tmp-"  # never read; swept by the next writer, under the lock
LOCK_NAME = ".lock"
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


def publish(folder: Path, name: str, data: bytes) -> None:
    """Create a file that holds exactly ``data``: durable on return, absent or whole after a crash.

    Raises
    ------
    CacheWriteError
        The disk refused, or a file of that name exists.
    """
    final = folder / name
    temporary = _write_temporary(folder, name, data)
    try:
        try:
            os.link(temporary, final)
        except OSError as error:
            if error.errno not in NO_HARD_LINKS:
                raise
            if final.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
            os.rename(temporary, final)
        sync_folder(folder)
    except OSError as error:
        raise write_error(final, error) from error
    finally:
        _remove(temporary)


def replace(folder: Path, name: str, data: bytes) -> None:
    """Put ``data`` in the place of a file, or create it: durable on return, old or new after a crash.

    Raises
    ------
    CacheWriteError
        The disk refused; the old content is still there.
    """
    temporary = _write_temporary(folder, name, data)
    try:
        os.replace(temporary, folder / name)
        sync_folder(folder)
    except OSError as error:
        _remove(temporary)
        raise write_error(folder / name, error) from error


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
            _write_all(descriptor, line)
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


def _write_temporary(folder: Path, name: str, data: bytes) -> Path:
    """Write ``data`` under a temporary name, durably, and return its path; leave nothing behind on failure."""
    temporary = folder / f"{TEMPORARY_PREFIX}{socket.gethostname()[:32]}-{os.getpid()}-{next(_serial)}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        _remove(temporary)
        raise write_error(folder / name, error) from error
    return temporary


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _remove(temporary: Path) -> None:
    """Remove a temporary file; one that stays is swept by the next writer."""
    try:
        os.unlink(temporary)
    except OSError:
        return


class Lock:
    """The exclusive lock of a feature set: one writer on this machine, named to whoever comes second."""

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK_NAME
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise write_error(path, error) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        except BlockingIOError as error:
            holder = os.pread(self._descriptor, 300, 0).decode(errors="replace").strip() or "another process"
            os.close(self._descriptor)
            raise CacheLockedError(
                f"{folder} is being written by {holder}: wait until it is done, or stop it"
            ) from error
        except OSError as error:
            os.close(self._descriptor)
            raise write_error(path, error) from error
        _held.add(self)

    def release(self) -> None:
        """Let the next writer in."""
        if self in _held:
            _held.discard(self)
            # Closing is not enough: a child that was just forked may not have closed its copy yet.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)

    def forget_in_child(self) -> None:
        """Close the copy that a forked child inherits, so that the lock dies with the process that took it."""
        os.close(self._descriptor)


_held: "weakref.WeakSet[Lock]" = weakref.WeakSet()


def _forget_locks_in_child() -> None:
    for lock in list(_held):
        lock.forget_in_child()
    _held.clear()


os.register_at_fork(after_in_child=_forget_locks_in_child)
