"""What the manifest of an index says of a segment, and where in its file each piece lies."""

import re
from dataclasses import dataclass
from typing import Any

from embed.search.kinds import KINDS

SUFFIX = ".segment"
CONTENT_BYTES = 32
NUMBER_BYTES = 8
MOST = 1 << 40  # of any number in a manifest
DIGEST = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class Entry:
    """What the manifest says of a segment."""

    kind: str
    vectors: int
    cells: int
    head_bytes: int
    code_bytes: int  # of a vector in a cell; 0 in a graph
    digest: str  # xxh3-128 of head and directory, hexadecimal; the name of the file

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Entry":
        """Return what a manifest says. Raises TypeError or ValueError where that cannot be."""
        entry = cls(**document)
        numbers = (entry.vectors, entry.cells, entry.head_bytes, entry.code_bytes)
        if entry.kind not in KINDS or not DIGEST.fullmatch(entry.digest):
            raise ValueError("no kind or no name of a segment")
        if not all(type(number) is int and 0 <= number <= MOST for number in numbers):
            raise ValueError("no number")
        if not 0 < entry.cells <= max(1, entry.vectors) or (entry.code_bytes > 0) == KINDS[entry.kind].graph:
            raise ValueError("more cells than vectors, or none")
        return entry

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.digest + SUFFIX

    @property
    def record_bytes(self) -> int:
        """Bytes of a vector among the cells."""
        return self.code_bytes + NUMBER_BYTES if self.code_bytes else 0

    @property
    def contents_start(self) -> int:
        """Where the contents begin."""
        return self.head_bytes + self.vectors * self.record_bytes

    @property
    def directory_start(self) -> int:
        """Where the directory begins."""
        return self.contents_start + self.vectors * CONTENT_BYTES

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.directory_start + 3 * 8 * self.cells
