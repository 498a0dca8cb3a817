"""The boundary of trust: whose derived files are believed.

Parts and other small files of a cache are checked value by value, whoever wrote them. What a library parses that trusts
its input (an index of FAISS, a network of OpenVINO), and what decides answers (a model), is read only where it was
written by

- the user of this process, root, or the owner of the cache, who can change everything in it anyway,
- into files and folders to which neither group nor others may write,

and where no link leads elsewhere. A cache that is named is therefore a person who is believed: its owner.
"""

import errno
import functools
import logging
import os
import shlex
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from embed.errors import UntrustedError

FOREIGN_WRITE = stat.S_IWGRP | stat.S_IWOTH
ROOT = 0
_LOOK = getattr(os, "O_PATH", os.O_RDONLY)  # a folder need not be readable to lead somewhere

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Boundary:
    """Opens derived files, and refuses those that somebody else may have written.

    Parameters
    ----------
    base : Path
        Folder below which every file and folder has to be closed to others. It may be a link itself.
    cache : Path
        Folder that the user named; its owner is believed. It is the base or above it.
    """

    base: Path
    cache: Path

    @classmethod
    def of_set(cls, folder: Path) -> "Boundary":
        """Return the boundary of what is derived from a feature set."""
        return cls(folder, folder.parent)

    def open(self, path: Path) -> int:
        """Return a descriptor of a file below the base, for reading.

        Every folder on the way is looked at and opened in the one before it, so nothing can be exchanged in between.

        Raises
        ------
        FileNotFoundError
            There is none.
        UntrustedError
            Somebody else may have written it, or it is no ordinary file.
        OSError
            It cannot be opened.
        """
        believed = self._believed()
        descriptor = os.open(self.base, _LOOK | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._check_owner(self.base, os.fstat(descriptor), believed)
            here = self.base
            for name in path.relative_to(self.base).parts[:-1]:
                here = here / name
                descriptor = self._enter(descriptor, here, _LOOK | os.O_DIRECTORY, believed)
            return self._enter(descriptor, path, os.O_RDONLY | os.O_NONBLOCK, believed)
        except BaseException:
            os.close(descriptor)
            raise

    def believes(self, path: Path) -> bool:
        """Return whether a file or folder is nobody else's: not there yet, or written within the boundary."""
        try:
            status = path.lstat()
            self._check(path, status, self._believed(), file=not stat.S_ISDIR(status.st_mode))
        except FileNotFoundError:
            return True
        except (OSError, UntrustedError):
            return False
        return True

    def check_folder(self, folder: Path) -> None:
        """Raise UntrustedError where somebody else may write to a folder below the base, and FileNotFoundError without one."""
        self._check(folder, folder.lstat(), self._believed(), file=False)

    def _enter(self, above: int, path: Path, flags: int, believed: set[int]) -> int:
        """Open what has a name in an open folder, and close that."""
        file = not flags & os.O_DIRECTORY
        # Before it is opened: to open a device may do something.
        self._check(path, os.stat(path.name, dir_fd=above, follow_symlinks=False), believed, file=file)
        descriptor = os.open(path.name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
        try:
            self._check(path, os.fstat(descriptor), believed, file=file)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(above)
        return descriptor

    def _believed(self) -> set[int]:
        return {ROOT, os.geteuid(), self.cache.stat().st_uid}

    def _check(self, path: Path, status: os.stat_result, believed: set[int], *, file: bool) -> None:
        if stat.S_ISLNK(status.st_mode):
            raise UntrustedError(f"{path} is a link, no ordinary {'file' if file else 'folder'}")
        if file and not stat.S_ISREG(status.st_mode):
            raise UntrustedError(f"{path} is no ordinary file")
        if not file and not stat.S_ISDIR(status.st_mode):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        self._check_owner(path, status, believed)
        if status.st_mode & FOREIGN_WRITE and _keeps_rights(path.parent if file else path):
            top = self.base / path.relative_to(self.base).parts[0]
            raise UntrustedError(
                f"{path} is not believed, for others may write to it (its access rights are "
                f"{stat.S_IMODE(status.st_mode):03o}): if nobody else did, run `chmod -R go-w {shlex.quote(str(top))}`"
            )

    def _check_owner(self, path: Path, status: os.stat_result, believed: set[int]) -> None:
        if status.st_uid not in believed:
            raise UntrustedError(
                f"{path} is not believed, for it belongs to user {status.st_uid}, who is neither you nor root nor the owner "
                f"of {self.cache}"
            )


def close_to_others(path: Path) -> None:
    """Take away from everybody but the owner the right to write to a file or folder. Raises OSError."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & FOREIGN_WRITE:
        try:
            path.chmod(mode & ~FOREIGN_WRITE)
        except PermissionError:
            if _keeps_rights(path if path.is_dir() else path.parent):
                raise


def _keeps_rights(folder: Path) -> bool:
    """Return whether files in a folder have access rights of their own.

    FAT and the drives of Windows say the same of all: there the mount decides who may write, and no `chmod` helps.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=".tmp-rights-", dir=folder)
    except OSError:
        return True
    try:
        return not os.fstat(descriptor).st_mode & FOREIGN_WRITE
    finally:
        os.close(descriptor)
        os.unlink(name)


@functools.cache
def tell(sentence: str) -> None:
    """Say once in a process that a derived file is left alone."""
    log.warning("%s", sentence)
