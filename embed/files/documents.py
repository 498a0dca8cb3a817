"""Small files that carry a checksum: a document whose bits were damaged is named, never believed.

A sealed document is a JSON object whose last member is ``"checksum"``: the xxh3-128, hexadecimal, of every byte of the
file before the comma that precedes it. Text of another kind keeps its checksum in a place of its own.
"""

import errno
import json
import os
import re
import stat
import time
from pathlib import Path
from typing import Any

import xxhash

from embed.errors import CacheDamagedError, CacheError
from embed.files.draft import replace

MOST_BYTES = 64 << 20  # of a small file: a larger one is none of ours
READ_ATTEMPTS = 3  # a disk that is asked again may answer
PAUSE_S = 0.05
_SEAL = re.compile(rb',\n  "checksum": "([0-9a-f]{32})"\n}\n')
_SEAL_BYTES = len(b',\n  "checksum": ""\n}\n') + 32


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return the content of a small file; a read that fails is tried again.

    Raises
    ------
    FileNotFoundError
        There is none.
    CacheError
        It cannot be read.
    CacheDamagedError
        It is no ordinary file, or larger than ``most`` bytes.
    """
    for attempt in range(1, READ_ATTEMPTS + 1):
        try:
            # A FIFO must not be waited for.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as stream:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    raise CacheDamagedError(f"{path} is no ordinary file")
                if status.st_size > most:
                    raise CacheDamagedError(f"{path} has {status.st_size} bytes, more than it can have")
                return stream.read(most)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from error
        except OSError as error:
            if error.errno != errno.EIO or attempt == READ_ATTEMPTS:
                raise CacheError(f"cannot read {path}: {error.strerror or error}") from error
            time.sleep(PAUSE_S)
    raise AssertionError("unreachable")


def seal(document: dict[str, Any]) -> bytes:
    """Return a document as JSON text with its checksum."""
    body = json.dumps(document, indent=2).removesuffix("\n}").encode()
    return body + b',\n  "checksum": "%s"\n}\n' % xxhash.xxh3_128_hexdigest(body).encode()


def unseal(data: bytes, path: Path, sealed_from: int = 1) -> dict[str, Any]:
    """Return the document of some JSON text, without its checksum.

    Parameters
    ----------
    data : bytes
    path : Path
        Where they were read, for the error.
    sealed_from : int
        The first ``format_version`` whose documents have a checksum; an older one is believed as it is.

    Raises
    ------
    CacheDamagedError
        It is no JSON object, or its checksum is missing or does not hold.
    """
    found = _SEAL.fullmatch(data, max(0, len(data) - _SEAL_BYTES))
    if found is not None and xxhash.xxh3_128_hexdigest(data[: found.start()]).encode() != found[1]:
        raise CacheDamagedError(f"{path} is damaged: its checksum does not hold")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CacheDamagedError(f"{path} is damaged: {str(error) or 'no JSON'}") from error
    if not isinstance(document, dict):
        raise CacheDamagedError(f"{path} is damaged: it holds no JSON object")
    version = document.get("format_version")
    if found is None and not (type(version) is int and 0 < version < sealed_from):
        raise CacheDamagedError(f"{path} is damaged: it has no checksum")
    document.pop("checksum", None)
    return document


def write_document(folder: Path, name: str, document: dict[str, Any]) -> None:
    """Put a sealed document in place: old or new after a crash, durable on return.

    Raises
    ------
    CacheWriteError
        The disk refused; the former one is still there.
    """
    replace(folder, name, seal(document))


def read_document(path: Path, sealed_from: int = 1) -> dict[str, Any]:
    """Return the document in a file; parameters and errors are those of `read_bytes` and `unseal`."""
    return unseal(read_bytes(path), path, sealed_from)
