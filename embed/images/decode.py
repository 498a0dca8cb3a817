"""From the bytes of a photograph to pixels: one documented way, whatever the format. Runs in the sandbox.

The first frame, upright (EXIF orientation applied), as 8-bit sRGB on white, resized with an antialiasing filter.
"""

import contextlib
import importlib
import io
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from PIL import Image
from PIL.ImageFile import ImageFile

from embed.errors import ImageError
from embed.images import colours, formats, integrity, jpeg
from embed.images.formats import Format
from embed.images.request import INSIDE, MAX_PIXELS, CircumstanceError, Resize

_FILTER = Image.Resampling.BILINEAR

# A JPEG may be scaled down by its own decoder as long as this many times the wanted size is left for the filter. That
# halves the time of a large photograph and leaves its features at a cosine above 0.9995; with 2, it is 0.9987.
DRAFT_MARGIN = 4

# Bytes that opening takes beside the data, and that a pixel takes at the most while it is decoded, converted and turned:
# by its mode, and in the decoders of some formats. Measured; where it is too little, decoding is tried again with all.
_OPENING = 16 << 20
_BYTES_PER_PIXEL = {"1": 3, "L": 3, "P": 14, "RGB": 9, "CMYK": 9, "I": 50, "F": 50}
_BYTES_PER_PIXEL_OTHERWISE = 18
_BYTES_PER_PIXEL_OF = {
    formats.WEBP: 16,
    formats.TIFF: 8,
    formats.JPEG2000: 32,
    formats.AVIF: 24,
    formats.HEIF: 24,
}
_ARRAYS = 128 << 20  # NumPy, which has a part in grey of more than 8 bits only
_BYTES_PER_PIXEL_OF_SCANS = 8  # in full size: the coefficients of a JPEG that comes in several scans

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

Reserve = Callable[[int], None]


class DecoderError(ImageError):
    "What a decoder raised: damage, or a lack of memory that it does not tell from damage."


class OutOfMemoryError(CircumstanceError):
    "The memory that was granted is not enough."


class Photograph(NamedTuple):
    """A photograph whose header has been read."""

    format: Format
    image: ImageFile
    stream: io.BytesIO
    memory: int  # bytes that decoding takes at the most


def decode(
    data: bytes,
    format: str | None,
    resize: Resize,
    *,
    max_pixels: int = MAX_PIXELS,
    reserve: Reserve = lambda memory: None,
) -> Image.Image:
    """Return a photograph as an image of mode RGB.

    Parameters
    ----------
    data : bytes
    format : str or None
        Name of the format that the data begin like, None where it is none that can be decoded.
    resize : Resize
    max_pixels : int
    reserve : callable
        Called with the bytes of memory that are going to be needed, before they are.

    Raises
    ------
    ImageError
        The data are no image, damaged, or larger than `max_pixels`; the message is the reason.
    """
    if format is None:
        raise ImageError(formats.describe(data))
    decoder = _decoder(formats.FORMATS[format])
    reserve(_OPENING + 2 * len(data))
    photograph = _open(data, decoder, formats.FORMATS[format], resize, max_pixels, reserve)
    reserve(photograph.memory)
    return _render(photograph, resize)


def _open(
    data: bytes, decoder: type[ImageFile], format: Format, resize: Resize, max_pixels: int, reserve: Reserve
) -> Photograph:
    """Check the structure and read the header; no pixel is decoded yet."""
    extra, stream = _OPENING + 2 * len(data), io.BytesIO(data)
    scans = 1
    if format is formats.JPEG:
        structure = jpeg.structure(data)
        scans = structure.scans
        if structure.watchable:
            stream = jpeg.WatchedStream(data, structure)
    else:
        integrity.check(data, format)
    if format is formats.WEBP:  # its decoder allocates all when it is opened
        width, height = integrity.webp_size(data)
        _check_size(width, height, max_pixels)
        reserve(extra + width * height * (_BYTES_PER_PIXEL_OF[format] + _BYTES_PER_PIXEL_OTHERWISE))
    with _told(format):
        image = decoder(stream, "")  # not Image.open, which would try other formats
        width, height = image.size
        _check_size(width, height, max_pixels)
        if format is formats.JPEG:
            if scans > 1:
                extra += width * height * _BYTES_PER_PIXEL_OF_SCANS
            image.draft(None, (DRAFT_MARGIN * resize.size, DRAFT_MARGIN * resize.size))
            width, height = image.size
    if image.mode[0] in "IF":
        extra += _ARRAYS
    per_pixel = _BYTES_PER_PIXEL_OF.get(format, 0) + (
        _BYTES_PER_PIXEL_OTHERWISE
        if "transparency" in image.info
        else _BYTES_PER_PIXEL.get(image.mode, _BYTES_PER_PIXEL_OTHERWISE)
    )
    return Photograph(format, image, stream, extra + width * height * per_pixel)


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise CircumstanceError(f"is {width} × {height} pixels, more than the limit of {max_pixels:,} in all")


def _render(photograph: Photograph, resize: Resize) -> Image.Image:
    image = photograph.image
    profile = image.info.get("icc_profile")
    with _told(photograph.format):
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
        raise OutOfMemoryError("needs more memory to decode than it may have") from None
    except _DAMAGE as error:
        raise _why(error, format) from None


def _decoder(format: Format) -> type[ImageFile]:
    try:
        module: Any = importlib.import_module(format.module)
    except ImportError:
        if format is not formats.HEIF:
            raise
        raise CircumstanceError(
            "is a HEIF photograph; install embed-images[heif] to read such files"
        ) from None
    # There are as many processes as processors already, and every thread takes address space.
    if format is formats.AVIF:
        module.DEFAULT_MAX_THREADS = 1
    elif format is formats.HEIF:
        module.options.DECODE_THREADS = 1
    decoder: type[ImageFile] = getattr(module, format.decoder)
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


def _why(error: Exception, format: Format) -> ImageError:
    message = str(error).lower()
    if "max_text_chunk" in message:
        return ImageError(f"holds a text that unpacks to more than {integrity.MAX_TEXT_BYTES:,} bytes")
    if "max_text_memory" in message:
        return ImageError(f"holds texts of more than {64 * integrity.MAX_TEXT_BYTES:,} bytes in all")
    if any(word in message for word in _UNSUPPORTED):
        return ImageError(f"is a {format.name} of a kind that cannot be decoded")
    if "truncated" in message or "not enough" in message or isinstance(error, EOFError):
        return DecoderError(f"truncated {format.name}")
    return DecoderError(f"damaged {format.name}")
