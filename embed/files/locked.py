"""One process at a time changes a file."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embed.files.folders import write_error


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Wait until nobody else changes a file, and keep others waiting meanwhile; readers need not wait.

    The lock is on a hidden file beside it, which stays, and dies with the process that holds it.

    Raises
    ------
    CacheWriteError
        The disk refused.
    """
    path = file.with_name(f".{file.name}.lock")
    try:
        descriptor = os.open(
            path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666
        )
    except OSError as error:
        raise write_error(path, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            raise write_error(path, error) from error
        yield
    finally:
        os.close(descriptor)
