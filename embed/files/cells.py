"""Cells of comma-separated values: the one way in which this project writes text that a spreadsheet may open.

A backslash starts an escape: ``\\\\`` is a backslash, ``\\n``, ``\\r`` and ``\\t`` are the usual ones, ``\\xNN`` and ``\\uNNNN`` are
any other control character or, above ``\\x7f``, a byte of a file name that is no UTF-8. A cell that a spreadsheet would
take for a formula starts with ``\\'``, which is not part of the value. So the file is UTF-8, no cell of it is ever
evaluated, and every text can be had back from it exactly.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from typing import IO, Any

FORMULA = ("=", "+", "-", "@")  # what spreadsheets evaluate when a cell starts with it
_SHORT = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LONG = {escape: character for character, escape in _SHORT.items()} | {"\\'": ""}
_ESCAPE = re.compile(r"\\(?:u[0-9a-f]{4}|x[0-9a-f]{2}|.)", re.DOTALL)


def write_rows(stream: IO[str], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write comma-separated values under named columns, every text in them escaped.

    Parameters
    ----------
    stream : text stream
    columns : sequence of str
    rows : iterable of sequences
        Of str, numbers and None, which is an empty cell.

    Examples
    --------
    >>> import sys
    >>> write_rows(sys.stdout, ["path", "n"], [("=cmd.jpg", -1)])
    path,n
    \\'=cmd.jpg,-1
    """
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([escape(column) for column in columns])
    writer.writerows([escape(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)


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
