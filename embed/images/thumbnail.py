"""A small JPEG of a photograph, for pages."""

import io
from pathlib import Path

from PIL import Image

from embed.images.decode import INSIDE, Resize
from embed.images.guard import decode_file

QUALITY = 80


def thumbnail(file: Path, size: int) -> bytes:
    """Return a photograph as a JPEG no wider and no higher than `size` pixels, upright, its shape kept.

    Raises ImageError with the reason when it cannot be read or decoded.
    """
    pixels, _ = decode_file(file, Resize(size, INSIDE))
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()
