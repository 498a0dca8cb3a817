"""A small JPEG of a photograph, for pages."""

import io
from pathlib import Path

from PIL import Image

from embed.images.decode import MAX_PIXELS, decode_whole
from embed.images.read import read

QUALITY = 80


def thumbnail(file: Path, size: int, *, max_pixels: int = MAX_PIXELS) -> bytes:
    """Return a photograph as a JPEG no wider and no higher than `size` pixels, upright, its shape kept.

    Raises ImageError with the reason when it cannot be read or decoded.
    """
    pixels = decode_whole(read(file).data, size, max_pixels=max_pixels)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()
