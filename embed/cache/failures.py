"""``failures.csv``: every file that has no row, and why.

The file opens in a spreadsheet and gives any file name back exactly: its cells are written as `embed.files.escape` says.
"""

import csv
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import xxhash

from embed import files
from embed.errors import CacheDamagedError

FAILURES_NAME = "failures.csv"
COLUMNS = ("path", "reason", "size", "mtime_ns")
CHECKSUM = "xxh3-128:"  # begins the cell after them, in the first line


@dataclass(frozen=True)
class Failure:
    """A file that has no row.

    Parameters
    ----------
    path : str
        Relative to the data folder.
    reason : str
    size, mtime_ns : int or None
        As found, so that the file is tried again once it changed; None where they cannot be had.
    """

    path: str
    reason: str
    size: int | None = None
    mtime_ns: int | None = None


def write(folder: Path, failures: Iterable[Failure]) -> None:
    """Put the failures in place of the former ones, in the order of their paths.

    Raises
    ------
    CacheWriteError
        The disk refused; the former ones are still there.
    """
    text = io.StringIO()
    in_order = sorted(failures, key=lambda failure: os.fsencode(failure.path))
    files.write_rows(text, COLUMNS, ((one.path, one.reason, one.size, one.mtime_ns) for one in in_order))
    header, _, body = text.getvalue().encode().partition(b"\n")
    seal = f",{CHECKSUM}{xxhash.xxh3_128_hexdigest(body)}\n"
    files.replace(folder, FAILURES_NAME, header + seal.encode() + body)


def read(folder: Path) -> list[Failure]:
    """Return the failures of a feature set; none where the file is missing.

    Raises
    ------
    CacheDamagedError
        The file is not what was written.
    """
    path = folder / FAILURES_NAME
    try:
        header, _, body = files.read_bytes(path).partition(b"\n")
    except FileNotFoundError:
        return []
    names = header.decode(errors="replace").split(",")
    # Version 1 of the format has no checksum.
    if tuple(names) != COLUMNS and names != [*COLUMNS, CHECKSUM + xxhash.xxh3_128_hexdigest(body)]:
        raise _damaged(path, "its checksum does not hold")
    try:
        return [
            Failure(_path(files.unescape(name)), files.unescape(reason), _number(size), _number(mtime_ns))
            for name, reason, size, mtime_ns in csv.reader(io.StringIO(body.decode(), newline=""))
        ]
    except (ValueError, csv.Error) as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, what: str) -> CacheDamagedError:
    return CacheDamagedError(f"{path} is damaged: {what}; run embed extract, which writes it anew")


def _path(text: str) -> str:
    if not text or b"\0" in text.encode("utf-8", "surrogateescape"):  # UnicodeEncodeError is a ValueError
        raise ValueError(f"{text!r:.60} is no path")
    return text


def _number(text: str) -> int | None:
    return int(text) if text else None
