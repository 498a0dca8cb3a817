"""Which photographs were compared by their pixels, and what was found: kept beside the features, so that none is twice.

``compared.bin``, a derived file: a line of JSON with ``format_version``, ``method`` (of the comparison) and ``pairs``, their
number; for each pair eight bytes that stand for its two contents, ascending; a byte for each, 1 where they are one picture; and
the xxh3-64 of all that precedes it.
"""

import json
from contextlib import suppress

import numpy as np
import xxhash
from numpy.typing import NDArray

from embed import files
from embed.cache import FeatureCache
from embed.errors import CacheError, UntrustedError
from embed.files import Boundary

NAME = "compared.bin"
FORMAT_VERSION = 1
MOST_PAIRS = 1 << 24
MOST_BYTES = MOST_PAIRS * 9 + 1024
_MIX = np.uint64(0x9E3779B97F4A7C15)


def keys(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return what stands for pairs of contents, uint8 (n, 32) each, in whatever order."""
    a, b = (np.ascontiguousarray(one[:, :8]).view(np.uint64)[:, 0] for one in (first, second))
    return np.minimum(a, b) * _MIX ^ np.maximum(a, b)


class Verdicts:
    """What was found of pairs of contents by one method of comparison.

    Parameters
    ----------
    features : FeatureCache
        Beside which it is kept.
    method : int
        Another one has compared otherwise: what it found is forgotten.
    """

    def __init__(self, features: FeatureCache, method: int) -> None:
        self._folder = features.folder
        self._method = method
        self._keys, self._same = self._read()

    def find(self, pairs: NDArray[np.uint64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which pairs were compared, and which of those are one picture."""
        if not len(self._keys):
            return np.zeros(len(pairs), bool), np.zeros(len(pairs), bool)
        place = np.minimum(np.searchsorted(self._keys, pairs), len(self._keys) - 1)
        known = self._keys[place] == pairs
        return known, known & self._same[place]

    def add(self, pairs: NDArray[np.uint64], same: NDArray[np.bool_]) -> None:
        """Note what was found, and keep it; where the disk refuses it is found again the next time."""
        if not len(pairs):
            return
        every, first = np.unique(np.concatenate([pairs, self._keys]), return_index=True)
        found = np.concatenate([same, self._same])[first]
        if len(every) > MOST_PAIRS:  # what was compared before is compared again where it is asked
            every, first = np.unique(pairs[:MOST_PAIRS], return_index=True)
            found = same[first]
        self._keys, self._same = every, found
        head = {"format_version": FORMAT_VERSION, "method": self._method, "pairs": len(every)}
        data = (
            json.dumps(head).encode() + b"\n" + every.astype("<u8").tobytes() + found.astype("u1").tobytes()
        )
        with suppress(CacheError):
            files.replace(self._folder, NAME, data + xxhash.xxh3_64_digest(data), closed=True)

    def _read(self) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        nothing = np.empty(0, np.uint64), np.empty(0, bool)
        try:
            data = files.read_bytes(self._folder / NAME, MOST_BYTES, Boundary.of_set(self._folder))
        except FileNotFoundError:
            return nothing
        except UntrustedError as error:
            files.tell(str(error))
            return nothing
        except CacheError:
            return nothing
        head, _, body = data[:-8].partition(b"\n")
        expected = {"format_version": FORMAT_VERSION, "method": self._method, "pairs": len(body) // 9}
        with suppress(ValueError):
            if xxhash.xxh3_64_digest(data[:-8]) == data[-8:] and files.from_json(head) == expected:
                count = len(body) // 9
                return np.frombuffer(body, "<u8", count), np.frombuffer(body, np.uint8, count, count * 8) == 1
        return nothing
