"""``exif.csv``: what photographs say about themselves, by their content; there only where it was asked for.

A table for a spreadsheet, whose cells are written as `embed.files.escape` says: ``sha256``, ``taken`` (ISO 8601, the time of the
camera), ``latitude``, ``longitude``, ``camera``, ``width``, ``height``. The first line ends in a checksum of the others.
"""

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import xxhash

from embed import files
from embed.errors import CacheDamagedError

NAME = "exif.csv"
MOST_BYTES = 1 << 30
CHECKSUM = "xxh3-128:"
COLUMNS = ("sha256", "taken", "latitude", "longitude", "camera", "width", "height")
_TAKEN = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?)?")


class Told(NamedTuple):
    """What a photograph says about itself, as text; empty where it says nothing."""

    taken: str = ""
    latitude: str = ""
    longitude: str = ""
    camera: str = ""
    width: str = ""
    height: str = ""


def write(folder: Path, told: Mapping[bytes, Told]) -> None:
    """Put what is known by content (sha256) in place of what was.

    Raises
    ------
    CacheWriteError
        The disk refused; what was is still there.
    """
    text = io.StringIO()
    files.write_rows(text, COLUMNS, ((sha256.hex(), *told[sha256]) for sha256 in sorted(told)))
    header, _, body = text.getvalue().encode().partition(b"\n")
    seal = f",{CHECKSUM}{xxhash.xxh3_128_hexdigest(body)}\n"
    files.replace(folder, NAME, header + seal.encode() + body)


def read(folder: Path) -> dict[bytes, Told] | None:
    """Return what is known by content; None where nobody asked.

    Raises
    ------
    CacheDamagedError
        The file is not what was written.
    """
    path = folder / NAME
    try:
        header, _, body = files.read_bytes(path, MOST_BYTES).partition(b"\n")
    except FileNotFoundError:
        return None
    if header.decode(errors="replace").split(",") != [*COLUMNS, CHECKSUM + xxhash.xxh3_128_hexdigest(body)]:
        raise _damaged(path, "its checksum does not hold")
    found = {}
    try:
        for sha256, *cells in csv.reader(io.StringIO(body.decode(), newline="")):
            told = Told(*map(files.unescape, cells))
            digest = bytes.fromhex(sha256)
            numbers = (told.latitude or 0, told.longitude or 0, told.width or 0, told.height or 0)
            if (
                len(digest) != 32
                or not _TAKEN.fullmatch(told.taken)
                or not all(-1e9 < float(n) < 1e9 for n in numbers)
            ):
                raise ValueError(f"{sha256:.80} says what cannot be")
            found[digest] = told
    except (ValueError, TypeError, csv.Error) as error:
        raise _damaged(path, str(error)) from error
    return found


def _damaged(path: Path, what: str) -> CacheDamagedError:
    return CacheDamagedError(
        f"{path} is damaged: {what}; delete it and run embed extract --exif, which writes it anew"
    )
