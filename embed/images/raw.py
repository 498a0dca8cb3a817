"""What the sensor of a camera saw: the picture that the camera put beside it, or one made from it by LibRaw."""

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, JpegImagePlugin

from embed.images.request import CircumstanceError
from embed.images.trouble import DecoderError, UnsupportedError

if TYPE_CHECKING:
    from rawpy import RawPy

# Bytes that a pixel takes at the most while it is developed: the value, four channels of 16 bits, what is made of them.
BYTES_PER_PIXEL = 48
MEMORY = 192 << 20  # LibRaw itself, and NumPy

_TURNS = {3: Image.Transpose.ROTATE_180, 5: Image.Transpose.ROTATE_90, 6: Image.Transpose.ROTATE_270}


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


def preview(photograph: "RawPy", least: int) -> bytes | Image.Image | None:
    """Return the largest picture that the camera put into the file, upright or as a JPEG that says how it is turned.

    None where there is none of at least so many pixels in each direction.
    """
    import rawpy

    try:
        thumbnail = photograph.extract_thumb()
        data: Any = thumbnail.data
        if thumbnail.format == rawpy.ThumbFormat.JPEG:
            with JpegImagePlugin.JpegImageFile(io.BytesIO(data)) as image:
                return data if min(image.size) >= least else None
        if thumbnail.format == rawpy.ThumbFormat.BITMAP and min(data.shape[:2]) >= least:
            picture = Image.fromarray(np.ascontiguousarray(data))
            turn = _TURNS.get(photograph.sizes.flip)
            return picture if turn is None else picture.transpose(turn)
    except (rawpy.LibRawError, OSError, SyntaxError, ValueError, LookupError):
        return None  # a damaged preview does not spoil the photograph
    return None


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
