"""What was put into a bin, written down before anything moves.

``.embed-bin.journal`` is text: each line the xxh3-64, hexadecimal, of the rest of the line, a space, and a JSON object with
``batch`` (the folder in the bin), ``root`` (the data folder as seen from the bin, or its path), ``time``, ``reason`` and
``photographs``, each with its path in the data folder, its size and the sha256 of its content. A line that does not hold was
cut short before anything of it had moved. Where a photograph is now, the disk says.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import xxhash

from embed import files
from embed.errors import InputError
from embed.sources import BIN_JOURNAL

MOST_BYTES = 1 << 30
LINE = 1000  # photographs on one


@dataclass(frozen=True)
class Entry:
    """A photograph that was to be put into a bin.

    Attributes
    ----------
    batch : str
        What was put aside together with it: a folder in the bin.
    path : str
        In the data folder, and in the folder of the batch.
    size : int
    sha256 : str
        Hexadecimal; empty where it is not known.
    time : str
    reason : str
    """

    batch: str
    path: str
    size: int
    sha256: str
    time: str
    reason: str


def write(folder: Path, root: Path, entries: Sequence[Entry]) -> None:
    """Note what is about to move, durably.

    Raises
    ------
    CacheWriteError
        The disk refused; nothing may move then.
    """
    home = _home(folder, root)
    for start in range(0, len(entries), LINE):
        some = entries[start : start + LINE]
        document = {
            "batch": some[0].batch,
            "root": home,
            "time": some[0].time,
            "reason": some[0].reason,
            "photographs": [[one.path, one.size, one.sha256] for one in some],
        }
        line = json.dumps(document).encode()
        # A line that a kill cut short ends here.
        files.append_line(
            folder / BIN_JOURNAL,
            b"\n%s %s\n" % (xxhash.xxh3_64_hexdigest(line).encode(), line),
            durable=True,
        )
    try:
        files.sync_folder(folder)
    except OSError as error:
        raise files.write_error(folder, error) from error


def read(folder: Path, root: Path) -> list[Entry]:
    """Return what was to be put into a bin from one data folder, in order; nothing where there is no bin.

    Raises
    ------
    CacheError
        The journal cannot be read.
    """
    try:
        data = files.read_bytes(folder / BIN_JOURNAL, MOST_BYTES)
    except FileNotFoundError:
        return []
    home = _home(folder, root)
    return [entry for line in data.split(b"\n") for entry in _entries(line, home)]


def _home(folder: Path, root: Path) -> str:
    """Return a data folder as seen from a bin in it, which may move with it, or else its path."""
    root, folder = root.resolve(), folder.resolve()
    return os.path.relpath(root, folder) if folder.is_relative_to(root) else str(root)


def _entries(line: bytes, home: str) -> Iterator[Entry]:
    checksum, _, body = line.partition(b" ")
    if xxhash.xxh3_64_hexdigest(body).encode() != checksum:
        return
    try:
        document = files.from_json(body)
        batch, time, reason = (document[key] for key in ("batch", "time", "reason"))
        if document["root"] != home or not all(isinstance(one, str) for one in (batch, time, reason)):
            return
        check_inside(batch)
        for path, size, sha256 in document["photographs"]:
            check_inside(path)
            if type(size) is int and isinstance(sha256, str):
                yield Entry(batch, path, size, sha256, time, reason)
    except (InputError, KeyError, TypeError, ValueError):
        return  # a stranger's: whoever wrote the checksum wrote that too


def check_inside(path: str) -> None:
    """Raise InputError where a path leads out of the folder that it is relative to."""
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts or "\0" in path:
        raise InputError(f"{path!r} is no path in a data folder.")
