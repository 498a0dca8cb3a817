"""``failures.csv``: every file that has no row, and why.

The file opens in a spreadsheet and gives any file name back exactly. A backslash starts an escape: ``\\\\`` is a
backslash, ``\\n``, ``\\r`` and ``\\t`` are the usual ones, ``\\xNN`` is any other control character or a byte that is
no UTF-8. A cell that a spreadsheet would take for a formula starts with ``\\'``, which is not part of the value.
"""

import csv
import io
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import xxhash

from embed import files
from embed.errors import CacheDamagedError

FAILURES_NAME = "failures.csv"
COLUMNS = ("path", "reason", "size", "mtime_ns")
CHECKSUM = "xxh3-128:"  # begins the cell after them, in the first line
FORMULA = ("=", "+", "-", "@")  # what spreadsheets evaluate when a cell starts with it
_SHORT = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LONG = {escape: character for character, escape in _SHORT.items()} | {"\\'": ""}
_ESCAPE = re.compile(r"\\(?:u[0-9a-f]{4}|x[0-9a-f]{2}|.)", re.DOTALL)


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
    writer = csv.writer(text, lineterminator="\n")
    for failure in sorted(failures, key=lambda failure: os.fsencode(failure.path)):
        writer.writerow((escape(failure.path), escape(failure.reason), failure.size, failure.mtime_ns))
    body = text.getvalue().encode()
    header = ",".join((*COLUMNS, CHECKSUM + xxhash.xxh3_128_hexdigest(body)))
    files.replace(folder, FAILURES_NAME, header.encode() + b"\n" + body)


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
            Failure(unescape(name), unescape(reason), _number(size), _number(mtime_ns))
            for name, reason, size, mtime_ns in csv.reader(io.StringIO(body.decode(), newline=""))
        ]
    except (ValueError, csv.Error) as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, what: str) -> CacheDamagedError:
    return CacheDamagedError(f"{path} is damaged: {what}; run embed extract, which writes it anew")


def escape(text: str) -> str:
    """Return text as one printable cell that no spreadsheet evaluates; ``unescape`` gives it back exactly."""
    cell = "".join(map(_escape_character, text))
    return "\\'" + cell if cell.lstrip().startswith(FORMULA) else cell


def _escape_character(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as os.fsdecode spells it
        return f"\\x{code - 0xDC00:02x}"
    if code < 0xA0 and not character.isprintable():
        return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"
    if not character.isprintable() and code < 0x10000 and character != "\u3000":
        return f"\\u{code:04x}"
    return character


def unescape(cell: str) -> str:
    """Return the text that ``escape`` made a cell of.

    Raises
    ------
    ValueError
        The cell holds an escape that does not exist.
    """
    return _ESCAPE.sub(lambda match: _unescape_one(match[0]), cell)


def _unescape_one(escape: str) -> str:
    if escape in _LONG:
        return _LONG[escape]
    if escape[1] not in "xu" or len(escape) == 2:
        raise ValueError(f"unknown escape {escape!r}")
    code = int(escape[2:], 16)
    return chr(code + 0xDC00 if escape[1] == "x" and code >= 0x80 else code)


def _number(text: str) -> int | None:
    return int(text) if text else None
