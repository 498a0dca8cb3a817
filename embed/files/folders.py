"""Durable changes of the names in a folder. Plain system calls, in an order that the tests interrupt at every step."""

import errno
import itertools
import os
from collections.abc import Iterable
from pathlib import Path

from embed.errors import CacheError, CacheWriteError
from embed.files.trust import close_to_others


def write_error(path: Path, error: OSError) -> CacheWriteError:
    """Return the error that tells which path could not be written and why."""
    cause = error.strerror or str(error)
    hint = {
        errno.ENOSPC: "free some space and run the command again; everything committed is kept",
        errno.EDQUOT: "free some of the quota and run the command again; everything committed is kept",
        errno.EROFS: "what is there can be read but not added to",
        errno.EACCES: "what is there can be read but not added to",
        errno.EPERM: "what is there can be read but not added to",
    }.get(error.errno or 0, "everything committed is kept")
    return CacheWriteError(f"cannot write {path}: {cause} ({hint})")


def append_line(path: Path, line: bytes, *, durable: bool = False) -> None:
    """Append one line in one write; a crash may lose it, unless it is to be durable on return.

    Raises
    ------
    CacheWriteError
        The disk refused.
    """
    try:
        # Through no link: what lies elsewhere is none of ours.
        descriptor = os.open(
            path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666
        )
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise write_error(path, error) from error


def folders_with(folder: Path, file: str) -> list[Path]:
    """Return the folders in a folder that hold a file of this name, sorted; none where there is no such folder.

    Raises
    ------
    CacheError
        One of them cannot be looked at: it may hold the file all the same.
    """
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise CacheError(f"cannot read {folder}: {error.strerror or error}") from error
    return [folder / name for name in names if _is_there(folder / name / file)]


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise CacheError(f"cannot read {path}: {error.strerror or error}") from error
    return True


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, *, closed: bool = False) -> None:
    """Create a folder and the ones above it, durably.

    Parameters
    ----------
    folder : Path
    closed : bool
        Take away from everybody but the owner the right to write to the folder, also where it was there before.

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
        if closed:
            close_to_others(folder)
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
