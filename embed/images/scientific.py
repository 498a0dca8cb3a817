"""TIFFs of kinds that Pillow does not know: deep colour with transparency, floats of 16 or 64 bits, and the like."""

import io
from collections.abc import Callable

import numpy as np
import tifffile
from PIL import Image

from embed.images import deep
from embed.images.trouble import UnsupportedError

_BYTES_PER_VALUE = 24  # beside the value itself, twice: as a number, and on its way to 8 bits
_GREY, _COLOUR = (0, 1), 2  # what the values mean: grey whose white is the lowest or the highest one, or RGB
_NEGATIVE = 0
_ORIENTATION, _PROFILE = 274, 34675
_TRANSPARENCY = (1, 2)  # what an extra sample means


def read(
    data: bytes, check_size: Callable[[int, int], None], reserve: Callable[[int], None], white: int | None
) -> Image.Image:
    """Return the first picture of a TIFF with 8 bits a channel, as it is stored, its orientation and profile noted.

    Parameters
    ----------
    data : bytes
    check_size : callable
        Called with width and height before anything is decoded.
    reserve : callable
        Called with the bytes of memory that are going to be needed.
    white : int, optional
        The highest value that a sample may have, where that is known.

    Raises
    ------
    ImageError
        It is of no kind that can be decoded.
    """
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        colours = 3 if page.photometric == _COLOUR else 1
        channels = page.samplesperpixel
        dtype = page.dtype
        if (
            dtype is None
            or dtype.kind not in "uif"
            or page.imagedepth != 1
            or page.photometric not in (*_GREY, _COLOUR)
            or channels not in (colours, colours + 1)
        ):
            raise UnsupportedError("is a TIFF of a kind that cannot be decoded")
        check_size(page.imagewidth, page.imagelength)
        reserve(page.imagewidth * page.imagelength * channels * (2 * dtype.itemsize + _BYTES_PER_VALUE))
        try:
            values = page.asarray(maxworkers=1)
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            raise UnsupportedError(
                f"is a TIFF of compression {int(page.compression)}, which cannot be decoded"
            ) from None
        extra, tags = page.extrasamples, page.tags
        if page.axes[0] == "S":
            values = np.moveaxis(values, 0, -1)
        values = values.reshape(page.imagelength, page.imagewidth, channels)
        orientation = tags.valueof(_ORIENTATION, 1)
        profile = tags.valueof(_PROFILE)
        negative = page.photometric == _NEGATIVE
    pixels = deep.to_8_bits(values[..., :colours], white)
    if negative:
        pixels = 255 - pixels
    if channels > colours and extra and int(extra[0]) in _TRANSPARENCY:
        pixels = np.dstack([pixels, deep.to_8_bits(values[..., colours], white)])
    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels))
    image.getexif()[_ORIENTATION] = int(orientation)
    if isinstance(profile, bytes):
        image.info["icc_profile"] = profile
    return image
