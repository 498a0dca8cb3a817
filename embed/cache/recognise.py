"""Whether a folder holds the photographs of a feature set."""

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from embed.cache.listing import list_parts
from embed.cache.meta import Meta
from embed.cache.parts import Part
from embed.cache.replay import Replay

SAMPLE_ROWS = 64  # looked for in a folder before all are
HASHED = 8  # of them, the smallest, whose contents are compared where time stamps differ


@dataclass(frozen=True)
class Presence:
    """How many of some photographs are in a folder, in the same size.

    Parameters
    ----------
    there, missing, unknown : int
        Of the last it could not be told: the disk did not answer.
    """

    there: int = 0
    missing: int = 0
    unknown: int = 0

    @property
    def rows(self) -> int:
        """How many there are in all."""
        return self.there + self.missing + self.unknown

    @property
    def share(self) -> float | None:
        """Share that is there; None where nothing could be told."""
        told = self.there + self.missing
        return self.there / told if told else None

    @property
    def whole(self) -> bool:
        """Whether all of them are there, and there are any."""
        return bool(self.there) and not self.missing and not self.unknown


@dataclass(frozen=True)
class _Known:
    key: bytes
    size: int
    mtime_ns: int
    sha256: bytes


class Photographs:
    """The photographs of a feature set, to be looked for in a folder.

    Parameters
    ----------
    folder : Path
        Of the feature set.
    meta : Meta

    Raises
    ------
    CacheError
        The set cannot be read; so do the methods.
    """

    def __init__(self, folder: Path, meta: Meta) -> None:
        self._parts: list[Part] = list_parts(folder, meta).parts
        self._replay = Replay(self._parts)

    def __len__(self) -> int:
        return len(self._replay)

    def sampled(self, root: Path | str) -> Presence:
        """Look for some of them."""
        return _look(root, ((one.key, one.size) for one in self._sample))

    def all(self, root: Path | str) -> Presence:
        """Look for every one of them."""
        sizes = self._replay.column("size", np.empty(0, np.int64)).tolist()
        return _look(root, zip(self._replay.keys(), sizes, strict=True))

    def same_contents(self, root: Path | str) -> Presence:
        """Compare what those of the sample that are there hold with what they held, by time stamp or sha256."""
        there = missing = unknown = hashed = 0
        for one in sorted(self._sample, key=lambda one: one.size):
            file = os.path.join(os.fsencode(root), one.key)
            try:
                status = os.stat(file)
                if not stat.S_ISREG(status.st_mode) or status.st_size != one.size:
                    continue
                same = status.st_mtime_ns == one.mtime_ns
                if not same:
                    hashed += 1
                    if hashed > HASHED:
                        continue
                    same = _sha256(file) == one.sha256
                there, missing = there + same, missing + (not same)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:
                unknown += 1
        return Presence(there, missing, unknown)

    @cached_property
    def _sample(self) -> list[_Known]:
        n = len(self)
        rows = np.unique(np.linspace(0, n - 1, min(SAMPLE_ROWS, n)).astype(np.int64))
        part_of, within = self._replay.place(rows)
        sample = []
        for part, row in zip(part_of.tolist(), within.tolist(), strict=True):
            columns = self._parts[part].columns
            key, sha256 = self._parts[part].path_of(row), columns["sha256"].read_row(row)[0].tobytes()
            size, mtime_ns = (int(columns[name].read_row(row)[0]) for name in ("size", "mtime_ns"))
            sample.append(_Known(key, size, mtime_ns, sha256))
        return sample


def _look(root: Path | str, photographs: Iterable[tuple[bytes, int]]) -> Presence:
    top = os.fsencode(root)
    there = missing = unknown = 0
    for key, size in photographs:
        try:
            status = os.stat(os.path.join(top, key))
            same = stat.S_ISREG(status.st_mode) and status.st_size == size
            there, missing = there + same, missing + (not same)
        except (FileNotFoundError, NotADirectoryError):
            missing += 1
        except OSError:
            unknown += 1
    return Presence(there, missing, unknown)


def _sha256(file: bytes) -> bytes:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()
