"""Whether a JPEG is whole.

libjpeg makes up what is missing: where the data end early it fills the rest of the picture with grey and says so
only in a warning that Pillow drops. Three things are looked at here instead. The markers must lead to the end
marker; the scans must bring every coefficient to its last bit; and for a picture in one scan, as nearly all
photographs are, the decoder is watched: a few bytes that mean nothing are put before the end marker, and a decoder
that needs them did not find the whole picture, one that leaves much before them lost its way.

The end marker itself is missing from files of some programs. Such a file is whole when the same picture comes out
whatever is put behind it.
"""

import io
import re
from typing import NamedTuple

from embed.errors import ImageError

# Within the data of a scan 0xFF is followed by 0x00, by a restart marker or by more 0xFF. 0x01 and 0xD8 mean nothing there.
_MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd8]")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_END, _SCAN, _RESTART_INTERVAL = 0xD9, 0xDA, 0xDD
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HIERARCHICAL = frozenset((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF))  # no decoder knows them
_SEQUENTIAL = frozenset((0xC0, 0xC1))
_PROGRESSIVE = frozenset((0xC2, 0xCA))
_ALL = (1 << 64) - 1  # a bit for each of the 64 coefficients of a block

# No Huffman code is all ones, so a decoder that runs on into these gets nowhere. Up to 8 bytes are read ahead.
FILLER = b"\xff\x00" * 12
OTHER_FILLERS = (bytes(4096), b"\x9d\x35\xca" * 1366)  # codes of every table
_READ_AHEAD = 16  # bytes of the filler, two for each one that the decoder sees
_WATCHED = 64  # bytes before the end that are given out one at a time
# Some cameras pad the data of the scan; anything else in front of the end marker is lost picture.
_PADDING = re.compile(rb"(.)\1*\Z", re.DOTALL)


class Structure(NamedTuple):
    """What the markers of a JPEG say."""

    scans: int
    data: tuple[int, int]  # where the data of the last scan begin and end
    watchable: bool  # one scan of Huffman codes: all of the picture is in its data, to the last byte
    ended: bool  # by an end marker


def structure(data: bytes) -> Structure:
    """Return the structure of a JPEG. Raises ImageError when it is cut short or inconsistent."""
    position, interval, scans, begin = 2, 0, 0, 0
    frame = 0
    missing: dict[int, int] = {}  # of each component: a bit for every coefficient that is not yet complete
    while True:
        marker = _MARKER.search(data, position)
        if marker is None and not begin:
            raise ImageError("truncated JPEG")
        end = len(data.rstrip(b"\xff")) if marker is None else marker.start()
        if begin and scans and interval:
            _check_restarts(data[begin:end])
        if marker is None or (kind := data[marker.end() - 1]) == _END:
            break
        position = marker.end()
        length = int.from_bytes(data[position : position + 2], "big")
        if position + length > len(data):
            raise ImageError("truncated JPEG")
        body = data[position + 2 : position + length]
        position += max(length, 2)
        begin = 0
        if kind in _FRAMES and len(body) >= 6 and not missing:
            if kind in _HIERARCHICAL:
                raise ImageError("is a JPEG of a kind that cannot be decoded")
            frame = kind
            missing = dict.fromkeys(body[6::3][: body[5]], _ALL)
        elif kind == _RESTART_INTERVAL:
            interval = int.from_bytes(body[:2], "big")
        elif kind == _SCAN and body:
            scans, begin = scans + 1, position
            _strike_out(missing, body, frame in _PROGRESSIVE)
    if not scans:
        raise ImageError("damaged JPEG: no picture in it")
    if any(missing.values()):
        raise ImageError("truncated JPEG: its last scans are missing")
    return Structure(scans, (begin, end), scans == 1 and frame in _SEQUENTIAL, marker is not None)


def with_end(data: bytes, structure: Structure, filler: bytes) -> bytes:
    """Return a JPEG that has an end marker, and data of our own in front of it."""
    end = structure.data[1]
    return b"".join((data[:end], filler, data[end:] if structure.ended else b"\xff\xd9"))


def _strike_out(missing: dict[int, int], scan: bytes, progressive: bool) -> None:
    """Take the coefficients that a scan brings to their last bit from those that are missing."""
    count = scan[0]
    complete = _ALL
    if progressive:
        first, last, bits = (*scan[1 + 2 * count : 4 + 2 * count], 0, 0, 0)[:3]
        complete = 0 if bits & 15 else _ALL >> (63 - min(last, 63)) & _ALL << first
    for component in scan[1 : 1 + 2 * count : 2]:
        missing[component] = missing.get(component, 0) & ~complete


def _check_restarts(scan: bytes) -> None:
    """Restart markers count from 0 to 7 and over again; one that is missing took a strip of the picture along."""
    for number, marker in enumerate(_RESTART.finditer(scan)):
        if scan[marker.end() - 1] - 0xD0 != number % 8:
            raise ImageError("damaged JPEG: a strip of the picture is missing")


class WatchedStream(io.BytesIO):
    """The bytes of a JPEG in one scan, and how far into the end of them the decoder had to read."""

    def __init__(self, data: bytes, structure: Structure) -> None:
        self._begin, self._end = structure.data
        self._scan_tail = data[self._begin : self._end][-_WATCHED:]
        super().__init__(with_end(data, structure, FILLER))

    def read(self, size: int | None = -1) -> bytes:
        """Return what is asked for, but near the end of the scan one byte at a time."""
        here = self.tell()
        watched = max(self._begin, self._end - _WATCHED)
        if size is None or size < 0 or here + size > watched >= self._begin:
            size = watched - here if here < watched else 1
        return super().read(size)

    def check(self) -> None:
        """Raise ImageError when the decoded picture does not end where its data do."""
        behind = self.tell() - self._end
        if behind > _READ_AHEAD:
            raise ImageError("damaged JPEG: data of the picture are missing")
        if behind < 0 and not _PADDING.fullmatch(self._scan_tail[behind:]):
            raise ImageError("damaged JPEG: the data of the picture are garbled")
