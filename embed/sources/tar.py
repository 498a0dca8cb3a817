"""Tar archives: found by their headers alone, and read from the middle.

The headers are those of `tarfile`; the walk from one to the next is our own, for it has to end, within bounds, whatever a
stranger wrote: every step goes forward, and no header is longer than a name can be.
"""

import tarfile
from collections.abc import Iterator, Mapping, Sequence

from embed.sources import file
from embed.sources.blob import Blob, State, Window
from embed.sources.member import BrokenError, Member
from embed.sources.spans import read_spans

BLOCK = 512
MOST_HEADER = 1 << 20  # bytes of what is said of one member beside its header: its long name
LONG_NAMES = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
PAX = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
SPARSE_GOES_ON = 482, 504  # where a header, and a further block of it, say whether another block follows
COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")

SPARSE = "is a sparse file in the archive"


class Tar:
    """Plain tar: ustar, pax and GNU."""

    pictures_only = False

    def members(self, window: Window) -> Iterator[Member]:
        """Yield each file. Raises BrokenError, ImageError."""
        position, total = 0, window.state.size
        name, size, sparse = None, None, False
        while position < total:
            head = window.at(position, BLOCK)
            if not head.strip(b"\0") and len(head) == BLOCK:
                return  # the end
            info = _header(head, position)
            start = position + BLOCK
            if info.type in (*LONG_NAMES, *PAX):
                if info.size > MOST_HEADER:
                    raise BrokenError(f"has a header of {info.size:,} bytes at byte {position:,}")
                said = window.at(start, info.size)
                if len(said) < info.size:
                    raise BrokenError(f"is cut short at byte {total:,}")
                if info.type == tarfile.GNUTYPE_LONGNAME:
                    name = _text(said.partition(b"\0")[0])
                elif info.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
                    records = _records(said)
                    name = _text(records[b"path"]) if b"path" in records else name
                    size = _number(records[b"size"], position) if b"size" in records else size
                    sparse = sparse or any(key.startswith(b"GNU.sparse.") for key in records)
                position = start + _blocks(info.size)
                continue
            length = info.size if size is None else size
            goes_on = info.type == tarfile.GNUTYPE_SPARSE and head[SPARSE_GOES_ON[0]]
            while goes_on:
                more = window.at(start, BLOCK)
                goes_on = len(more) == BLOCK and more[SPARSE_GOES_ON[1]]
                start += BLOCK
            holds = info.isreg() or info.type not in tarfile.SUPPORTED_TYPES
            if info.isreg():
                member = Member(info.name if name is None else name, start, length, length)
                if sparse or info.type == tarfile.GNUTYPE_SPARSE:
                    member.problem = SPARSE
                elif length > file.MAX_BYTES:
                    member.problem = file.too_large(length)
                elif start + length > total:
                    member.problem = "is cut short"
                yield member
            position = start + (_blocks(length) if holds else 0)
            name, size, sparse = None, None, False
        if position > total:
            raise BrokenError(f"is cut short at byte {total:,}")

    def contents(self, blob: Blob, state: State, members: Sequence[Member]) -> Iterator[bytes | str]:
        """Yield the bytes of each member. Raises ImageError."""
        yield from read_spans(blob, state, members)

    def peek(self, window: Window, member: Member) -> bytes | str:
        """Return the bytes of a small member. Raises ImageError."""
        return window.at(member.start, member.span)

    def columns(self, window: Window) -> Mapping[str, Sequence[str]] | None:
        """Return None: what is said of photographs lies in files beside them."""
        return None


def _header(head: bytes, position: int) -> tarfile.TarInfo:
    if position == 0 and head.startswith(COMPRESSED):
        raise BrokenError("is compressed, and cannot be read from the middle; unpack it to a plain tar first")
    try:
        info = tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError, OverflowError) as error:
        if position == 0:
            raise BrokenError("is no tar archive") from error
        raise BrokenError(f"is damaged: there is no header at byte {position:,}") from error
    if info.size < 0:
        raise BrokenError(f"is damaged: a member has a size of {info.size} at byte {position:,}")
    return info


def _blocks(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _number(digits: bytes, position: int) -> int:
    if not digits.isdigit() or len(digits) > 20:
        raise BrokenError(f"is damaged: a member has a size of {digits[:20]!r} at byte {position:,}")
    return int(digits)


def _records(data: bytes) -> dict[bytes, bytes]:
    """Return the records of a pax header, each ``LENGTH KEY=VALUE\\n``; the rest of a damaged one is left out."""
    found = {}
    position = 0
    while position < len(data):
        digits, blank, _ = data[position : position + 21].partition(b" ")
        if not blank or not digits.isdigit() or int(digits) <= len(digits) + 1:
            break
        record = data[position + len(digits) + 1 : position + int(digits)]
        key, _, value = record.removesuffix(b"\n").partition(b"=")
        found[key] = value
        position += int(digits)
    return found
