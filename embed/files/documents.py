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
from embed.files.trust import Boundary

MOST_BYTES = 64 << 20  # of a small file: a larger one is none of ours
MOST_VALUES = (
    2 << 20
)  # of a JSON document: each takes up to thirty times the bytes in memory that it has in the file
READ_ATTEMPTS = 3  # a disk that is asked again may answer
PAUSE_S = 0.05
_SEAL = re.compile(rb',\n  "checksum": "([0-9a-f]{32})"\n}\n')
_SEAL_BYTES = len(b',\n  "checksum": ""\n}\n') + 32


def read_bytes(path: Path, most: int = MOST_BYTES, boundary: Boundary | None = None) -> bytes:
    """Return the content of a small file; a read that fails is tried again.

    Parameters
    ----------
    path : Path
    most : int
        Bytes that it may have.
    boundary : Boundary, optional
        Of a derived file: what somebody else may have written is not read.

    Raises
    ------
    FileNotFoundError
        There is none.
    CacheError
        It cannot be read.
    CacheDamagedError
        It is no ordinary file, or larger than ``most`` bytes.
    UntrustedError
        Somebody else may have written it.
    """
    for attempt in range(1, READ_ATTEMPTS + 1):
        try:
            if boundary is not None:
                descriptor = boundary.open(path)
            else:  # a FIFO must not be waited for
                descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as stream:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    raise CacheDamagedError(f"{path} is no ordinary file")
                if status.st_size > most:
                    raise CacheDamagedError(f"{path} has {status.st_size} bytes, more than it can have")
                return stream.read(status.st_size)  # as much is taken from memory at once
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


def from_json(data: bytes) -> Any:
    """Return what JSON text says; deep or endless text is refused before memory is taken for it.

    Raises
    ------
    ValueError
        It is no JSON, or holds more than any file of ours.
    """
    if sum(map(data.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise ValueError("it holds more values than it can have")
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


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
        document = from_json(data)
    except ValueError as error:
        raise CacheDamagedError(f"{path} is damaged: {error}") from error
    if not isinstance(document, dict):
        raise CacheDamagedError(f"{path} is damaged: it holds no JSON object")
    version = document.get("format_version")
    if found is None and not (type(version) is int and 0 < version < sealed_from):
        raise CacheDamagedError(f"{path} is damaged: it has no checksum")
    document.pop("checksum", None)
    return document


def write_document(folder: Path, name: str, document: dict[str, Any], *, closed: bool = False) -> None:
    """Put a sealed document in place: old or new after a crash, durable on return; `closed` is that of `Draft`.

    Raises
    ------
    CacheWriteError
        The disk refused; the former one is still there.
    """
    replace(folder, name, seal(document), closed=closed)


def read_document(path: Path, sealed_from: int = 1, boundary: Boundary | None = None) -> dict[str, Any]:
    """Return the document in a file; parameters and errors are those of `read_bytes` and `unseal`."""
    return unseal(read_bytes(path, boundary=boundary), path, sealed_from)
