"""What a program hands over as photographs: each becomes the bytes of a file, and goes the way of every file from there.

An image of Pillow and an array become a lossless file that says of their colours and their orientation what they say, so
that there is one decoder, and one way to treat them.
"""

import hashlib
import io
import os
import reprlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile

from embed import sources
from embed.errors import ImageError, InputError
from embed.images import colours
from embed.sources.file import MAX_BYTES
from embed.sources.reasons import is_url

# Modes that a PNG holds, and those that become one of them without a loss; a TIFF holds the others.
_PNG_MODES = frozenset(("1", "L", "LA", "P", "RGB", "RGBA", "I;16"))
_SIMPLER = {"YCbCr": "RGB", "HSV": "RGB", "RGBX": "RGB", "PA": "RGBA", "RGBa": "RGBA", "La": "LA"}
_TIFF_MODES = frozenset(("CMYK", "LAB", "I", "F", "I;16B", "I;16L"))

_CHANNELS = (1, 3, 4)
_NARROWEST = 8  # pixels: of fewer, the last axis of an array is one of channels
_WHAT = "a path, the bytes of a file, an open file, an image of Pillow or an array of uint8"


@dataclass(frozen=True, slots=True)
class _Item(sources.Item):
    """A photograph with its place among those that were given."""

    row: int = -1


class Given:
    """Photographs that a program hands over, as a source.

    Parameters
    ----------
    given : object
        One photograph or several, in a list, a tuple, a column of pandas, any other iterable, or an array of shape
        (n, h, w, 1|3|4) or (n, h, w). A photograph is a path, the bytes of a file, a file that is open for reading, an
        image of Pillow, or a uint8 array of shape (h, w) or (h, w, 1|3|4).
    folders : bool
        A folder stands for the photographs in it and below it.

    Raises
    ------
    InputError
        Something is no photograph; the message says which.
    """

    name = "given"
    root: Path | str = Path()
    again = ""
    places: tuple[str, ...] = ()

    def __init__(self, given: Any, *, folders: bool = False) -> None:
        self._given = _listed(given)
        self._folders = folders
        self._one_at_a_time = threading.Lock()  # images and files may have been given twice
        for row, one in enumerate(self._given):
            _check(row, one)

    def find(self) -> Iterator[sources.Told]:
        """Yield every photograph."""
        yield from self.items()
        yield sources.Listed("")

    def items(self) -> Iterator[sources.Item]:
        """Yield every photograph: one with a path by its path, any other by its place, which counts from 0.

        Raises
        ------
        InputError
            A folder cannot be listed, or holds no image.
        """
        for row, one in enumerate(self._given):
            if not isinstance(one, (str, os.PathLike)):
                yield _Item(f"photograph {row}", getattr(one, "nbytes", 0), row=row)
            elif self._folders:
                yield from sources.Files(sources.expand([Path(one)])).items()
            else:
                yield from sources.Files([Path(one)]).items()

    def read(self, group: Sequence[sources.Item]) -> Iterator[sources.Read]:
        """Yield each photograph as the content of a file, or the reason why it has none."""
        for item in group:
            if not isinstance(item, _Item):
                yield from sources.Files(()).read([item])
                continue
            try:
                with self._one_at_a_time:
                    yield item, _content(self._given[item.row])
            except ImageError as error:
                yield item, str(error)

    def described(self) -> Iterator[sources.Described]:
        """Yield nothing."""
        return iter(())

    def address(self, name: str) -> sources.Address:
        """Return what leads to a photograph that was given by its path."""
        return sources.address(name)


def _listed(given: Any) -> Sequence[Any]:
    """Return the photographs one by one."""
    if _is_one(given):
        return [given]
    if isinstance(given, np.ndarray):
        return _pictures(given)
    if isinstance(given, (list, tuple)):
        return given
    if hasattr(given, "to_numpy") or hasattr(given, "__array__"):  # a column of a table, a tensor
        try:
            values = np.asarray(given)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"A {type(given).__name__} is not {_WHAT}: {error}") from None
        if hasattr(given, "to_numpy") and values.ndim == 2 and values.dtype.kind not in "OUST":
            raise InputError("A table of numbers is no photograph; give the column of the paths.")
        return _pictures(values)
    if isinstance(given, Iterable) and not isinstance(given, (dict, set, frozenset)):
        return list(given)
    raise InputError(f"{reprlib.repr(given)} is not {_WHAT}, nor several of them in a list.")


def _is_one(given: Any) -> bool:
    return isinstance(given, (str, bytes, bytearray, memoryview, os.PathLike, Image.Image)) or callable(
        getattr(given, "read", None)
    )


def _pictures(array: NDArray[Any]) -> Sequence[Any]:
    """Return the pictures of an array, or the entries of a column."""
    if array.dtype.kind in "OUST":
        if array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1):
            return array.reshape(-1).tolist()
        raise InputError(
            f"An array of {array.dtype} of shape {array.shape} is neither a column of photographs nor pixels, which are"
            " numbers of uint8."
        )
    if array.ndim == 1:
        return array.tolist()
    several = (
        array.ndim == 3
        and array.shape[-1] not in _CHANNELS
        and array.shape[-1] >= _NARROWEST
        and array.shape[0] not in (3, 4)
    )
    return list(array) if several or array.ndim == 4 else [array]


def _check(row: int, one: Any) -> None:
    """Raise InputError where something is no photograph."""
    if isinstance(one, (str, os.PathLike)):
        problem = _why_no_path(os.fspath(one))
    elif isinstance(one, Image.Image):
        problem = None if min(one.size) else f"is an image of Pillow of {one.width} × {one.height} pixels"
    elif _is_one(one):
        problem = None
    elif (
        one is None or type(one).__name__ in ("NAType", "NaTType") or (isinstance(one, float) and one != one)
    ):
        problem = f"is missing ({one})"
    elif isinstance(one, (list, tuple)) or hasattr(one, "__array__"):
        problem = _why_no_pixels(one)
    else:
        problem = f"is {reprlib.repr(one)}, which is not {_WHAT}"
    if problem is not None:
        raise InputError(f"photograph {row} {problem}.")


def _why_no_path(path: Any) -> str | None:
    if not isinstance(path, str) or not path or "\0" in path:
        return f"is {path!r}, which is no path"
    if not is_url(path) or os.path.exists(path):  # noqa: PTH110 - also of what can be no path
        return None
    return (
        f"is a URL, {reprlib.repr(path)}, and nothing is downloaded here: save it as a file first, or give what"
        " urllib.request.urlopen(url).read() returns"
    )


def _why_no_pixels(one: Any) -> str | None:
    try:
        array = np.asarray(one)
    except (TypeError, ValueError, RuntimeError) as error:
        return f"is a {type(one).__name__} that is no array: {error}"
    shape, dtype = array.shape, array.dtype
    known = f"is an array of dtype {dtype} and shape {shape}"
    if dtype.kind in "OUST":
        return f"{known}; pixels are numbers of uint8"
    if not array.size:
        return f"{known}: it is empty"
    if array.ndim == 3 and shape[-1] not in _CHANNELS and shape[0] in _CHANNELS:
        return f"{known}, channels first; they come last: np.moveaxis(array, 0, -1)"
    if array.ndim not in (2, 3) or (array.ndim == 3 and shape[-1] not in _CHANNELS):
        return f"{known}; a picture has the shape (h, w) or (h, w, 1|3|4)"
    if dtype == np.uint8:
        return None
    return f"{known}{_what_to_do(array)}"


def _what_to_do(array: NDArray[Any]) -> str:
    """Return how an array of another type than uint8 becomes one."""
    if array.dtype.kind not in "iuf":
        return "; pixels are numbers of uint8"
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return ", with values that are no numbers (NaN or infinite); pixels are uint8, from 0 to 255"
    low, high = array.min(), array.max()
    values = f" and values from {low:g} to {high:g}; pixels are uint8, from 0 to 255"
    if low < 0:
        return values
    if high <= 1 and array.dtype.kind == "f":
        return f"{values}: (array * 255).round().astype('uint8')"
    if high <= 255:
        return f"{values}: array.{'round().' if array.dtype.kind == 'f' else ''}astype('uint8')"
    return f"{values}: scale the array, or give a file of 16 bits"


def _content(one: Any) -> sources.Content:
    """Return a photograph as the content of a file. Raises ImageError."""
    if isinstance(one, Image.Image):
        return _of_bytes(_file_of_image(one))
    if isinstance(one, (bytes, bytearray, memoryview)):
        return _of_bytes(bytes(one))
    if hasattr(one, "read"):
        return _of_bytes(_read(one))
    pixels = np.ascontiguousarray(one)
    digest = hashlib.sha256(f"pixels {pixels.shape}".encode())
    digest.update(pixels.data)
    picture = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels
    return sources.Content(_saved(Image.fromarray(picture), "PNG"), digest.digest())


def _of_bytes(data: bytes) -> sources.Content:
    return sources.Content(data, hashlib.sha256(data).digest())


def _read(file: Any) -> bytes:
    """Return all that an open file holds, wherever it stands."""
    try:
        if getattr(file, "seekable", bool)():
            file.seek(0)
        data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot be read: {error}") from None
    if not isinstance(data, (bytes, bytearray)):
        raise ImageError("is a file opened as text; open it with mode 'rb'")
    if len(data) > MAX_BYTES:
        raise ImageError(f"is more than {MAX_BYTES:,} bytes long, the limit")
    return bytes(data)


def _file_of_image(image: Image.Image) -> bytes:
    """Return an image of Pillow as a file: its own where its pixels have not been read yet, or else a lossless one."""
    if isinstance(image, ImageFile) and image.tile and image.fp is not None and image.tell() == 0:
        before = image.fp.tell()
        data = _read(image.fp)
        image.fp.seek(before)
        return data
    try:
        image.load()
        if image.mode in _SIMPLER:
            image = image.convert(_SIMPLER[image.mode])
        if image.mode in _PNG_MODES:
            return _saved(image, "PNG")
        if image.mode in _TIFF_MODES:
            return _saved(image, "TIFF")
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise ImageError(f"cannot be read: {error}") from None
    raise ImageError(f"is an image of Pillow of mode {image.mode}, which cannot be read")


def _saved(image: Image.Image, form: str) -> bytes:
    exif = Image.Exif()
    exif[colours.ORIENTATION] = colours.orientation(image)
    stream = io.BytesIO()
    options = {"compress_level": 1} if form == "PNG" else {}
    image.save(stream, form, exif=exif, icc_profile=image.info.get("icc_profile"), **options)
    return stream.getvalue()
