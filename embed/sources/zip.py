"""Zip archives. What a stranger wrote unpacks to no more than it says, and no byte of it is unpacked twice."""

import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence

from embed.sources import file
from embed.sources.blob import Blob, State, Window
from embed.sources.member import BrokenError, Member
from embed.sources.spans import read_spans

ENCRYPTED = 1  # of the flags
LOCAL = struct.Struct(
    "<4s22xHH"
)  # what stands before the name of a member: its mark, the lengths of two fields
LOCAL_MARK = b"PK\x03\x04"
MOST_FIELDS = 2 * 0xFFFF
MOST_LISTED = 64 << 20  # bytes of the list of members, of which each takes ten times as many in memory
BOMB_BYTES, BOMB_RATIO = 16 << 20, 100  # no photograph of that size is packed to a hundredth
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

DAMAGED = "is damaged: it does not unpack to what was packed"


class Zip:
    """Zip, with 64-bit sizes too; stored or deflated."""

    pictures_only = False

    def members(self, window: Window) -> Iterator[Member]:
        """Yield each file. Raises BrokenError, ImageError."""
        window.most = MOST_LISTED
        try:
            with zipfile.ZipFile(window) as archive:
                infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
                end = archive.start_dir
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, OSError) as error:
            raise BrokenError(f"is no zip archive, or a damaged one: {error}".rstrip(". ")) from error
        ends = [*(info.header_offset for info in infos[1:]), end][: len(infos)]
        for info, after in zip(infos, ends, strict=True):
            span = after - info.header_offset
            if info.header_offset < 0 or span < LOCAL.size + info.compress_size:
                raise BrokenError("has members that lie over one another, as those of a zip bomb do")
            if info.is_dir():
                continue
            most = LOCAL.size + MOST_FIELDS + info.compress_size
            yield Member(
                info.filename,
                info.header_offset,
                min(span, most),
                info.file_size,
                info.compress_type,
                info.CRC,
                _problem(info),
            )

    def contents(self, blob: Blob, state: State, members: Sequence[Member]) -> Iterator[bytes | str]:
        """Yield the bytes of each member, unpacked. Raises ImageError."""
        for member, packed in zip(members, read_spans(blob, state, members), strict=True):
            yield packed if isinstance(packed, str) else _unpacked(packed, member)

    def peek(self, window: Window, member: Member) -> bytes | str:
        """Return the bytes of a small member, or why it has none. Raises ImageError."""
        return _unpacked(window.at(member.start, member.span), member)

    def columns(self, window: Window) -> Mapping[str, Sequence[str]] | None:
        """Return None: what is said of photographs lies in files beside them."""
        return None


def _problem(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & ENCRYPTED:
        return "is encrypted"
    if info.compress_type not in METHODS:
        return f"is packed in a way that is not read here (method {info.compress_type})"
    if info.file_size > file.MAX_BYTES:
        return file.too_large(info.file_size)
    if info.file_size > max(BOMB_BYTES, BOMB_RATIO * info.compress_size):
        return f"unpacks to more than {BOMB_RATIO} times its size, as a zip bomb does"
    return ""


def _unpacked(packed: bytes, member: Member) -> bytes | str:
    """Return the bytes of a member, or why they are not what was packed."""
    if len(packed) < LOCAL.size:
        return DAMAGED
    mark, name, extra = LOCAL.unpack_from(packed)
    body = memoryview(packed)[LOCAL.size + name + extra :]
    if mark != LOCAL_MARK:
        return DAMAGED
    try:
        if member.packing == zipfile.ZIP_DEFLATED:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(body, member.size + 1)
        else:
            data = bytes(body[: member.size])
    except (zlib.error, MemoryError):
        return DAMAGED
    return data if len(data) == member.size and zlib.crc32(data) == member.checksum else DAMAGED
