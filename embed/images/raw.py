"""What the sensor of a camera saw: the picture that the camera put beside it, or one made from it by LibRaw."""

import io
from typing import TYPE_CHECKING

from PIL import Image, JpegImagePlugin

from embed.images.request import CircumstanceError
from embed.images.trouble import DecoderError, UnsupportedError

if TYPE_CHECKING:
    from rawpy import RawPy

# Bytes that a pixel takes at the most while it is developed: the value, four channels of 16 bits, what is made of them.
BYTES_PER_PIXEL = 48
MEMORY = 192 << 20  # LibRaw itself, and NumPy


def open_raw(data: bytes) -> "RawPy":
    """Return a raw photograph whose header has been read.

    Raises
    ------
    CircumstanceError
        The library that reads such files is not installed.
    ImageError
        It is of no kind that LibRaw knows.
    """
    try:
        import rawpy
    except ImportError:
        raise CircumstanceError("is a raw photograph; install embed-images[raw] to read such files") from None
    photograph = rawpy.RawPy()
    try:
        photograph.open_buffer(io.BytesIO(data))
    except rawpy.LibRawError as error:
        raise _why(error) from None
    return photograph


def preview(photograph: "RawPy", least: int) -> bytes | None:
    """Return the largest JPEG that the camera put into the file; it says itself how it is turned.

    None where there is none of at least so many pixels in each direction. Pictures without compression are passed over:
    they are small, and nothing tells whether as many bytes are there as their size says.
    """
    import rawpy

    try:
        thumbnail = photograph.extract_thumb()
        if thumbnail.format != rawpy.ThumbFormat.JPEG or not isinstance(thumbnail.data, bytes):
            return None
        with JpegImagePlugin.JpegImageFile(io.BytesIO(thumbnail.data)) as image:
            return thumbnail.data if min(image.size) >= least else None
    except (rawpy.LibRawError, OSError, SyntaxError, ValueError, LookupError):
        return None  # a damaged preview does not spoil the photograph


def develop(photograph: "RawPy", least: int) -> Image.Image:
    """Return the photograph upright, in half its size where that leaves so many pixels in each direction.

    Raises
    ------
    ImageError
        It is damaged, or cut short.
    """
    import rawpy

    half = min(photograph.sizes.width, photograph.sizes.height) // 2 >= least
    try:
        pixels = photograph.postprocess(half_size=half, use_camera_wb=True, output_bps=8)
    except rawpy.LibRawError as error:
        raise _why(error) from None
    return Image.fromarray(pixels)


def _why(error: Exception) -> Exception:
    import rawpy

    if isinstance(error, rawpy.LibRawUnsufficientMemoryError):
        return MemoryError()
    if isinstance(error, (rawpy.LibRawFileUnsupportedError, rawpy.LibRawNotImplementedError)):
        return UnsupportedError("is a raw photograph of a kind that cannot be decoded")
    if isinstance(error, rawpy.LibRawIOError):
        return DecoderError("truncated RAW")
    return DecoderError("damaged RAW")
