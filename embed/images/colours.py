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
    """Return white in a mode that `to_rgb_or_grey` returns."""
    return _WHITE[mode]


def to_rgb_or_grey(image: Image.Image) -> Image.Image:
    """Return an image of 8 bits a channel as RGB, L or CMYK; what is transparent becomes white."""
    mode = image.mode
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
    """Return an image that `to_rgb_or_grey` returned as sRGB, of mode RGB.

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
