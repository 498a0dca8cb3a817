"""One shot in two files: what the sensor of a camera saw, and the picture that the camera made of it."""

import os

RAW_EXTENSIONS = frozenset(
    b"raw dng cr2 cr3 crw nef nrw arw sr2 srf orf rw2 rwl raf pef srw 3fr iiq x3f mrw erf kdc dcr mos".split()
)
_PICTURES = tuple(
    spelling
    for extension in (b".jpg", b".jpeg", b".heic", b".heif", b".hif", b".tif", b".tiff", b".png")
    for spelling in (extension, extension.upper())
)

TAKEN_AS_PICTURE = "raw files of shots whose pictures lie beside them"


def is_taken_as_picture(file: bytes) -> bool:
    """Return whether a file is the raw photograph of a shot of which the same folder has a picture, under the same name.

    The picture is what the camera, or who developed the shot, made of it: it stands for both.
    """
    stem, _, extension = file.rpartition(b".")
    return extension.lower() in RAW_EXTENSIONS and any(
        os.path.isfile(stem + other)  # noqa: PTH113
        for other in _PICTURES
    )
