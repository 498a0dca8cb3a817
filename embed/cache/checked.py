"""Parts whose every block is checked before anyone sees its bytes.

A part is a plain HDF5 file followed by an index: a JSON document with a checksum for each block of 64 KiB and with the
place of every chunk of every dataset. The name of the part carries a digest of the index, so any range of the file
can be read on its own and still be known to be what was written; HDF5, which can hang on a damaged file, is not asked.
"""

import errno
import hashlib
import json
import os
import stat
import struct
import threading
import time
import weakref
from array import array
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import xxhash

from embed.errors import CacheDamagedError, CacheError, CacheFormatError
from embed.files import from_json

FORMAT_VERSION = 2  # of what is written
FORMAT_VERSIONS = (1, 2)  # of what is read
BLOCK_BYTES = 1 << 16
MAGIC = b"embed-ix"
FOOTER = struct.Struct("<Q8s")  # bytes of the index, magic
MOST_INDEX_BYTES = 16 << 20  # of a part of 50 GB
MOST_BYTES = 4 << 30  # that are read to tell a damaged part from one of another format
READ_BYTES = 16 * BLOCK_BYTES  # read and checked at a time where a whole file passes by
DIGEST_CHARACTERS = 16  # hexadecimal digits of a sha256 that a name carries
READ_ATTEMPTS = 3  # a disk that is asked again may answer
PAUSE_S = 0.05


def digest(data: bytes) -> str:
    """Return the first sixteen hexadecimal digits of the sha256."""
    return hashlib.sha256(data).hexdigest()[:DIGEST_CHARACTERS]


def block_sum(block: bytes) -> str:
    """Return the xxh3-64 of a block of the HDF5 file, hexadecimal."""
    return xxhash.xxh3_64_hexdigest(block)


def pack_index(index: dict[str, Any]) -> tuple[str, bytes]:
    """Return the digest of an index and the bytes that follow the HDF5 image."""
    document = json.dumps(index, sort_keys=True, separators=(",", ":")).encode()
    return digest(document), document + FOOTER.pack(len(document), MAGIC)


_local = threading.local()


def _scratch(size: int) -> memoryview:
    """Return the buffer of this thread, in that size."""
    buffer: memoryview | None = getattr(_local, "buffer", None)
    if buffer is None or len(buffer) < size:
        _local.buffer = buffer = memoryview(bytearray(size))
    return buffer[:size]


class CheckedFile:
    """One part on disk, which yields checked bytes or raises. Nothing is read before it is asked for.

    The descriptor stays open: a part that a writer folds away meanwhile can still be read.

    Parameters
    ----------
    path : Path
    index_digest, file_digest : str
        What the name of the part promises.

    Attributes
    ----------
    bytes_on_disk : int
    index : dict
        What the part says of itself, without the checksums of its blocks.

    Raises
    ------
    FileNotFoundError
        The file is not there (any more).
    CacheError
        It cannot be opened.
    """

    def __init__(self, path: Path, index_digest: str, file_digest: str) -> None:
        self.path = path
        self._index_digest = index_digest
        self._file_digest = file_digest
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a FIFO must not be waited for
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._unreadable(error) from error
        self.close = weakref.finalize(self, os.close, self._descriptor)
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise self.damaged("it is no ordinary file")
        self.bytes_on_disk = status.st_size

    @cached_property
    def index(self) -> dict[str, Any]:
        """What the part says of itself.

        Raises
        ------
        CacheDamagedError
            The file is truncated, or its index is not the one that its name promises.
        CacheFormatError
            It is of a format that this version does not understand.
        """
        size = self.bytes_on_disk
        footer = self._read(max(0, size - FOOTER.size), min(size, FOOTER.size))
        length, magic = FOOTER.unpack(footer) if len(footer) == FOOTER.size else (0, b"")
        start = size - FOOTER.size - length
        if magic != MAGIC or start < 0 or length > MOST_INDEX_BYTES:
            raise self._strange("its end is missing")
        document = self._read(start, length)
        if digest(document) != self._index_digest:
            raise self._strange("its index is not the one that was written")
        try:
            index = from_json(document)
        except ValueError as error:
            raise self.damaged(f"its index is no JSON ({error})") from error
        version = index.get("format_version") if isinstance(index, dict) else None
        if type(version) is not int or version not in FORMAT_VERSIONS:
            raise CacheFormatError(
                f"{self.path} is of format version {version!r:.60}; this embed understands {FORMAT_VERSION}: "
                "use the version of embed that wrote it"
            )
        if index.get("length") != start:
            raise self.damaged(f"its index is not that of the {start} bytes before it")
        try:
            # Eight bytes for each block: a large set has a million of them.
            self._sums = array("Q", (int(text, 16) for text in index.pop("blocks")))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise self.damaged("its index has no checksums of blocks") from error
        if len(self._sums) != -(-start // BLOCK_BYTES):
            raise self.damaged(f"its index has checksums of {len(self._sums)} blocks")
        if not isinstance(index.get("recipe_hash"), str) or not isinstance(index.get("datasets"), dict):
            raise self.damaged("its index names no recipe or no datasets")
        checked: dict[str, Any] = index
        return checked

    @property
    def length(self) -> int:
        """Bytes of the HDF5 file."""
        length: int = self.index["length"]
        return length

    def _strange(self, what: str) -> CacheError:
        """Tell a damaged part from a file that is whole but of another format."""
        if self.bytes_on_disk <= MOST_BYTES and self.sha256()[:DIGEST_CHARACTERS] == self._file_digest:
            return CacheFormatError(
                f"{self.path} is of a format that this embed (format version {FORMAT_VERSION}) does not understand"
            )
        return self.damaged(what)

    def read(self, start: int, size: int) -> memoryview:
        """Return ``size`` checked bytes from ``start``, valid until the next read of this thread."""
        length = self.length
        if start < 0 or start + size > length:
            raise self.damaged(f"{size} bytes at {start} lie outside it")
        first = start // BLOCK_BYTES
        offset = first * BLOCK_BYTES
        stop = min(length, -(-(start + size) // BLOCK_BYTES) * BLOCK_BYTES)
        # One buffer for each thread: fresh memory for every chunk costs as much as reading it.
        data = _scratch(stop - offset)
        self._fill(data, offset)
        for block, position in enumerate(range(0, len(data), BLOCK_BYTES), first):
            piece = data[position : position + BLOCK_BYTES]
            if xxhash.xxh3_64_intdigest(piece) != self._sums[block]:
                self._fill(piece, offset + position)
                if xxhash.xxh3_64_intdigest(piece) != self._sums[block]:
                    raise self.damaged(
                        f"bytes from {offset + position} on are not the ones that were written"
                    )
        return data[start - offset : start - offset + size]

    def stream(self) -> BinaryIO:
        """Return the file for whoever reads it from its start, unchecked."""
        return os.fdopen(os.dup(self._descriptor), "rb")

    def check_blocks(self) -> None:
        """Read every block and compare it with its checksum."""
        for start in range(0, self.length, READ_BYTES):
            self.read(start, min(READ_BYTES, self.length - start))

    def check_sha256(self) -> None:
        """Compare the sha256 of the whole file with the one in its name."""
        if self.sha256()[:DIGEST_CHARACTERS] != self._file_digest:
            raise self.damaged("its sha256 is not the one in its name")

    def sha256(self) -> str:
        """Return the hexadecimal sha256 of the whole file."""
        hasher = hashlib.sha256()
        for start in range(0, self.bytes_on_disk, READ_BYTES):
            hasher.update(self._read(start, min(READ_BYTES, self.bytes_on_disk - start)))
        return hasher.hexdigest()

    def damaged(self, what: str) -> CacheDamagedError:
        """Return the error that names this file."""
        return CacheDamagedError(
            f"{self.path} is damaged: {what}; run `embed extract --verify` to recompute its rows"
        )

    def _read(self, start: int, size: int) -> bytes:
        data = bytearray(size)
        self._fill(memoryview(data), start)
        return bytes(data)

    def _fill(self, buffer: memoryview, start: int) -> None:
        """Fill a buffer; a read that fails or comes up short is tried again before anything is concluded."""
        done = attempts = 0
        while done < len(buffer):
            refused = None
            try:
                got = os.preadv(self._descriptor, [buffer[done:]], start + done)
            except OSError as error:
                got, refused = 0, error
            done += got
            if got:
                continue
            attempts += 1
            if attempts < READ_ATTEMPTS:
                time.sleep(PAUSE_S)
            elif refused is not None:
                raise self._unreadable(refused) from refused
            elif os.fstat(self._descriptor).st_size < start + len(buffer):
                raise self.damaged("it is truncated")
            else:
                raise CacheError(f"cannot read {self.path}: the disk gives less than is there")

    def _unreadable(self, error: OSError) -> CacheError:
        hint = {
            errno.EMFILE: "; allow more with ulimit -n",
            errno.EIO: "; look after the disk. If the file is lost for good, delete it: embed extract recomputes its rows",
        }.get(error.errno or 0, "")
        return CacheError(f"cannot read {self.path}: {error.strerror or error}{hint}")
