"""Read a file once: the same bytes are hashed and decoded."""

import errno
import hashlib
import os
import stat
from pathlib import Path

from embed.errors import ImageError
from embed.sources.reasons import kind, reason, why
from embed.sources.source import Content, Item

MAX_BYTES = 1 << 30  # 1 GiB: no photograph is larger, and a sparse file could fill the memory

# Nanoseconds that an int64 holds, short of its lowest value, which stands for an unknown time: years 1677 to 2262.
_FIRST_STAMP, _LAST_STAMP = -(2**63) + 1, 2**63 - 1


def stamp(status: os.stat_result) -> int:
    """Return the modification time of a file in nanoseconds; one that no int64 holds becomes the nearest that it does."""
    time = status.st_mtime_ns
    return time if _FIRST_STAMP <= time <= _LAST_STAMP else max(_FIRST_STAMP, min(time, _LAST_STAMP))


def too_large(size: int) -> str:
    """Return why a file of this size is not read."""
    return f"is {size:,} bytes long, more than the limit of {MAX_BYTES:,}"


def read(file: Path, item: Item | None = None) -> Content:
    """Return the bytes of a regular file and their sha256.

    A named pipe or a device is refused before anything is read from it.

    Parameters
    ----------
    file : Path
    item : Item, optional
        What was found: the file must still have its size and its stamp. It may not change while it is read either.

    Raises
    ------
    ImageError
        The message is the reason.
    """
    found = item is not None and item.stamp is not None
    try:
        # Opening a named pipe would wait for somebody to write into it.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise ImageError(_why_not_opened(file, found, error)) from None
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise ImageError(f"is {kind(before.st_mode)}, not a file")
        if item is not None and found and (before.st_size, stamp(before)) != (item.size, item.stamp):
            raise ImageError("changed while reading")
        if before.st_size > MAX_BYTES:
            raise ImageError(too_large(before.st_size))
        data = _read_all(descriptor, before.st_size)
        after = os.fstat(descriptor)
        if (len(data), after.st_size, after.st_mtime_ns) != (
            before.st_size,
            before.st_size,
            before.st_mtime_ns,
        ):
            raise ImageError("changed while reading")
    except OSError as error:
        raise ImageError(f"cannot be read: {reason(error)}") from None
    finally:
        os.close(descriptor)
    return Content(data, hashlib.sha256(data).digest())


def _read_all(descriptor: int, size: int) -> bytes:
    """Read to the end, but not past one byte more than expected: a growing file must not be chased."""
    pieces = []
    missing = size + 1
    while missing and (piece := os.read(descriptor, missing)):
        pieces.append(piece)
        missing -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _why_not_opened(file: Path, found: bool, error: OSError) -> str:
    if error.errno == errno.ENXIO:
        return "is a socket, not a file"
    if found and error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "vanished"
    return why(file, error)
