"""Whether a file is whole, by the structure of its format: decoders make up the end of what is missing."""

import re
import zlib

from embed.errors import ImageError
from embed.images import formats, tiff
from embed.images.formats import Format

MAX_TEXT_BYTES = 1 << 20  # in one chunk of a PNG; Pillow has the same limit for texts that are compressed
_SIZE_BOX = re.compile(rb"ispe\0\0\0\0")  # with its version and flags
_BOXES_BYTES = 1 << 20  # at the beginning, in which a picture is described
_TEXTS = frozenset((b"tEXt", b"zTXt", b"iTXt"))


def check(data: bytes, format: Format) -> None:
    """Raise ImageError when the data stop before the format says that they end, or a checksum is wrong."""
    checker = _CHECKERS.get(format)
    if checker is not None:
        checker(data)


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
        if kind in _TEXTS and length > MAX_TEXT_BYTES:
            raise ImageError(f"holds a text of {length:,} bytes, more than the limit of {MAX_TEXT_BYTES:,}")
        if kind == b"iCCP":
            _check_profile(data[position + 8 : end - 4])
        checksum = int.from_bytes(data[end - 4 : end], "big")
        if zlib.crc32(memoryview(data)[position + 4 : end - 4]) != checksum:
            raise ImageError("damaged PNG: wrong checksum")
        if kind == b"IEND":
            return
        position = end


def _check_profile(chunk: bytes) -> None:
    """Raise ImageError where the profile of a PNG is a bomb, which Pillow calls a text."""
    unpacking = zlib.decompressobj()
    try:
        unpacking.decompress(chunk[chunk.find(b"\0") + 2 :], MAX_TEXT_BYTES)
    except zlib.error:
        return  # the picture is shown without it
    if unpacking.unconsumed_tail:
        raise ImageError(f"holds a colour profile that unpacks to more than {MAX_TEXT_BYTES:,} bytes")


def webp_size(data: bytes) -> tuple[int, int]:
    """Return the width and the height that the header of a WebP names. Raises ImageError where it names none."""
    kind, here = data[12:16], data[20:30].ljust(10, b"\0")
    if kind == b"VP8X":
        return int.from_bytes(here[4:7], "little") + 1, int.from_bytes(here[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(here[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = int.from_bytes(here[6:8], "little"), int.from_bytes(here[8:10], "little")
        return width & 0x3FFF, height & 0x3FFF
    raise ImageError("damaged WebP")


def boxed_size(data: bytes) -> tuple[int, int] | None:
    """Return the width and the height of the largest picture that the boxes of an AVIF or HEIF describe; None where none do."""
    sizes = [
        (int.from_bytes(data[at + 8 : at + 12], "big"), int.from_bytes(data[at + 12 : at + 16], "big"))
        for at in (found.start() for found in _SIZE_BOX.finditer(data, 0, _BOXES_BYTES))
        if at + 16 <= len(data)
    ]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def _check_riff(data: bytes) -> None:
    if int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise ImageError("truncated WebP")


def _check_gif(data: bytes) -> None:
    """The blocks must be whole; what says that there are no more of them may be missing, or zeros."""
    if len(data) < 13:
        raise ImageError("truncated GIF")
    flags = data[10]
    position = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    frames = 0
    while position < len(data):
        kind = data[position]
        if kind == 0x3B or (kind == 0 and frames and not data[position:].strip(b"\0")):
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
    if position > len(data) or (position == len(data) and not frames):
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


def _check_raw(data: bytes) -> None:
    if data[4:8] == b"ftyp":
        _check_boxes(data, formats.RAW.name)
    elif data[2:4] in (b"*\0", b"\0*"):
        try:
            tiff.check_all(data)
        except ImageError:
            raise ImageError(f"truncated {formats.RAW.name}") from None


_CHECKERS = {
    formats.PNG: _check_png,
    formats.GIF: _check_gif,
    formats.WEBP: _check_riff,
    formats.TIFF: tiff.check,
    formats.RAW: _check_raw,
    formats.JPEG2000: _check_jpeg2000,
    formats.AVIF: lambda data: _check_boxes(data, formats.AVIF.name),
    formats.HEIF: lambda data: _check_boxes(data, formats.HEIF.name),
}
