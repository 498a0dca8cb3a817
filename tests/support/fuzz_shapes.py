"""How files are built: what they fall into, and how that is put together again with lengths and checksums that hold.

So a damage reaches the code behind the checks of a format, and not only these.
"""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import NamedTuple

Pieces = list[tuple[bytes, bytes]]  # label and body of each


class Shape(NamedTuple):
    """A format whose files fall into pieces."""

    split: Callable[[bytes], Pieces]
    join: Callable[[Pieces], bytes]


PNG_HEAD = b"\x89PNG\r\n\x1a\n"


def split_png(data):
    pieces, here = [], len(PNG_HEAD)
    while here + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, here)
        pieces.append((data[here + 4 : here + 8], data[here + 8 : here + 8 + length]))
        here += 12 + length
    return pieces


def join_png(pieces):
    return PNG_HEAD + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in pieces
    )


def split_riff(data):
    pieces, here = [(data[8:12], b"")], 12
    while here + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, here + 4)
        pieces.append((data[here : here + 4], data[here + 8 : here + 8 + length]))
        here += 8 + length + length % 2
    return pieces


def join_riff(pieces):
    body = pieces[0][0] if pieces else b""
    for kind, content in pieces[1:]:
        body += kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def split_jpeg(data):
    """Segments; what follows the head of a scan belongs to it."""
    pieces, here = [(data[:2], b"")], 2
    while here + 4 <= len(data) and data[here] == 0xFF:
        marker, (length,) = data[here : here + 2], struct.unpack_from(">H", data, here + 2)
        end = here + 2 + length
        pieces.append((marker, data[here + 4 : end]))
        here = end
        if marker == b"\xff\xda":
            end = here
            while end + 1 < len(data) and not (
                data[end] == 0xFF and data[end + 1] not in (0, *range(0xD0, 0xD8))
            ):
                end += 1
            pieces.append((b"", data[here:end]))
            here = end
    return [*pieces, (b"", data[here:])]


def join_jpeg(pieces):
    return b"".join(
        label
        + (struct.pack(">H", min(len(body) + 2, 0xFFFF)) if len(label) == 2 and label != b"\xff\xd8" else b"")
        + body
        for label, body in pieces
    )


def split_gif(data):
    """The head, and each block with its sub-blocks."""
    here = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    pieces = [(b"", data[:here])]
    while here < len(data):
        begin = here
        if data[here] == 0x21:
            here += 2
        elif data[here] == 0x2C:
            flags = data[here + 9]
            here += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        else:
            break
        while data[here]:
            here += 1 + data[here]
        here += 1
        pieces.append((b"", data[begin:here]))
    return [*pieces, (b"", data[here:])]


def split_boxes(data):
    pieces, here = [], 0
    while here + 8 <= len(data):
        length = struct.unpack_from(">I", data, here)[0] or len(data) - here
        pieces.append((data[here + 4 : here + 8], data[here + 8 : here + length]))
        here += length
    return pieces


def join_boxes(pieces):
    return b"".join(struct.pack(">I", 8 + len(body)) + kind[:4] + body for kind, body in pieces)


def split_zip(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(entry.filename.encode(), archive.read(entry)) for entry in archive.infolist()]


def join_zip(pieces):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, body in {name: body for name, body in pieces}.items():
            archive.writestr(name.decode(errors="replace").replace("\0", "?") or "empty", body)
    return stream.getvalue()


def split_lines(data):
    return [(b"", line) for line in data.splitlines(keepends=True)]


def joined(pieces):
    return b"".join(label + body for label, body in pieces)


SHAPES = {
    "png": Shape(split_png, join_png),
    "jpeg": Shape(split_jpeg, join_jpeg),
    "gif": Shape(split_gif, joined),
    "webp": Shape(split_riff, join_riff),
    "boxes": Shape(split_boxes, join_boxes),
    "zip": Shape(split_zip, join_zip),
    "lines": Shape(split_lines, joined),
}


def fields_of(data, shape):
    """Return where the numbers are that say how the rest is to be read: (offset, bytes) of each."""
    if shape == "bmp":
        return [(offset, 4) for offset in (2, 10, 14, 18, 22, 30, 34, 46)] + [(26, 2), (28, 2)]
    if shape == "tiff" and len(data) > 8:
        order = "<" if data[:2] == b"II" else ">"
        found, begin = [(4, 4)], struct.unpack_from(f"{order}I", data, 4)[0]
        (count,) = struct.unpack_from(f"{order}H", data, begin)
        for entry in range(begin + 2, begin + 2 + 12 * count, 12):
            found += [(entry, 2), (entry + 2, 2), (entry + 4, 4), (entry + 8, 4)]
        return [(begin, 2), *found]
    return []


def as_json(body):
    """Return the document in some bytes, or None where they hold none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
