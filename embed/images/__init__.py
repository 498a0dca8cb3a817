"""Bytes become pixels, in a sandbox.

`Decoder` decodes many photographs at once. Whatever a file holds, the outcome is the right pixels or an ImageError whose
message is the reason, within a limit of memory and of processor time.

Every name is imported when it is first used: the processes that decode go through this door too, and need none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embed.images.decoder import About, Decoded, Decoder, decode_file, thumbnail
    from embed.images.formats import DECODER_VERSION, DECODER_VERSIONS, are_current
    from embed.images.given import Given
    from embed.images.request import FITS, INSIDE, INTERPOLATION, MAX_PIXELS, Resize
    from embed.images.views import augment

__all__ = [
    "DECODER_VERSION",
    "DECODER_VERSIONS",
    "FITS",
    "INSIDE",
    "INTERPOLATION",
    "MAX_PIXELS",
    "About",
    "Decoded",
    "Decoder",
    "Given",
    "Resize",
    "are_current",
    "augment",
    "decode_file",
    "thumbnail",
]

_HOMES = {
    "decoder": ("About", "Decoded", "Decoder", "decode_file", "thumbnail"),
    "formats": ("DECODER_VERSION", "DECODER_VERSIONS", "are_current"),
    "given": ("Given",),
    "request": ("FITS", "INSIDE", "INTERPOLATION", "MAX_PIXELS", "Resize"),
    "views": ("augment",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            globals()[name] = getattr(import_module(f"embed.images.{home}"), name)
            return globals()[name]
    raise AttributeError(f"module 'embed.images' has no attribute {name!r}")
