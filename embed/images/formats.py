"""Recognise what a file holds by its first bytes, whatever its name says."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """A format that can be decoded."""

    name: str  # as people write it
    module: str  # where its decoder lives, imported when the first such file comes along
    decoder: str  # a subclass of PIL.ImageFile.ImageFile


JPEG = Format("JPEG", "PIL.JpegImagePlugin", "JpegImageFile")
PNG = Format("PNG", "PIL.PngImagePlugin", "PngImageFile")
GIF = Format("GIF", "PIL.GifImagePlugin", "GifImageFile")
WEBP = Format("WebP", "PIL.WebPImagePlugin", "WebPImageFile")
TIFF = Format("TIFF", "PIL.TiffImagePlugin", "TiffImageFile")
BMP = Format("BMP", "PIL.BmpImagePlugin", "BmpImageFile")
PPM = Format("PPM", "PIL.PpmImagePlugin", "PpmImageFile")
JPEG2000 = Format("JPEG 2000", "PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile")
AVIF = Format("AVIF", "PIL.AvifImagePlugin", "AvifImageFile")
HEIF = Format("HEIF", "pillow_heif", "HeifImageFile")

# The first bytes of a file as a regular expression, and the format they announce.
_SIGNATURES: tuple[tuple[bytes, Format], ...] = (
    (rb"\xff\xd8\xff", JPEG),
    (rb"\x89PNG\r\n\x1a\n", PNG),
    (rb"GIF8[79]a", GIF),
    (rb"RIFF....WEBP", WEBP),
    (rb"II(\*\x00|\x2b\x00)|MM(\x00\*|\x00\x2b)", TIFF),
    (rb"BM.{4}\x00\x00\x00\x00.{4}[\x0c-\x7c]\x00\x00\x00", BMP),
    (rb"P[1-7fFy][\s#]", PPM),
    (rb"\x00\x00\x00\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", JPEG2000),
    (rb".{4}ftyp(avif|avis)", AVIF),
    (rb".{4}ftyp(heic|heix|hevc|hevx|heim|heis|hevm|hevs|mif1|msf1)", HEIF),
)
_PATTERNS = tuple((re.compile(pattern, re.DOTALL), format) for pattern, format in _SIGNATURES)

# What a file that is no image, or none that can be decoded, most often is.
_OTHERS = tuple(
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), name)
    for pattern, name in (
        (
            rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!doctype svg[^>]*>\s*)?<svg\b",
            "an SVG drawing",
        ),
        (rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)*<(!doctype html|html|head|body)\b", "an HTML page"),
        (rb"(\xef\xbb\xbf)?\s*<\?xml", "an XML document"),
        (rb"\s*[{\[]\s*[\"{\[]", "a JSON document"),
        (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript document"),
        (rb"%PDF-", "a PDF document"),
        (rb"8BPS", "a Photoshop document"),
        (rb"\x00\x00\x01\x00.\x00", "a Windows icon"),
        (rb"icns", "a macOS icon"),
        (rb"\xff\x0a|\x00\x00\x00\x0cJXL \r\n", "a JPEG XL image"),
        (rb"II\xbc\x01", "a JPEG XR image"),
        (rb"DDS ", "a DDS texture"),
        (rb"qoif", "a QOI image"),
        (rb"v/1\x01", "an OpenEXR image"),
        (rb"#\?RADIANCE", "a Radiance image"),
        (rb"\x00\x05\x16\x07", "the metadata that macOS keeps of another file"),
        (rb"PK\x03\x04", "a ZIP archive"),
        (rb"\x1f\x8b", "a gzip archive"),
        (rb"7z\xbc\xaf", "a 7-Zip archive"),
        (rb"Rar!", "a RAR archive"),
        (rb".{4}ftypcrx", "a raw photograph of a Canon camera"),
        (rb"FUJIFILMCCD-RAW", "a raw photograph of a Fujifilm camera"),
        (rb".{4}ftyp", "a video"),
        (rb"RIFF....AVI ", "a video"),
        (rb"\x1aE\xdf\xa3", "a video"),
        (rb"RIFF....WAVE|ID3", "a sound recording"),
        (rb"\x89HDF", "an HDF5 file"),
        (rb"\x7fELF|MZ", "a program"),
        (rb"#!", "a script"),
        (rb"version https://git-lfs", "a Git LFS pointer, not the file itself"),
    )
)


def identify(data: bytes) -> Format | None:
    """Return the format that the first bytes announce, None when it is none that can be decoded."""
    for pattern, format in _PATTERNS:
        if pattern.match(data):
            return format
    return None


def is_image(head: bytes) -> bool:
    """Return whether a file that begins like this holds an image."""
    return identify(head) is not None


def describe(data: bytes) -> str:
    """Return why a file without a known format is no photograph, as the end of a sentence about it."""
    if not data:
        return "is empty"
    head = data[:2048]
    for pattern, name in _OTHERS:
        if pattern.match(head):
            return f"is {name}" if "not the" in name else f"is {name}, not an image that can be decoded"
    if not any(data):
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
