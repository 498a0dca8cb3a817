"""Values of more than 8 bits as 8 bits.

Integers are scaled by the highest value that the file says they may have. Where it says nothing, by the full range of 8,
10, 12, 14 or 16 bits (15 beside a sign), whichever is the first to hold all of them: cameras store 10 or 12 bits in 16 as they are. Floats
in [0, 1] are scaled by 255. Any other range is stretched from its lowest to its highest value. NaN is black.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile

from embed.images.trouble import UnsupportedError

_DEPTHS = (8, 10, 12, 14, 16)  # bits that sensors have
FULL = 65535  # the highest value of 16 bits

# How Pillow reads 16 bits of several channels: it keeps the high byte. Told the other order, it keeps the low one.
_OTHER_ORDER = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
_HIGH_BYTES_OF_14_BITS = 64


def to_8_bits(values: NDArray, white: int | None = None) -> NDArray[np.uint8]:
    """Return numbers of any type, shape kept, as uint8.

    Parameters
    ----------
    values : ndarray
        Integers or floats.
    white : int, optional
        The highest value that integers may have, where that is known.
    """
    if values.dtype.kind == "f":
        values = np.nan_to_num(values, nan=0.0).astype(np.float64)
    low, high = values.min().item(), values.max().item()
    full = _full(low, high, white, values.dtype)
    if full is not None and values.dtype.kind == "u" and full <= FULL:
        return ((values.astype(np.uint32) * 255 + full // 2) // full).astype(np.uint8)
    low, high = (low, high) if full is None else (0, full)
    if high == low:
        return np.zeros(values.shape, np.uint8)
    return np.rint((values.astype(np.float64) - low) * (255 / (high - low))).astype(np.uint8)


def _full(low: float, high: float, white: int | None, dtype: np.dtype) -> int | None:
    """Return the value that becomes 255 while 0 stays 0; None where the range is to be stretched."""
    if low < 0:
        return None
    if dtype.kind == "f":
        return 1 if high <= 1 else None
    if white and white >= high:
        return white
    most = 8 * dtype.itemsize - (dtype.kind == "i")  # 15 where one of 16 bits is the sign
    return next(
        ((1 << bits) - 1 for bits in (min(depth, most) for depth in _DEPTHS) if high < 1 << bits), None
    )


def grey(image: Image.Image, white: int | None = None, dtype: str | None = None) -> Image.Image:
    """Return an image of 16 or 32 bits a pixel, or of values that are of another type than Pillow thinks, as grey of 8."""
    values, transparent = np.asarray(image), image.info.get("transparency")
    if dtype is not None and image.mode in ("I", "L"):
        values = values.astype(dtype) if dtype == "i2" else values.view(dtype)
    pixels = to_8_bits(values, white)
    if isinstance(transparent, int):  # one value of grey in a PNG
        pixels[values == transparent] = 255
    return Image.fromarray(pixels)


def colour(
    image: ImageFile, reopen: Callable[[], ImageFile], white: int | None = None, *, planar: bool = False
) -> Image.Image:
    """Return an image of several channels of 16 bits, of which Pillow kept the high bytes, as one of 8 bits.

    Where the high bytes are low ones, the low bytes have a part in it too.

    Parameters
    ----------
    image : image of mode RGB or RGBA
        Loaded.
    reopen : callable
        Opens the same file, not yet loaded.
    white : int, optional
        The highest value that a sample may have, where that is known.
    planar : bool
        Whether each channel is stored for itself.

    Raises
    ------
    UnsupportedError
        The low bytes cannot be had.
    """
    highest = np.asarray(image)[..., :3].max()
    if highest >= _HIGH_BYTES_OF_14_BITS and (white is None or white >= FULL):
        return image
    other = reopen()
    if planar and other.tile[0].codec_name == "libtiff":  # which hands out the high bytes of planes alone
        raise UnsupportedError("is a TIFF of a kind that cannot be decoded")
    values = _all_bits(image, other)
    colours = values.shape[-1] - (image.mode == "RGBA")
    pixels = to_8_bits(values[..., :colours], white)
    if image.mode == "RGBA":
        pixels = np.dstack([pixels, to_8_bits(values[..., -1], white)])
    return Image.fromarray(pixels)


def _all_bits(high: Image.Image, other: ImageFile) -> NDArray[Any]:
    """Return all bits of a picture of which there are the high bytes, and which is opened once more."""
    if _rawmode(other.tile[0]) == "LA;16B":  # two channels, which have as many bytes as four of 8 bits
        other.tile = [_with_rawmode(tile, "RGBA") for tile in other.tile]
        other.load()
        pairs = np.asarray(other).astype(np.uint16)
        return pairs[..., ::2] << 8 | pairs[..., 1::2]
    rawmodes = map(_rawmode, other.tile)
    other.tile = [
        _with_rawmode(tile, rawmode[:-1] + _OTHER_ORDER[rawmode[-1]])
        for tile, rawmode in zip(other.tile, rawmodes, strict=True)
    ]
    other.load()
    return np.asarray(high).astype(np.uint16) << 8 | np.asarray(other)


def _rawmode(tile: Any) -> str:
    return str(tile.args if isinstance(tile.args, str) else tile.args[0])


def _with_rawmode(tile: Any, rawmode: str) -> Any:
    return tile._replace(args=rawmode if isinstance(tile.args, str) else (rawmode, *tile.args[1:]))
