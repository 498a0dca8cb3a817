"""The formats that can be decoded, and what other files most often are."""

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Of the part that all formats share (colours, resize) and of every recipe: raise it when the pixels of all formats change.
DECODER_VERSION = 1
MOST_DECODERS = 64  # that a set is asked about: its rows by others are not current


class Format(NamedTuple):
    """A format that can be decoded."""

    name: str  # as people write it
    module: str  # where its decoder lives, imported when the first such file comes along
    decoder: str  # a subclass of PIL.ImageFile.ImageFile
    version: int = 1  # raise it when any pixel of this format changes


JPEG = Format("JPEG", "PIL.JpegImagePlugin", "JpegImageFile")
PNG = Format("PNG", "PIL.PngImagePlugin", "PngImageFile", version=2)
GIF = Format("GIF", "PIL.GifImagePlugin", "GifImageFile")
WEBP = Format("WebP", "PIL.WebPImagePlugin", "WebPImageFile")
TIFF = Format("TIFF", "PIL.TiffImagePlugin", "TiffImageFile", version=3)
BMP = Format("BMP", "PIL.BmpImagePlugin", "BmpImageFile")
PPM = Format("PPM", "PIL.PpmImagePlugin", "PpmImageFile")
JPEG2000 = Format("JPEG 2000", "PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile")
AVIF = Format("AVIF", "PIL.AvifImagePlugin", "AvifImageFile")
HEIF = Format("HEIF", "pillow_heif", "HeifImageFile")
RAW = Format("RAW", "rawpy", "RawPy", version=2)  # what the sensors of cameras saw

FORMATS = {
    format.name: format for format in (JPEG, PNG, GIF, WEBP, TIFF, BMP, PPM, JPEG2000, AVIF, HEIF, RAW)
}
DECODER_VERSIONS = {format.name: format.version for format in FORMATS.values()}


def decoder_name(format: str | None) -> str:
    """Return what pixels of a format are recorded as, such as "JPEG 1"; nothing where the format is not known."""
    return "" if format is None else f"{format} {DECODER_VERSIONS[format]}"


def are_current(decoders: "NDArray[np.bytes_]") -> "NDArray[np.bool_]":
    """Return of each row whether its pixels would be the same today, by what they were recorded as; ndarray of shape (n,)."""
    import numpy as np

    current, judged = np.zeros(len(decoders), bool), np.zeros(len(decoders), bool)
    for _ in range(MOST_DECODERS):  # once for each decoder: a handful, and nothing is sorted
        if judged.all():
            break
        name = decoders[judged.argmin()]
        same = decoders == name
        current[same] = _is_current(name.decode(errors="replace"))
        judged |= same
    return current


def _is_current(decoder: str) -> bool:
    """Caches of an older format do not record the decoder: theirs was version 1, of any format."""
    if not decoder:
        return set(DECODER_VERSIONS.values()) == {1}
    return decoder in map(decoder_name, DECODER_VERSIONS)


# What files that are no photograph most often are, and the words that follow "is". Repetition is possessive, so that no
# file takes long.
_NO_IMAGE, _NO_DECODER, _DRAWING = ", not an image", ", which cannot be decoded", ", not a photograph"
_TEXT = rb"(?:\xef\xbb\xbf)?\s*"
_COMMENT = rb"<!--.*?-->\s*"
_OTHERS = (
    (
        _TEXT + rb"(<\?xml[^>]*>\s*|" + _COMMENT + rb"|<!doctype svg[^>]*>\s*)*+<svg\b",
        "an SVG drawing" + _DRAWING,
    ),
    (_TEXT + rb"(" + _COMMENT + rb")*+<(!doctype html|html|head|body)\b", "an HTML page" + _NO_IMAGE),
    (_TEXT + rb"<\?xml", "an XML document" + _NO_IMAGE),
    (_TEXT + rb"(\{\s*[\"}]|\[\s*[\"{\[])", "a JSON document" + _NO_IMAGE),
    (rb"version https://git-lfs", "a pointer of Git LFS, not the image itself"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript document" + _DRAWING),
    (rb"%PDF-", "a PDF document" + _NO_IMAGE),
    (rb"8BPS", "a Photoshop document" + _NO_DECODER),
    (rb"\x00\x00[\x01\x02]\x00.\x00", "a Windows icon" + _NO_DECODER),
    (rb"icns", "a macOS icon" + _NO_DECODER),
    (rb"PF\s+\d", "a PFM image in colour" + _NO_DECODER),
    (rb"P7\s", "a PAM image" + _NO_DECODER),
    (rb".{128}DICM", "a DICOM image" + _NO_DECODER),
    (rb"SIMPLE  =", "a FITS image" + _NO_DECODER),
    (rb"gimp xcf ", "a GIMP image" + _NO_DECODER),
    (rb"\x0a[\x00-\x05]\x01[\x01\x02\x04\x08]", "a PCX image" + _NO_DECODER),
    (rb"\x01\xda[\x00\x01][\x01\x02]", "an SGI image" + _NO_DECODER),
    (rb"\xff\x0a|\x00\x00\x00\x0cJXL \r\n", "a JPEG XL image" + _NO_DECODER),
    (rb"II\xbc\x01", "a JPEG XR image" + _NO_DECODER),
    (rb"DDS ", "a DDS texture" + _NO_DECODER),
    (rb"qoif", "a QOI image" + _NO_DECODER),
    (rb"v/1\x01", "an OpenEXR image" + _NO_DECODER),
    (rb"#\?(RADIANCE|RGBE)", "a Radiance image" + _NO_DECODER),
    (rb"\x00\x05\x16\x07", "what macOS noted about another file" + _NO_IMAGE),
    (rb"PK\x03\x04", "a ZIP archive" + _NO_IMAGE),
    (rb"\x1f\x8b", "a gzip archive" + _NO_IMAGE),
    (rb"7z\xbc\xaf", "a 7-Zip archive" + _NO_IMAGE),
    (rb"Rar!", "a RAR archive" + _NO_IMAGE),
    (rb".{4}ftyp|RIFF....AVI |\x1aE\xdf\xa3", "a video" + _NO_IMAGE),
    (rb"RIFF....WAVE|ID3", "a sound recording" + _NO_IMAGE),
    (rb"\x89HDF", "an HDF5 file" + _NO_IMAGE),
    (rb"\x7fELF|MZ", "a program" + _NO_IMAGE),
    (rb"#!", "a script" + _NO_IMAGE),
)


_END_OF_TGA = b"TRUEVISION-XFILE.\0"


def describe(data: bytes) -> str:
    """Return why a file without a known format is no photograph, as the end of a sentence about it."""
    if not data:
        return "is empty"
    head = data[:2048]
    if data.endswith(_END_OF_TGA):
        return "is a TGA image" + _NO_DECODER
    for pattern, name in _OTHERS:
        if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
            return f"is {name}"
    if not data.strip(b"\0"):
        return "holds nothing but zeros"
    if _is_text(head):
        return "is text, not an image"
    return "is in no known image format"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8", errors="strict" if len(head) < 2048 else "ignore")
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c in "\t\r\n\f" for c in text.lstrip("\ufeff"))
