"""``parts.txt``: a witness of what was published, so that a part that is gone can be named.

The listing of the folder is the manifest; the ledger only says which names must be in it. Lines that a crash tore
are ignored, and a folder without a ledger is read without that check.
"""

import zlib
from collections.abc import Iterable
from pathlib import Path

from embed import files
from embed.cache.parts import NAME
from embed.errors import CacheError

LEDGER_NAME = "parts.txt"


def read(folder: Path) -> set[str]:
    """Return the names that were published and not folded away since."""
    path = folder / LEDGER_NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise CacheError(f"cannot read {path}: {error.strerror or error}") from error
    lines = (line.split(b" ") for line in data.splitlines())
    pairs = ((fields[0], fields[1]) for fields in lines if len(fields) == 2)
    names = {name.decode("ascii", "replace") for name, checksum in pairs if _checksum(name) == checksum}
    return {name for name in names if NAME.fullmatch(name)}


def append(folder: Path, name: str) -> None:
    """Note that a part was published."""
    files.append_line(folder / LEDGER_NAME, _line(name))


def write(folder: Path, names: Iterable[str]) -> None:
    """Put the ledger of exactly these parts in place."""
    files.replace(folder, LEDGER_NAME, b"".join(map(_line, sorted(names))))


def _line(name: str) -> bytes:
    # The line break comes first as well: the line before may have been torn.
    return b"\n%s %s\n" % (name.encode(), _checksum(name.encode()))


def _checksum(name: bytes) -> bytes:
    return b"%08x" % zlib.crc32(name)
