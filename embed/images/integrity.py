"""Whether a file is whole, by the structure of its format: decoders make up the end of what is missing."""

import re
import zlib

from embed.errors import ImageError
from embed.images import formats
from embed.images.formats import Format


def check(data: bytes, format: Format) -> None:
    """Raise ImageError when the data stop before the format says that they end, or a checksum is wrong."""
    checker = _CHECKERS.get(format)
    if checker is not None:
        checker(data)


def _check_jpeg(data: bytes) -> None:
    _walk_jpeg(data)


# In the entropy-coded data of a JPEG 0xFF is followed by 0x00, by a restart marker or by more 0xFF.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_STANDALONE = frozenset((0x01, *range(0xD0, 0xD8)))


def _walk_jpeg(data: bytes) -> None:
    position, scans = 2, 0
    while True:
        marker = _MARKER.search(data, position)
        if marker is None:
            raise ImageError("truncated JPEG")
        kind, position = data[marker.end() - 1], marker.end()
        if kind == _EOI:
            break
        if kind in _STANDALONE:
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        if position + length > len(data):
            raise ImageError("truncated JPEG")
        position += max(length, 2)
        scans += kind == _SOS
    if not scans:
        raise ImageError("damaged JPEG")


def _check_png(data: bytes) -> None:
    position = 8
    while True:
        head = data[position : position + 8]
        if len(head) < 8:
            raise ImageError("truncated PNG")
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        end = position + 12 + length
        if end > len(data):
            raise ImageError("truncated PNG")
        checksum = int.from_bytes(data[end - 4 : end], "big")
        if zlib.crc32(memoryview(data)[position + 4 : end - 4]) != checksum:
            raise ImageError(f"damaged PNG: wrong checksum of a chunk {kind.decode('ascii', 'replace')}")
        if kind == b"IEND":
            return
        position = end


def _check_riff(data: bytes) -> None:
    if int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise ImageError("truncated WebP")


def _check_gif(data: bytes) -> None:
    if len(data) < 13:
        raise ImageError("truncated GIF")
    flags = data[10]
    position = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    frames = 0
    while position < len(data):
        kind = data[position]
        if kind == 0x3B:
            break
        if kind == 0x21:
            position += 2
        elif kind == 0x2C and position + 10 <= len(data):
            frames += 1
            flags = data[position + 9]
            position += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        else:
            raise ImageError("damaged GIF")
        while position < len(data) and data[position]:
            position += 1 + data[position]
        position += 1
    else:
        raise ImageError("truncated GIF")
    if not frames:
        raise ImageError("damaged GIF: no picture in it")


def _check_boxes(data: bytes, name: str) -> None:
    position = 0
    while position < len(data):
        head = data[position : position + 16]
        if len(head) < 8:
            raise ImageError(f"truncated {name}")
        length = int.from_bytes(head[:4], "big")
        if length == 0:  # to the end of the file
            return
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:
            raise ImageError(f"damaged {name}")
        position += length
    if position > len(data):
        raise ImageError(f"truncated {name}")


def _check_jpeg2000(data: bytes) -> None:
    if data[:4] == b"\x00\x00\x00\x0c":
        _check_boxes(data, formats.JPEG2000.name)
    if b"\xff\xd9" not in data[-64:]:
        raise ImageError("truncated JPEG 2000")


_CHECKERS = {
    formats.JPEG: _check_jpeg,
    formats.PNG: _check_png,
    formats.GIF: _check_gif,
    formats.WEBP: _check_riff,
    formats.JPEG2000: _check_jpeg2000,
    formats.AVIF: lambda data: _check_boxes(data, formats.AVIF.name),
    formats.HEIF: lambda data: _check_boxes(data, formats.HEIF.name),
}
