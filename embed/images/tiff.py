"""What the directories of a TIFF say: whether it is whole, whether it is a raw photograph, how its values are meant.

Photographs of most cameras that store what the sensor saw are TIFFs too, in which only a small picture can be seen.
"""

from collections.abc import Iterator
from itertools import repeat

from embed.errors import ImageError

_BITS, _COMPRESSION, _MEANING, _CHANNELS, _PLANES = 258, 259, 262, 277, 284
_SEPARATE = 2  # planes: each channel is stored for itself
_MOST_PLANES = 4
_NUMBERS, _UNSIGNED, _SIGNED = 339, 1, 2  # what values are
_MISREAD = {(_SIGNED, 8): "i1", (_SIGNED, 16): "i2", (_UNSIGNED, 32): "u4"}
_MOST, _MOST_OF_EACH = 281, 341  # the highest value that a sample may have
_SUBDIRECTORIES, _DNG_VERSION = 330, 50706
_SENSOR = frozenset(
    (32803, 34892)
)  # values of `_MEANING`: what a sensor saw, behind a filter of colours or not
_WHITE_IS_ZERO = 0
_MOST_SUBDIRECTORIES = 16

# Bytes of a value of each type of integers.
_WIDTHS = {1: 1, 3: 2, 4: 4, 8: 2, 9: 4, 13: 4, 16: 8, 17: 8, 18: 8}
_PIXELS = ((273, 279), (324, 325))  # the tags of where strips and tiles begin and how long they are


class Directory:
    """One directory of a TIFF; its values are read when they are asked for.

    Parameters
    ----------
    data : bytes
        The file.
    begin : int, optional
        Where the directory is; by default the first one.

    Attributes
    ----------
    order : {"L", "B"}
        Whether the low or the high byte of a number comes first.

    Raises
    ------
    ImageError
        It is not in the file.
    """

    def __init__(self, data: bytes, begin: int | None = None) -> None:
        self._data = data
        self.order = "L" if data[:2] == b"II" else "B"
        word, entry, count = (8, 20, 8) if 43 in data[2:4] else (4, 12, 2)  # BigTIFF or not
        if begin is None:
            begin = self._number(word, word)
        entries = begin + count
        end = entries + self._number(begin, count) * entry
        if not begin or end > len(data):
            raise ImageError("truncated TIFF")
        # Of each tag: where its values are, how wide, how many.
        self._fields: dict[int, tuple[int, int, int]] = {}
        for here in range(entries, end, entry):
            width, length = _WIDTHS.get(self._number(here + 2, 2)), self._number(here + 4, word)
            if width is None:
                continue
            value = here + entry - word
            where = value if width * length <= word else self._number(value, word)
            self._fields[self._number(here, 2)] = (where, width, length)

    @property
    def compression(self) -> int:
        """How the pixels are packed; 1 is not at all."""
        return self.value(_COMPRESSION, 1)

    @property
    def is_planar_and_deep(self) -> bool:
        """Whether each of several channels is stored for itself, in 16 bits."""
        return self.value(_PLANES) == _SEPARATE and self.value(_CHANNELS) > 1 and self.value(_BITS) == 16

    @property
    def is_negative(self) -> bool:
        """Whether white is the lowest value."""
        return self.value(_MEANING, _WHITE_IS_ZERO) == _WHITE_IS_ZERO

    @property
    def is_beyond_pillow(self) -> bool:
        """Whether Pillow would call it damaged: a BigTIFF whose numbers begin with the high byte, many channels in planes."""
        many = self.value(_PLANES) == _SEPARATE and self.value(_CHANNELS) > _MOST_PLANES
        return many or self._data[:4] == b"MM\0\x2b"

    @property
    def misread_as(self) -> str | None:
        """The type of the values, as NumPy writes it, where Pillow takes them for others."""
        return _MISREAD.get((self.value(_NUMBERS, _UNSIGNED), self.value(_BITS, 1)))

    @property
    def white(self) -> int | None:
        """The highest value that a sample may have; None where it says no more than the size of the values."""
        bits = self.value(_BITS, 1)
        told = self.value(_MOST_OF_EACH) or self.value(_MOST)
        if 0 < told < 1 << bits:
            return told
        return (1 << bits) - 1 if 8 < bits < 16 else None

    def __contains__(self, tag: int) -> bool:
        return tag in self._fields

    def values(self, tag: int) -> Iterator[int]:
        """Return the numbers of a tag, none where it is missing. Raises ImageError where they are not in the file."""
        where, width, length = self._fields.get(tag, (0, 1, 0))
        if where + width * length > len(self._data):
            raise ImageError("truncated TIFF")
        return map(self._number, range(where, where + width * length, width), repeat(width))

    def value(self, tag: int, otherwise: int = 0) -> int:
        """Return the first number of a tag."""
        return next(self.values(tag), otherwise)

    def check(self) -> None:
        """Raise ImageError where what the directory points to does not lie within the file."""
        self.values(_BITS)
        for starts, sizes in _PIXELS:
            ends = map(sum, zip(self.values(starts), self.values(sizes), strict=False))
            if max(ends, default=0) > len(self._data):
                raise ImageError("truncated TIFF")

    def below(self) -> Iterator["Directory"]:
        """Yield the directories that this one points to."""
        for begin, _ in zip(self.values(_SUBDIRECTORIES), range(_MOST_SUBDIRECTORIES), strict=False):
            yield Directory(self._data, begin)

    def _number(self, begin: int, size: int) -> int:
        return int.from_bytes(self._data[begin : begin + size], "little" if self.order == "L" else "big")


def check(data: bytes) -> None:
    """Raise ImageError where the first picture does not lie within the file."""
    Directory(data).check()


def check_all(data: bytes) -> None:
    """Raise ImageError where one of the pictures of a raw photograph does not lie within the file."""
    first = Directory(data)
    for directory in (first, *first.below()):
        directory.check()


def is_raw(data: bytes) -> bool:
    """Return whether a TIFF is what the sensor of a camera saw."""
    try:
        first = Directory(data)
        return (
            data[8:10] == b"CR"  # of Canon
            or _DNG_VERSION in first
            or any(one.value(_MEANING) in _SENSOR for one in (first, *first.below()))
        )
    except ImageError:
        return False
