"""One shot in two files: what the sensor of a camera saw, and the picture that the camera made of it."""

import os
from collections.abc import Iterator

RAW_EXTENSIONS = frozenset(
    b"raw dng cr2 cr3 crw nef nrw arw sr2 srf orf rw2 rwl raf pef srw 3fr iiq x3f mrw erf kdc dcr mos".split()
)
_PICTURES = tuple(
    spelling
    for extension in (".jpg", ".jpeg", ".heic", ".heif", ".hif", ".tif", ".tiff", ".png")
    for spelling in (extension, extension.upper())
)

TAKEN_AS_PICTURE = "raw files of shots whose pictures lie beside them"


def pictures_of(file: str) -> Iterator[str]:
    """Yield the names that the picture of a shot may have, where a file is its raw photograph.

    The picture is what the camera, or who developed the shot, made of it: it stands for both.
    """
    stem, _, extension = file.rpartition(".")
    if os.fsencode(extension.lower()) in RAW_EXTENSIONS:
        yield from (stem + other for other in _PICTURES)


def is_taken_as_picture(file: bytes) -> bool:
    """Return whether a file is the raw photograph of a shot of which the same folder has a picture, under the same name."""
    if file.rpartition(b".")[2].lower() not in RAW_EXTENSIONS:
        return False
    return any(map(os.path.isfile, pictures_of(os.fsdecode(file))))
