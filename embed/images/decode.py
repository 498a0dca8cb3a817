"""From the bytes of a photograph to pixels: one documented way, whatever the format.

The first frame, upright (EXIF orientation applied), as 8-bit sRGB on white, resized with an antialiasing filter.
"""

import contextlib
import importlib
import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from embed.errors import ImageError, UsageError
from embed.images import colours, formats, integrity, jpeg
from embed.images.formats import Format

DECODER_VERSION = 1  # part of every recipe: raise it whenever any pixel changes

MAX_PIXELS = 200_000_000  # what the largest sensors of telephones record; a bomb claims more

# Antialiased. On both sets of photographs that this was measured on, bicubic and Lanczos lead to the same accuracy
# within its error, and take 1.7 and 2.5 times as long; so do stretching and cropping, while padding is worse on one.
# benchmarks/decoding.py has the figures.
INTERPOLATION = "bilinear"
_FILTER = Image.Resampling.BILINEAR

# A JPEG may be scaled down by its own decoder as long as this many times the wanted size is left for the filter. That
# halves the time of a large photograph and leaves its features at a cosine above 0.9995; with 2, it is 0.9987.
DRAFT_MARGIN = 4

TOO_MUCH_MEMORY = "needs more memory to decode than there is"

FITS = ("stretch", "crop", "pad")
INSIDE = "inside"  # for pages: the photograph keeps its shape and is not made larger

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

# What the decoders of Pillow raise on damaged data.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
)

# What Pillow says of files that are in order but beyond it.
_UNSUPPORTED = ("unknown", "unsupported", "not supported", "cannot handle", "not implemented")

# Pillow warns of damaged metadata and of large pictures; here the first is no harm and the second has a limit.
warnings.filterwarnings("ignore", module=r"PIL\.")


class CircumstanceError(ImageError):
    "The photograph may be in order; this machine, or a limit that was set, keeps it from being decoded."


@dataclass(frozen=True, slots=True)
class Resize:
    """How a photograph becomes a square of size × size pixels.

    "stretch" ignores the aspect ratio, "crop" keeps the middle square, "pad" keeps everything, on white.
    """

    size: int
    fit: str = "stretch"

    def __post_init__(self) -> None:
        if self.size < 1:
            raise UsageError(f"The size of a photograph must be at least 1 pixel, not {self.size}.")
        if self.fit not in (*FITS, INSIDE):
            raise UsageError(f"There is no fit {self.fit!r}; choose one of {', '.join(FITS)}.")


@dataclass(frozen=True, slots=True)
class Photograph:
    """A photograph whose header has been read."""

    format: Format
    image: ImageFile
    work: int  # pixels that the decoder has to touch
    stream: io.BytesIO


def decode(data: bytes, resize: Resize, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Return the pixels of a photograph, uint8 ndarray of shape (size, size, 3), RGB.

    Raises ImageError with the reason when the data are no image, damaged, or larger than `max_pixels`.
    """
    return render(open_photograph(data, max_pixels), resize)


def open_photograph(data: bytes, max_pixels: int = MAX_PIXELS) -> Photograph:
    """Read the header and check the structure; no pixel is decoded yet. Raises ImageError with the reason."""
    format = formats.identify(data)
    if format is None:
        raise ImageError(formats.describe(data))
    scans, stream = 1, io.BytesIO(data)
    if format is formats.JPEG:
        structure = jpeg.structure(data)
        scans = structure.scans
        if structure.watchable:
            stream = jpeg.WatchedStream(data, structure)
    else:
        integrity.check(data, format)
    decoder = _decoder(format)
    with _told(format):
        # Not Image.open: it warns of large pictures by a limit of its own.
        image = decoder(stream, "")
    width, height = image.size
    if width * height > max_pixels:
        raise CircumstanceError(f"is {width} × {height} pixels, more than the limit of {max_pixels:,} in all")
    return Photograph(format, image, width * height * scans, stream)


def render(photograph: Photograph, resize: Resize) -> np.ndarray:
    """Return the pixels of an opened photograph, uint8 ndarray (size, size, 3). Raises ImageError."""
    image = photograph.image
    profile = image.info.get("icc_profile")
    with _told(photograph.format):
        if isinstance(image, JpegImageFile):
            image.draft(None, (DRAFT_MARGIN * resize.size, DRAFT_MARGIN * resize.size))
        image.load()
        if isinstance(photograph.stream, jpeg.WatchedStream):
            photograph.stream.check()
        method = _UPRIGHT.get(colours.orientation(image))
        upright = colours.to_8_bits(image)
        if method is not None:
            upright = upright.transpose(method)
        return colours.to_srgb(_fit(upright, resize), profile)


@contextlib.contextmanager
def _told(format: Format) -> Iterator[None]:
    """Tell what a decoder raises as an ImageError."""
    try:
        yield
    except MemoryError:
        raise CircumstanceError(TOO_MUCH_MEMORY) from None
    except Image.DecompressionBombError:  # some decoders know a limit of their own
        raise ImageError(f"is more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels in all") from None
    except _DAMAGE as error:
        raise ImageError(_why(error, format)) from None


def _decoder(format: Format) -> type[ImageFile]:
    try:
        decoder: type[ImageFile] = getattr(importlib.import_module(format.module), format.decoder)
    except ImportError:
        if format is not formats.HEIF:
            raise
        raise CircumstanceError(
            "is a HEIF photograph; install embed-images[heif] to read such files"
        ) from None
    return decoder


def _fit(image: Image.Image, resize: Resize) -> Image.Image:
    """Resize; the filter is antialiased and sees only the pixels that stay."""
    size, (width, height) = resize.size, image.size
    if resize.fit == "stretch":
        return image.resize((size, size), _FILTER)
    if resize.fit == "crop":
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        return image.resize((size, size), _FILTER, box=(left, top, left + side, top + side))
    if resize.fit == INSIDE and max(width, height) <= size:
        return image
    scale = size / max(width, height)
    inner = image.resize((max(1, round(width * scale)), max(1, round(height * scale))), _FILTER)
    if resize.fit == INSIDE:
        return inner
    square = Image.new(image.mode, (size, size), colours.white(image.mode))
    square.paste(inner, ((size - inner.width) // 2, (size - inner.height) // 2))
    return square


def _why(error: Exception, format: Format) -> str:
    message = str(error).lower()
    if "truncated" in message or "not enough" in message or isinstance(error, EOFError):
        return f"truncated {format.name}"
    if "max_text_chunk" in message:
        return f"holds a text that unpacks to more than {integrity.MAX_TEXT_BYTES:,} bytes"
    if any(word in message for word in _UNSUPPORTED):
        return f"is a {format.name} of a kind that cannot be decoded"
    return f"damaged {format.name}"
