"""Files and folders under a temporary name, which take their own name once they are whole.

Everything goes through plain system calls of ``os``, in an order that the tests interrupt at every step.
"""

import errno
import fcntl
import itertools
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from embed.errors import EmbedError, InputError
from embed.files.folders import sync_folder, write_error

TEMPORARY_PREFIX = ".tmp-"  # never read; swept once nobody holds it
# Access rights, of which the umask takes some: other people of the machine read a shared cache.
OPEN_FILE, CLOSED_FILE, CLOSED_FOLDER = 0o666, 0o644, 0o755
# Raised by file systems without hard links (FAT, exFAT, some network shares).
NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}

_serial = itertools.count()


def _of_this_machine() -> str:
    return f"{TEMPORARY_PREFIX}{socket.gethostname()[:32]}-"


def _temporary_path(folder: Path) -> Path:
    return folder / f"{_of_this_machine()}{os.getpid()}-{next(_serial)}"


def _hold(descriptor: int) -> bool:
    """Lock what is written, so that nobody sweeps it; return whether it is still there."""
    with suppress(OSError):  # file systems without locks: only those who hold a lock of their own sweep there
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return os.fstat(descriptor).st_nlink > 0


class Draft:
    """A file under a temporary name: published as a whole, or gone with the ``with`` block.

    HDF5 may write to it as to any file of Python's. It crashes the process where a write fails under it, so the first
    error of the disk is kept from it, and raised by whatever comes next.

    Parameters
    ----------
    folder : Path
        Where the file is to be.
    durable : bool
        Whether what is published must survive a power cut. Without it a crash of the machine may leave an empty file
        under the final name, which does no harm where its content is checked or can be had again.
    closed : bool
        Whether nobody but the owner may write to it, whatever the umask says: derived files are believed only then.
    error : callable
        Returns the error to raise for a path and an ``OSError``.

    Attributes
    ----------
    path : Path
        The temporary name, for a library that wants to open the file by itself.
    size : int
        Bytes written through this object.

    Raises
    ------
    CacheWriteError, or what ``error`` returns
        The disk refused.
    """

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool = True,
        closed: bool = False,
        error: Callable[[Path, OSError], EmbedError] = write_error,
    ) -> None:
        self._folder = folder
        self._durable = durable
        self._mode = CLOSED_FILE if closed else OPEN_FILE
        self._error = error
        self._position = 0
        self.size = 0
        self._refused: OSError | None = None
        self._handed_over = False
        try:
            self.path, self._descriptor = self._create()
        except OSError as refused:
            raise error(folder, refused) from refused

    def _create(self) -> tuple[Path, int]:
        while True:
            path = _temporary_path(self._folder)
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, self._mode)
            except FileExistsError:  # left by a process of the same number
                continue
            if _hold(descriptor):
                return path, descriptor
            os.close(descriptor)  # swept between the two calls

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
                raise self._error(self._folder, error) from error

    def publish(self, name: str) -> None:
        """Give the file its name, which must be free: absent or whole after a crash, durable on return."""
        final = self._folder / name
        self._sync(final)
        publish(self.path, final, durable=self._durable, error=self._error)

    def hand_over(self) -> str:
        """Leave the file, synced, under its temporary name for whoever publishes it, and return that name."""
        self._sync(self.path)
        self._handed_over = True
        return self.path.name

    def replace(self, name: str) -> None:
        """Give the file a name that another may have had: old or new after a crash, durable on return."""
        final = self._folder / name
        self._sync(final)
        try:
            os.replace(self.path, final)
            if self._durable:
                sync_folder(self._folder)
        except OSError as error:
            raise self._error(final, error) from error

    def _sync(self, final: Path) -> None:
        self._check(final)
        if not self._durable:
            return
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise self._error(final, error) from error

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
            raise self._error(path, self._refused) from self._refused

    def __enter__(self) -> "Draft":
        return self

    def __exit__(self, *_: object) -> None:
        # Whoever still writes, after an interruption, must not reach another file under this number.
        self._refused = self._refused or OSError(errno.EBADF, os.strerror(errno.EBADF))
        os.close(self._descriptor)
        # One that stays is swept by the next writer.
        if not self._handed_over:
            with suppress(OSError):
                os.unlink(self.path)


def publish(
    temporary: Path,
    final: Path,
    *,
    durable: bool = True,
    error: Callable[[Path, OSError], EmbedError] = write_error,
) -> None:
    """Give a file that was synced its final name beside the temporary one, which must be free.

    Raises
    ------
    CacheWriteError, or what ``error`` returns
        The disk refused, or there is such a file already.
    """
    try:
        try:
            os.link(temporary, final)
        except OSError as refused:
            if refused.errno not in NO_HARD_LINKS:
                raise
            if final.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from refused
            os.rename(temporary, final)
        if durable:
            sync_folder(final.parent)
    except OSError as refused:
        raise error(final, refused) from refused


def replace(folder: Path, name: str, data: bytes, *, durable: bool = True, closed: bool = False) -> None:
    """Put ``data`` in the place of a file, or create it: old or new after a crash, and durable on return.

    ``durable`` and ``closed`` are those of `Draft`.

    Raises
    ------
    CacheWriteError
        The disk refused; the old content is still there.
    """
    with Draft(folder, durable=durable, closed=closed) as draft:
        draft.write(data)
        draft.replace(name)


def _input_error(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot write {path}: {error.strerror or error}")


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Give a temporary file beside a user's file to write, which takes its place at the end, or goes on an error.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    _sweep_beside(file)
    with Draft(file.parent, durable=False, error=_input_error) as draft:
        yield draft.path
        draft.replace(file.name)


def write(file: Path, content: str | bytes) -> None:
    """Write a page or a picture for the user, and make its folder where that is missing.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as temporary:
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise _input_error(file, error) from error


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """Make a folder under a temporary name, closed to others, which is gone at the end unless it was published.

    Raises
    ------
    OSError
        The disk refused.
    """
    while True:
        path = _temporary_path(parent)
        try:
            path.mkdir(CLOSED_FOLDER)
        except FileExistsError:
            continue
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        if _hold(descriptor):
            break
        os.close(descriptor)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def publish_folder(temporary: Path, final: Path) -> bool:
    """Give a temporary folder its name, with all files in it: durable on return, absent or whole after a crash.

    Returns
    -------
    bool
        False where there is such a folder already, and something in it: that one stays.

    Raises
    ------
    OSError
        The disk refused.
    """
    for folder, _, names in os.walk(temporary):
        for name in names:
            descriptor = os.open(os.path.join(folder, name), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(folder))
    try:
        os.rename(temporary, final)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            return False
        raise
    sync_folder(final.parent)
    return True


def sweep(folder: Path) -> None:
    """Remove what processes that died have left under temporary names; what a living one writes is left alone.

    Raises
    ------
    CacheWriteError
        The disk refused.
    """
    try:
        for name in os.listdir(folder):
            if name.startswith(TEMPORARY_PREFIX):
                _remove_unheld(folder / name)
    except OSError as error:
        raise write_error(folder, error) from error


def _sweep_beside(file: Path) -> None:
    """Remove what killed processes of this machine have left in a folder of the user: nothing but files of such a name."""
    left = re.compile(re.escape(_of_this_machine()) + r"\d+-\d+")
    with suppress(OSError):  # where the folder may not be listed, what was left stays
        for name in os.listdir(file.parent):
            if left.fullmatch(name) and not (file.parent / name).is_dir():
                _remove_unheld(file.parent / name)


def _remove_unheld(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return  # its owner was faster
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        os.unlink(path)  # a link
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            with suppress(FileNotFoundError):
                os.unlink(path)
    except BlockingIOError:
        pass
    finally:
        os.close(descriptor)
