"""Find photographs, read each of them once, decode them to RGB.

`find` lists what a folder holds, `read` returns the bytes of one file with their sha256, `decode` turns them into
pixels, and `Decoder` does all of it for many files at once. Whatever a file holds, the outcome is the right
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
from embed.images.find import Found, find, look, named
from embed.images.guard import Decoded, Decoder, decode_file
from embed.images.read import Content, read
from embed.images.thumbnail import thumbnail
from embed.images.views import augment

__all__ = [
    "DECODER_VERSION",
    "FITS",
    "INTERPOLATION",
    "MAX_PIXELS",
    "Content",
    "Decoded",
    "Decoder",
    "Found",
    "Resize",
    "augment",
    "decode",
    "decode_file",
    "find",
    "look",
    "named",
    "read",
    "thumbnail",
]
