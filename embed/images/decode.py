"""From the bytes of a photograph to pixels: one documented way, whatever the format.

The first frame, upright (EXIF orientation applied), as 8-bit RGB on white, resized with an antialiasing filter.
"""

import importlib
import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from embed.errors import ImageError, UsageError
from embed.images import colours, formats, integrity
from embed.images.formats import Format
from embed.images.read import read

DECODER_VERSION = 1  # part of every recipe: raise it whenever any pixel changes

MAX_PIXELS = 200_000_000  # the largest sensors of telephones; a bomb claims more

INTERPOLATION = "bicubic"
_FILTER = Image.Resampling.BICUBIC

# A JPEG may be scaled down by its own decoder as long as this many times the wanted size is left for the filter.
DRAFT_MARGIN = 2

FITS = ("stretch", "crop", "pad")

# The EXIF orientation of a stored picture, and what sets it upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# What the decoders of Pillow raise on damaged data, found by mutating files of every format.
_DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    NotImplementedError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


@dataclass(frozen=True, slots=True)
class Resize:
    """How a photograph becomes a square of size × size pixels.

    "stretch" ignores the aspect ratio, "crop" keeps the middle square, "pad" keeps everything, on white.
    """

    size: int
    fit: str = "stretch"

    def __post_init__(self) -> None:
        if self.size < 1:
            raise UsageError(f"The size of a photograph must be at least 1, not {self.size}.")
        if self.fit not in FITS:
            raise UsageError(f"There is no fit {self.fit!r}; choose one of {', '.join(FITS)}.")


def decode(data: bytes, resize: Resize, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Return the pixels of a photograph, uint8 ndarray of shape (size, size, 3), RGB.

    Raises ImageError with the reason when the data are no image, damaged, or larger than `max_pixels`.
    """
    return _decode(data, lambda image: _fit(image, resize), resize.size, max_pixels)


def decode_whole(data: bytes, size: int, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Return a photograph in its own shape, no side longer than `size`: uint8 ndarray (height, width, 3), RGB.

    Raises ImageError as `decode` does.
    """
    return _decode(data, lambda image: _shrink(image, size), size, max_pixels)


def decode_file(file: Path, resize: Resize, *, max_pixels: int = MAX_PIXELS) -> tuple[np.ndarray, bytes]:
    """Return the pixels of a file, uint8 ndarray of shape (size, size, 3), and the sha256 of its bytes."""
    content = read(file)
    return decode(content.data, resize, max_pixels=max_pixels), content.sha256


def _decode(
    data: bytes, resized: Callable[[Image.Image], Image.Image], size: int, max_pixels: int
) -> np.ndarray:
    format = formats.identify(data)
    if format is None:
        raise ImageError(formats.describe(data))
    integrity.check(data, format)
    try:
        image = _open(data, format, max_pixels)
        profile = image.info.get("icc_profile")
        if isinstance(image, JpegImageFile):
            image.draft(None, (DRAFT_MARGIN * size, DRAFT_MARGIN * size))
        image.load()
        return colours.to_srgb(resized(colours.to_8_bits(_upright(image))), profile)
    except MemoryError:
        raise ImageError("needs more memory than there is") from None
    except _DECODING_ERRORS as error:
        raise ImageError(_why(error, format)) from None


def _open(data: bytes, format: Format, max_pixels: int) -> Image.Image:
    """Read the header. The class itself is called, not Image.open, which warns by a limit of its own."""
    try:
        decoder = getattr(importlib.import_module(format.module), format.decoder)
    except ImportError:
        if format is not formats.HEIF:
            raise
        raise ImageError("is a HEIF photograph: install embed-images[heif] to read these") from None
    image = decoder(io.BytesIO(data))
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(f"is {width} × {height} pixels, more than the limit of {max_pixels:,}")
    return image


def _upright(image: Image.Image) -> Image.Image:
    method = _UPRIGHT.get(colours.orientation(image))
    return image if method is None else image.transpose(method)


def _fit(image: Image.Image, resize: Resize) -> Image.Image:
    """Return the square; the filter is antialiased and sees only the pixels that stay."""
    size, (width, height) = resize.size, image.size
    if resize.fit == "stretch":
        return image.resize((size, size), _FILTER)
    if resize.fit == "crop":
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        return image.resize((size, size), _FILTER, box=(left, top, left + side, top + side))
    inner = image.resize(_within(image.size, size), _FILTER)
    square = Image.new(image.mode, (size, size), colours.white(image.mode))
    square.paste(inner, ((size - inner.width) // 2, (size - inner.height) // 2))
    return square


def _shrink(image: Image.Image, size: int) -> Image.Image:
    return image if max(image.size) <= size else image.resize(_within(image.size, size), _FILTER)


def _within(shape: tuple[int, int], size: int) -> tuple[int, int]:
    scale = size / max(shape)
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _why(error: Exception, format: Format) -> str:
    message = str(error).lower()
    if "truncated" in message or "not enough" in message or isinstance(error, EOFError):
        return f"truncated {format.name}"
    return f"damaged {format.name}"
