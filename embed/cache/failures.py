"""``failures.csv``: every file that has no row, and why.

The file opens in a spreadsheet and gives any file name back exactly: its cells are written as `embed.files.escape` says.
"""

import csv
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from embed import files
from embed.errors import CacheError, CacheFormatError

FAILURES_NAME = "failures.csv"
COLUMNS = ("path", "reason", "size", "mtime_ns")


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
    files.replace(folder, FAILURES_NAME, text.getvalue().encode())


def read(folder: Path) -> list[Failure]:
    """Return the failures of a feature set; none where the file is missing.

    Raises
    ------
    CacheFormatError
        The file is not of this format.
    """
    path = folder / FAILURES_NAME
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CacheError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise _malformed(path, f"{error.reason}, no UTF-8") from error
    rows = list(csv.reader(io.StringIO(text, newline="")))
    if not rows or tuple(rows[0]) != COLUMNS:
        raise _malformed(
            path,
            f"expected the columns {','.join(COLUMNS)}, found {','.join(rows[0]) if rows else 'nothing'}",
        )
    try:
        return [
            Failure(files.unescape(name), files.unescape(reason), _number(size), _number(mtime_ns))
            for name, reason, size, mtime_ns in rows[1:]
        ]
    except ValueError as error:
        raise _malformed(path, str(error)) from error


def _malformed(path: Path, what: str) -> CacheFormatError:
    return CacheFormatError(f"{path} cannot be understood ({what}): delete it, embed extract writes it anew")


def _number(text: str) -> int | None:
    return int(text) if text else None
