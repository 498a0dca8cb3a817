"""Every colour model that a file may use, as 8-bit RGB on white."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

ORIENTATION = 0x0112  # the EXIF tag

_RGB8 = ("RGB", "L", "CMYK")  # kept until after the resize: the filter then has the fewest channels to weigh
_WHITE: dict[str, int | tuple[int, ...]] = {"RGB": (255, 255, 255), "L": 255, "CMYK": (0, 0, 0, 0)}

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


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
        return Image.fromarray(_scale(np.asarray(image), mode, image.info.get("transparency")))
    if mode == "LAB":
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        return ImageCms.ImageCmsTransform(lab, _SRGB, mode, "RGB").apply(image)
    if mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return _on_white(image)
    if mode in _RGB8:
        return image
    return image.convert("L" if mode == "1" else "RGB")


def to_srgb(image: Image.Image, profile: bytes | None) -> np.ndarray:
    """Return an image that `to_8_bits` returned as sRGB, uint8 ndarray of shape (height, width, 3).

    An embedded ICC profile is obeyed, unless it says sRGB, belongs to another colour model or cannot be read.
    """
    if profile and not _says_srgb(profile):
        transform = _transform(profile, image.mode)
        if transform is not None:
            return np.array(transform.apply(image))
    return np.array(image.convert("RGB"))


def _on_white(image: Image.Image) -> Image.Image:
    image = image.convert("RGBA")
    ground = Image.new("RGB", image.size, _WHITE["RGB"])
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def _scale(values: np.ndarray, mode: str, transparent: object) -> np.ndarray:
    """Return 16-bit and 32-bit grey as uint8.

    16 bits are scaled by their full range, floats in [0, 1] by 255; any other range is stretched from its
    lowest to its highest value. NaN is black.
    """
    if mode.startswith("I;16"):
        grey = ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
        if isinstance(transparent, int):  # one value of grey in a PNG
            grey[values == transparent] = 255
        return grey
    values = np.nan_to_num(values.astype(np.float64), nan=0.0)
    low, high = float(values.min()), float(values.max())
    if mode == "F" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif mode == "I" and low >= 0 and high <= 65535:
        low, high = 0.0, 65535.0
    if high == low:
        return np.zeros(values.shape, np.uint8)
    return np.rint((values - low) * (255 / (high - low))).astype(np.uint8)


def _says_srgb(profile: bytes) -> bool:
    return b"sRGB" in profile or "sRGB".encode("utf-16-be") in profile


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        return ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            _SRGB,
            mode,
            "RGB",
            flags=ImageCms.Flags.NOCACHE,  # one transform serves many threads
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
