"""``parts.txt``, the manifest: what each part holds, so that a set can be opened without reading one.

The listing of the folder says what is committed; the manifest says what it is, and which part is gone. A line whose
checksum does not hold is ignored, and a part without a line speaks for itself.
"""

import json
import re
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import xxhash

from embed import files

MANIFEST_NAME = "parts.txt"
NAME = re.compile(r"part-([0-9]{8,12})-([0-9a-f]{16})-([0-9a-f]{16})\.h5")
LAST_SEQUENCE = 10**12 - 1
SUM_CHARACTERS = 16
MOST_ROWS = 1 << 24  # of a part: folded ones have less than a third of it
CONTENT_BYTES = 32  # of a row, at least


def part_sequence(name: str) -> int:
    """Return the sequence number in the name of a part."""
    return int(name.split("-")[1])


def replay_order(name: str) -> tuple[int, str]:
    """Return the key by which parts are replayed."""
    return part_sequence(name), name


@dataclass(frozen=True)
class Entry:
    """What the manifest says of a part.

    Parameters
    ----------
    name : str
    bytes : int or None
        Size of the file; None where no more than the name is known.
    rows, removed : int
        How many there are.
    first, last : str or None
        Paths of the first and the last row; None where there is none, or where the rows are not in order.
    replaces : tuple of str
        Names of the parts that this one stands for.
    """

    name: str
    bytes: int | None = None
    rows: int = 0
    removed: int = 0
    first: str | None = None
    last: str | None = None
    replaces: tuple[str, ...] = ()


def read(folder: Path) -> tuple[dict[str, Entry], int]:
    """Return what was published and not folded away since, by name, and the number of damaged lines.

    Raises
    ------
    CacheError
        The file is there and cannot be read.
    """
    try:
        data = files.read_bytes(folder / MANIFEST_NAME)
    except FileNotFoundError:
        return {}, 0
    lines = data.split(b"\n")
    entries = [_parse(line) for line in lines if line]
    # A crash may tear the last line: that is no damage.
    torn = bool(lines[-1]) and entries[-1] is None
    return {entry.name: entry for entry in entries if entry is not None}, entries.count(None) - torn


def append(folder: Path, entry: Entry) -> None:
    """Note that a part was published."""
    files.append_line(folder / MANIFEST_NAME, _line(entry))


def write(folder: Path, entries: Iterable[Entry]) -> None:
    """Put the manifest of exactly these parts in place."""
    lines = map(_line, sorted(entries, key=lambda entry: replay_order(entry.name)))
    files.replace(folder, MANIFEST_NAME, b"".join(lines))


def _line(entry: Entry) -> bytes:
    text = json.dumps(asdict(entry)).encode()
    # The line break comes first as well: the line before may have been torn.
    return b"\n%s %s\n" % (xxhash.xxh3_64_hexdigest(text).encode(), text)


def _parse(line: bytes) -> Entry | None:
    """Return what a line says; None where it is damaged, or says what cannot be."""
    head, _, rest = line.partition(b" ")
    if len(head) == SUM_CHARACTERS and xxhash.xxh3_64_hexdigest(rest).encode() == head:
        try:
            return _entry(files.from_json(rest))
        except (TypeError, ValueError, KeyError):
            return None
    if rest == b"%08x" % zlib.crc32(head) and NAME.fullmatch(name := head.decode(errors="replace")):
        return Entry(name)  # version 1: a name alone
    return None


def _entry(document: Any) -> Entry:
    """Return what a line says. Raises TypeError, KeyError or ValueError where that cannot be."""
    entry = Entry(**{**document, "replaces": tuple(document["replaces"])})
    if not all(isinstance(name, str) and NAME.fullmatch(name) for name in (entry.name, *entry.replaces)):
        raise ValueError("no name of a part")
    if entry.bytes is not None and type(entry.bytes) is not int:
        raise ValueError("no size")
    if not all(type(number) is int and 0 <= number <= MOST_ROWS for number in (entry.rows, entry.removed)):
        raise ValueError("no number of rows")
    # A row takes more bytes than its content has, and a removal at least one.
    if entry.rows * CONTENT_BYTES + entry.removed > (entry.bytes or 0):
        raise ValueError("more rows than fit into it")
    if (entry.first is None) != (entry.last is None) or (entry.first is not None and not entry.rows):
        raise ValueError("first and last of no rows")
    for path in (entry.first, entry.last):
        if path is None:
            continue
        if not isinstance(path, str) or b"\0" in path.encode("utf-8", "surrogateescape"):
            raise ValueError("no path")
    return entry
