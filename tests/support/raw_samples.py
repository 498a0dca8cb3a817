"""A raw photograph of the smallest kind: a DNG of one strip, with or without a preview in it."""

import io
import struct

import numpy as np
from PIL import Image

WHITE = 4095  # of 12 bits
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 10: 8}
_KINDS = {1: "B", 2: "B", 3: "H", 4: "I"}


def dng(image: Image.Image, *, preview: Image.Image | None = None, orientation: int = 1) -> bytes:
    """Return what a sensor behind a filter of red, green, green and blue sees of an image, as a DNG.

    The preview, a JPEG, is in the first directory, the sensor in one below it, as cameras have it.
    """
    linear = np.asarray(image.convert("RGB"), np.float64) / 255
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    height, width = (side // 2 * 2 for side in linear.shape[:2])
    mosaic = np.empty((height, width), "<u2")
    for row, column, band in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        values = linear[row:height:2, column:width:2, band]
        mosaic[row::2, column::2] = np.rint(values * WHITE)
    # From XYZ to the colours of the sensor, which are those of sRGB.
    matrix = [32406, -15372, -4986, -9689, 18758, 415, 557, -2040, 10570]
    sensor = [
        (254, 4, [0]), (256, 4, [width]), (257, 4, [height]), (258, 3, [16]), (259, 3, [1]), (262, 3, [32803]),
        (273, 4, mosaic.tobytes()), (277, 3, [1]), (278, 4, [height]), (279, 4, [mosaic.nbytes]), (284, 3, [1]),
        (33421, 3, [2, 2]), (33422, 1, [0, 1, 1, 2]), (50714, 4, [0]), (50717, 4, [WHITE]),
    ]  # fmt: skip
    camera = [
        (271, 2, b"Nobody\0"), (272, 2, b"Sample\0"), (274, 3, [orientation]), (50706, 1, [1, 4, 0, 0]), (50707, 1, [1, 1, 0, 0]),
        (50708, 2, b"Nobody Sample\0"), (50721, 10, [(value, 10000) for value in matrix]),
        (50728, 5, [(1, 1)] * 3), (50778, 3, [21]),
    ]  # fmt: skip
    if preview is None:
        return _file([*sensor, *camera])
    stream = io.BytesIO()
    preview.save(stream, "JPEG", quality=95)
    small = [
        (254, 4, [1]), (256, 4, [preview.width]), (257, 4, [preview.height]), (258, 3, [8, 8, 8]), (259, 3, [7]),
        (262, 3, [6]), (273, 4, stream.getvalue()), (277, 3, [3]), (278, 4, [preview.height]),
        (279, 4, [len(stream.getvalue())]), (284, 3, [1]),
    ]  # fmt: skip
    return _file([*small, *camera], sensor)


def _file(first: list, below: list | None = None) -> bytes:
    data = bytearray(b"II*\0\0\0\0\0")
    if below is not None:
        first = [*first, (330, 4, [_directory(data, below)])]
    data[4:8] = struct.pack("<I", _directory(data, first))
    return bytes(data)


def _directory(data: bytearray, entries: list) -> int:
    """Append a directory, behind the values that do not fit into it, and return where it is."""
    table = struct.pack("<H", len(entries))
    for tag, kind, values in sorted(entries):
        if tag == 273:  # the pixels
            values = [_append(data, values)]
        if kind in (5, 10):
            raw = b"".join(struct.pack("<ii", *value) for value in values)
        elif isinstance(values, bytes):
            raw = values
        else:
            raw = struct.pack(f"<{len(values)}{_KINDS[kind]}", *values)
        value = raw.ljust(4, b"\0") if len(raw) <= 4 else struct.pack("<I", _append(data, raw))
        table += struct.pack("<HHI", tag, kind, len(raw) // _SIZES[kind]) + value
    return _append(data, table + bytes(4))


def _append(data: bytearray, piece: bytes) -> int:
    data += bytes(len(data) % 2)
    begin = len(data)
    data += piece
    return begin
