"""Recognise an image by its first bytes, whatever its name says."""

import re

# The first bytes of a file as a regular expression, and the format they announce, as people write it.
_SIGNATURES = tuple(
    (re.compile(pattern, re.DOTALL), name)
    for pattern, name in (
        (rb"\xff\xd8\xff", "JPEG"),
        (rb"\x89PNG\r\n\x1a\n", "PNG"),
        (rb"GIF8[79]a", "GIF"),
        (rb"RIFF....WEBP", "WebP"),
        (rb"II(\*\x00|\x2b\x00)|MM(\x00\*|\x00\x2b)", "TIFF"),
        (rb"BM.{12}[\x0c\x10(48@l|]\x00\x00\x00", "BMP"),
        (rb"P[1-6f]\s+[#\d]", "PPM"),
        (rb"\x00\x00\x00\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", "JPEG 2000"),
        (rb".{4}ftyp(avif|avis)", "AVIF"),
        (rb".{4}ftyp(heic|heix|hevc|hevx|heim|heis|hevm|hevs|mif1|msf1)", "HEIF"),
        # Those of most other cameras begin as a TIFF does.
        (rb"II(RO|RS|U\x00)|MMOR|.{4}ftypcrx |FUJIFILMCCD-RAW|II\x1a\x00{3}HEAPCCDR|FOVb|\x00MRM", "RAW"),
    )
)


def identify(head: bytes) -> str | None:
    """Return the name of the format that the first bytes of a file announce, or None."""
    return next((name for pattern, name in _SIGNATURES if pattern.match(head)), None)
