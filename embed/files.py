"""Files for the user: replaced once the new one is whole, or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embed.errors import InputError


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Give a temporary file beside `file` to write, which takes its place at the end, or goes on an error."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def write(file: Path, content: str | bytes) -> None:
    """Write a page or a picture, and make its folder where that is missing.

    Raises InputError when that cannot be done.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as temporary:
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise InputError(f"cannot write {file}: {error.strerror or error}") from error
