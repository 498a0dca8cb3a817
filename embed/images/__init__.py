"""Bytes become pixels.

`decode` turns the bytes of one photograph into pixels, and `Decoder` reads and decodes many files at once. Whatever a file holds, the outcome is the right
pixels or an ImageError whose message is the reason.
"""

from embed.images.decode import (
    DECODER_VERSION,
    FITS,
    INTERPOLATION,
    MAX_PIXELS,
    Resize,
    decode,
)
from embed.images.guard import Decoded, Decoder, decode_file
from embed.images.thumbnail import thumbnail
from embed.images.views import augment

__all__ = [
    "DECODER_VERSION",
    "FITS",
    "INTERPOLATION",
    "MAX_PIXELS",
    "Decoded",
    "Decoder",
    "Resize",
    "augment",
    "decode",
    "decode_file",
    "thumbnail",
]
