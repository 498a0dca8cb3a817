"""What a photograph says about itself: its size, when, where and with what it was taken. Runs in the sandbox.

No pixel is decoded. Whatever cannot be read of the metadata is missing, and spoils nothing else.
"""

import re
import struct
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from PIL import ExifTags, Image

from embed.images import decode, formats

T = TypeVar("T")

LONGEST = 100  # characters of the name of a camera
_DATE = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)")
_TROUBLE = (
    OSError,
    SyntaxError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    EOFError,
    struct.error,
)


def about(data: bytes, format: str | None, *, max_pixels: int, reserve: decode.Reserve) -> dict[str, Any]:
    """Return what a photograph says about itself, as a JSON object.

    Parameters
    ----------
    data : bytes
    format : str or None
        As for `decode`.
    max_pixels : int
    reserve : callable
        Called with the bytes of memory that are going to be needed, before they are.

    Returns
    -------
    dict
        width and height in pixels, as it is to be seen; taken (ISO 8601, the time of the camera), latitude and longitude in
        degrees, camera; None where it says nothing.

    Raises
    ------
    ImageError
        The data are no image, or damaged.
    """
    width, height, image = decode.opened(data, format, max_pixels=max_pixels, reserve=reserve)
    exif = Image.Exif() if image is None else _tried(image.getexif) or Image.Exif()
    if image is None and format == formats.RAW.name:
        _tried(lambda: exif.load(data))
    private = _tried(lambda: exif.get_ifd(ExifTags.IFD.Exif)) or {}
    place = _tried(lambda: exif.get_ifd(ExifTags.IFD.GPSInfo)) or {}
    return {
        "width": width,
        "height": height,
        "taken": _tried(lambda: _time(private, exif)),
        "latitude": _tried(lambda: _degrees(place, ExifTags.GPS.GPSLatitude, "S", 90)),
        "longitude": _tried(lambda: _degrees(place, ExifTags.GPS.GPSLongitude, "W", 180)),
        "camera": _tried(lambda: _camera(exif)),
    }


def _tried(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except _TROUBLE:
        return None


def _time(private: Any, exif: Any) -> str | None:
    """Return when a photograph was taken, by the camera's own clock."""
    for times, tag, parts_of_second in (
        (private, ExifTags.Base.DateTimeOriginal, ExifTags.Base.SubsecTimeOriginal),
        (private, ExifTags.Base.DateTimeDigitized, ExifTags.Base.SubsecTimeDigitized),
        (exif, ExifTags.Base.DateTime, ExifTags.Base.SubsecTime),
    ):
        found = _DATE.match(_text(times.get(tag)))
        if found is not None and int(found[1]):
            time = datetime(*map(int, found.groups()))  # type: ignore[arg-type]
            digits = re.match(r"\d{1,6}", _text(private.get(parts_of_second)))
            return time.isoformat() + (f".{digits[0]}" if digits else "")
    return None


def _degrees(place: Any, tag: int, negative: str, most: int) -> float | None:
    """Return a latitude or a longitude."""
    if tag not in place:
        return None
    degrees, minutes, seconds = (float(part) for part in place[tag])
    value = round(degrees + minutes / 60 + seconds / 3600, 7)
    if not 0 <= value <= most:  # also no number
        return None
    return -value if _text(place.get(tag - 1)).upper().startswith(negative) else value


def _camera(exif: Any) -> str | None:
    """Return maker and model of the camera, as one name."""
    maker, model = (_text(exif.get(tag)) for tag in (ExifTags.Base.Make, ExifTags.Base.Model))
    name = model if model.lower().startswith(maker.lower()) else f"{maker} {model}"
    return name.strip()[:LONGEST] or None


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", errors="replace")
    if not isinstance(value, str):
        return ""
    return "".join(c for c in value if c.isprintable()).strip()
