"""What an archive holds, as it was listed: kept in memory for a few, and on the disk, so that none is listed twice.

A listing is kept in the user's cache folder (``EMBED_HOME``), as a sealed document, for the state in which the archive was.
"""

import base64
import hashlib
import os
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from embed import files
from embed.errors import CacheError, ImageError, InputError
from embed.files.documents import MOST_BYTES
from embed.files.home import kept
from embed.sources.beside import Beside
from embed.sources.blob import Blob, State, Window
from embed.sources.folder import named_as_image
from embed.sources.member import BrokenError, Format, Member

FORMAT_VERSION = 1
FOLDER = "listings"  # in the user's cache folder
RECENT = 8  # archives whose members are at hand
LONGEST_NAME = 4096  # bytes

NUMBERS = ("start", "span", "size", "packing", "checksum")


@dataclass
class Listing:
    """The photographs in an archive.

    Parameters
    ----------
    state : State
        Of the archive.
    members : dict of str to Member
        By name, a clean path within the archive.
    columns : dict of str to dict
        What lies beside a photograph says of it, by its name: column and value.
    refused : list of str
        Names that lead out of the archive.
    problem : str
        Why it could not be listed to its end; empty where it was.
    """

    state: State
    members: dict[str, Member] = field(default_factory=dict)
    columns: dict[str, Mapping[str, str]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    problem: str = ""


_recent: OrderedDict[str, Listing] = OrderedDict()
_lock = threading.Lock()
_locks: defaultdict[str, threading.Lock] = defaultdict(
    threading.Lock
)  # of each archive: none is listed twice at once


def listed(blob: Blob, format: Format, stamp: int | None = None) -> Listing:
    """Return what an archive holds.

    Parameters
    ----------
    blob : Blob
    format : Format
    stamp : int, optional
        Of the state that is asked about; one that is known is not looked at again. By default, that of now.

    Raises
    ------
    InputError
        There is no such archive, it cannot be read, or is none.
    """
    key = str(blob.address)
    with _lock:
        lock = _locks[key]
    with lock:
        found = _known(key, stamp)
        if found is None:
            state = blob.state()
            found = _known(key, state.stamp)
            if found is None or found.state != state:
                found = _list(blob, format, state)
                if not found.problem:
                    _keep(key, found)
    with _lock:
        _recent[key] = found
        _recent.move_to_end(key)
        while len(_recent) > RECENT:
            _recent.popitem(last=False)
    return found


def _known(key: str, stamp: int | None) -> Listing | None:
    if stamp is None:
        return None
    with _lock:
        found = _recent.get(key)
    if found is None or found.state.stamp != stamp:
        found = _read(key)
    return found if found is not None and found.state.stamp == stamp else None


def _list(blob: Blob, format: Format, state: State) -> Listing:
    found = Listing(state)
    beside = Beside()
    window = Window(blob, state)
    rows: list[str | None] = []  # names in the order of the members
    try:
        for member in format.members(window):
            name = clean(member.name)
            rows.append(name or None)
            is_image = format.pictures_only or named_as_image(os.fsencode(member.name))
            if not name:
                found.refused += [member.name[:LONGEST_NAME]] if is_image else []
                continue
            member.name = name
            if is_image:
                found.members[name] = member
            elif beside.wants(name, member.size) and not member.problem:
                beside.put(name, format.peek(window, member))
        said = format.columns(window)
    except (BrokenError, ImageError) as error:
        if not rows:
            raise InputError(f"{blob.address} {error}.") from error
        found.problem, said = str(error), None
    found.columns = beside.of(found.members)
    for column, values in (said or {}).items():
        for row, value in zip(rows, values, strict=True):
            if row is not None and value:
                found.columns.setdefault(row, {})[column] = value  # type: ignore[index]
    return found


def clean(name: str) -> str:
    """Return the name of a member as a path within its archive; empty where it leads out of it, or is none."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in name or len(name) > LONGEST_NAME:
        return ""
    return "/".join(parts)


def _place(key: str) -> tuple[Path, str]:
    digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
    return kept(FOLDER), f"{digest[:32]}.json"


def _keep(key: str, found: Listing) -> None:
    """Keep a listing; where that cannot be, the archive is listed again."""
    members = list(found.members.values())
    numbers = np.array([[getattr(one, name) for name in NUMBERS] for one in members], np.int64)
    keys = sorted({column for one in found.columns.values() for column in one})
    document: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "address": key,
        "size": found.state.size,
        "stamp": found.state.stamp,
        "names": [one.name for one in members],
        "numbers": base64.b64encode(numbers.tobytes()).decode(),
        "refused": found.refused,
        "problems": {one.name: one.problem for one in members if one.problem},
        "columns": {name: [found.columns.get(one.name, {}).get(name) for one in members] for name in keys},
    }
    folder, name = _place(key)
    with suppress(CacheError, OSError):
        if len(data := files.seal(document)) <= MOST_BYTES:
            files.make_folder(folder, closed=True)
            files.replace(folder, name, data, durable=False, closed=True)


def _read(key: str) -> Listing | None:
    """Return a listing that was kept; None where there is none, or none that can be believed."""
    folder, name = _place(key)
    try:
        document = files.read_document(folder / name)
        if document["format_version"] != FORMAT_VERSION or document["address"] != key:
            return None
        names, problems = document["names"], document["problems"]
        numbers = np.frombuffer(base64.b64decode(document["numbers"]), np.int64).reshape(
            len(names), len(NUMBERS)
        )
        found = Listing(State(int(document["size"]), int(document["stamp"])))
        found.refused = [str(one) for one in document["refused"]]
        for one, row in zip(names, numbers.tolist(), strict=True):
            start, span, size, packing, checksum = row
            found.members[one] = Member(str(one), start, span, size, packing, checksum)
            found.members[one].problem = str(problems.get(one, ""))
        for column, values in document["columns"].items():
            for one, value in zip(names, values, strict=True):
                if value is not None:
                    found.columns.setdefault(one, {})[column] = str(value)  # type: ignore[index]
    except (OSError, CacheError, KeyError, TypeError, ValueError, AttributeError):
        return None
    return found
