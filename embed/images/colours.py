"""Every colour model that a file may use, as 8-bit RGB on white."""

import io
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from PIL import ImageCms

ORIENTATION = 0x0112  # the EXIF tag

_RGB8 = ("RGB", "L", "CMYK")  # kept until after the resize: the filter then has the fewest channels to weigh
_WHITE: dict[str, int | tuple[int, ...]] = {"RGB": (255, 255, 255), "L": 255, "CMYK": (0, 0, 0, 0)}

_LONGEST_KEPT_PROFILE = 1 << 20  # bytes; profiles of cameras and printers are shorter


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 when there is none or it cannot be read."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, LookupError, TypeError, AttributeError):
        return 1  # damaged metadata do not spoil the pixels
    return value if isinstance(value, int) else 1


def white(mode: str) -> int | tuple[int, ...]:
    """Return white in a mode that `to_8_bits` returns."""
    return _WHITE[mode]


def to_8_bits(image: Image.Image) -> Image.Image:
    """Return the image as RGB, L or CMYK with 8 bits a channel; what is transparent becomes white."""
    mode = image.mode
    if mode.startswith(("I", "F")):
        return _scale(image)
    if mode == "LAB":
        from PIL import ImageCms

        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        return ImageCms.ImageCmsTransform(lab, _srgb(), mode, "RGB").apply(image)
    if mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return _on_white(image)
    if mode in _RGB8:
        return image
    return image.convert("L" if mode == "1" else "RGB")


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return an image that `to_8_bits` returned as sRGB, of mode RGB.

    An embedded ICC profile is obeyed, unless it says sRGB, belongs to another colour model or cannot be read.
    """
    if profile and not _says_srgb(profile):
        short = len(profile) <= _LONGEST_KEPT_PROFILE
        transform = (_kept_transform if short else _transform)(profile, image.mode)
        if transform is not None:
            return transform.apply(image)
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    image = image.convert("RGBA")
    ground = Image.new("RGB", image.size, _WHITE["RGB"])
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def _scale(image: Image.Image) -> Image.Image:
    """Return 16-bit and 32-bit grey as 8 bits.

    16 bits are scaled by their full range, floats in [0, 1] by 255; any other range is stretched from its
    lowest to its highest value. NaN is black.
    """
    import numpy as np

    values, mode, transparent = np.asarray(image), image.mode, image.info.get("transparency")
    if mode.startswith("I;16"):
        grey = ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
        if isinstance(transparent, int):  # one value of grey in a PNG
            grey[values == transparent] = 255
        return Image.fromarray(grey)
    values = np.nan_to_num(values.astype(np.float64), nan=0.0)
    low, high = float(values.min()), float(values.max())
    if mode == "F" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif mode == "I" and low >= 0 and high <= 65535:
        low, high = 0.0, 65535.0
    if high == low:
        return Image.new("L", image.size)
    return Image.fromarray(np.rint((values - low) * (255 / (high - low))).astype(np.uint8))


def _says_srgb(profile: bytes) -> bool:
    return b"sRGB" in profile or "sRGB".encode("utf-16-be") in profile


def _transform(profile: bytes, mode: str) -> "ImageCms.ImageCmsTransform | None":
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(source, _srgb(), mode, "RGB", flags=ImageCms.Flags.NOCACHE)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


@lru_cache(maxsize=1)
def _srgb() -> "ImageCms.ImageCmsProfile":
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


_kept_transform = lru_cache(maxsize=4)(_transform)  # photographs of one camera have the same profile
