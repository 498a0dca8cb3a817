"""Read a photograph once: the same bytes are hashed and decoded."""

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from embed.errors import ImageError
from embed.sources.folder import Found, look, reason

MAX_BYTES = 1 << 30  # 1 GiB: no photograph is larger, and a sparse file could fill the memory


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of one file and their identity."""

    data: bytes
    sha256: bytes  # 32 bytes


def read(file: Path, found: Found | None = None) -> Content:
    """Return the bytes of a regular file and their sha256.

    Given what the scan found, the file must still have the same size and modification time; it may not change
    while it is read either. A named pipe or a device is refused before anything is read from it.

    Raises ImageError with the reason.
    """
    if found is not None and found.problem is not None:
        raise ImageError(found.problem)
    try:
        # Opening a named pipe would wait for somebody to write into it.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise ImageError(_why_not_opened(file, found, error)) from None
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise ImageError(look(file).problem or "is not a file")
        if found is not None and (before.st_size, before.st_mtime_ns) != (found.size, found.mtime_ns):
            raise ImageError("changed while reading")
        if before.st_size > MAX_BYTES:
            raise ImageError(f"is {before.st_size:,} bytes long, more than the limit of {MAX_BYTES:,}")
        data = _read_all(descriptor, before.st_size)
        after = os.fstat(descriptor)
        if len(data) != before.st_size or (after.st_size, after.st_mtime_ns) != (
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


def _why_not_opened(file: Path, found: Found | None, error: OSError) -> str:
    if found is not None and error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "vanished"
    return look(file).problem or f"cannot be read: {reason(error)}"
