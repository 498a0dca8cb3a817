"""The index on disk: two derived files in the folder of a feature set, checked before use, never worth keeping.

``index-<xxh3-64>.npy`` are the vectors of an exact index, ``index-<xxh3-64>.faiss`` is what FAISS writes of another.
``index.table`` starts with 16 bytes, the xxh3-128 of the rest; the rest
is an uncompressed .npz with

- ``about``: JSON: format, fingerprint of the features, xxh3-128 of the other file, what was demanded, which kind of
  index it became, what was measured
- ``contents``: sha256 of the photograph in each slot, uint8 (slots, 32)
- ``of_row``: the slot of each row of the features, int64 (rows,)

The name of the first file is never used for other bytes, and the table that speaks of it is published after it: files
of two states cannot be mixed up, and a torn or flipped one is recognised and built anew.
"""

import io
import json
import mmap
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from embed.search.index import Measured, Slots
from embed.search.kinds import KINDS, Kind
from embed.search.tuning import Demand

FORMAT = 1
TABLE_NAME = "index.table"
TEMPORARY_PREFIX = ".tmp-index-"  # what a killed process leaves is swept by the next writer of the cache
CHECKSUM_BYTES = 16
NAME_DIGITS = 16  # hexadecimal digits of the checksum in a file name


@dataclass
class Table:
    """What the index says of itself, and which content each vector belongs to."""

    fingerprint: str  # of the features that the index was built from
    demand: Demand
    kind: str
    measured: Measured
    slots: Slots
    checksum: str = ""  # of the file with the vectors


def load_table(folder: Path) -> Table | None:
    """Return the table of a feature set, or None when there is none, it is damaged or of another format."""
    try:
        data = memoryview((folder / TABLE_NAME).read_bytes())
    except OSError:
        return None
    if xxhash.xxh3_128_digest(data[CHECKSUM_BYTES:]) != data[:CHECKSUM_BYTES]:
        return None
    with np.load(io.BytesIO(data[CHECKSUM_BYTES:]), allow_pickle=False) as arrays:
        about = json.loads(arrays["about"].tobytes())
        if about.pop("format") != FORMAT:
            return None
        return Table(
            fingerprint=about.pop("fingerprint"),
            checksum=about.pop("checksum"),
            demand=Demand(**about.pop("demand")),
            kind=about.pop("kind"),
            measured=Measured(**about.pop("measured")),
            slots=Slots(arrays["contents"], arrays["of_row"]),
        )


def load_vectors(folder: Path, table: Table, *, writable: bool = False) -> Kind | None:
    """Return the index that a table speaks of, or None when it is not there or not what was written.

    It is mapped into memory, so that a search reads only what it needs; one that FAISS is to write to is read as a whole.
    """
    path = folder / _vectors_name(table)
    try:
        with path.open("rb") as stream:
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # ValueError: an empty file cannot be mapped
        return None
    # Whoever searches trusts what is read: nothing gets there unchecked.
    if xxhash.xxh3_128_hexdigest(data) != table.checksum:
        return None
    kind: Kind = KINDS[table.kind].load(path, data, writable=writable)
    return kind


def save(folder: Path, table: Table, kind: Kind) -> bool:
    """Publish an index; False where the folder cannot be written to, which harms nobody but the next search."""
    temporary = folder / f"{TEMPORARY_PREFIX}{os.getpid()}"
    try:
        table.checksum = _write_vectors(temporary, kind)
        temporary.replace(folder / _vectors_name(table))
        payload = _table_bytes(table)
        temporary.write_bytes(xxhash.xxh3_128_digest(payload) + payload)
        temporary.replace(folder / TABLE_NAME)
        for other in folder.glob("index-*"):
            if other.name != _vectors_name(table):
                other.unlink(missing_ok=True)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        return False
    return True


def _vectors_name(table: Table) -> str:
    return f"index-{table.checksum[:NAME_DIGITS]}{KINDS[table.kind].suffix}"


def _write_vectors(path: Path, kind: Kind) -> str:
    hasher = xxhash.xxh3_128()
    with path.open("wb") as stream:

        def write(data: Any) -> int:
            hasher.update(data)
            return stream.write(data)

        kind.write(write)
    return hasher.hexdigest()


def _table_bytes(table: Table) -> bytes:
    about = {
        "format": FORMAT,
        "fingerprint": table.fingerprint,
        "checksum": table.checksum,
        "demand": asdict(table.demand),
        "kind": table.kind,
        "measured": asdict(table.measured),
    }
    stream = io.BytesIO()
    np.savez(
        stream,
        about=np.frombuffer(json.dumps(about).encode(), np.uint8),
        contents=table.slots.contents,
        of_row=table.slots.of_row,
    )
    return stream.getvalue()
