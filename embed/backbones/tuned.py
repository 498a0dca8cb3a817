"""What tuned weights say of themselves: which weights they come from, and on which photographs they were tuned.

Features of a photograph that the network was tuned on have seen its label, so whoever judges by them has to know. The file of
the weights therefore says it itself: behind the HDF5 file, which HDF5 ignores, stand a sealed document, its length as a little-endian 64-bit
number, and eight bytes.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed import files
from embed.errors import CacheDamagedError, WeightsError

MAGIC = b"embed-tn"
FORMAT_VERSION = 1
END_BYTES = 8 + len(MAGIC)
MOST_BYTES = 1 << 30  # of the document
SHA256_BYTES = 32


@dataclass(frozen=True, eq=False)
class Tuning:
    """How weights were tuned.

    Parameters
    ----------
    tuned_from : str
        Hexadecimal sha256 of the weights that it began with.
    contents : ndarray of shape (n, 32), uint8
        The sha256 of each photograph whose label it has seen, each once, ascending.
    about : dict
        What else is told: the cut, the options, the learning curve.
    """

    tuned_from: str
    contents: NDArray[np.uint8]
    about: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "format_version": FORMAT_VERSION,
            "tuned_from": self.tuned_from,
            **self.about,
            "contents": self.contents.tobytes().hex(),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Tuning":
        """Return what `to_json` described. Raises ValueError, KeyError or TypeError where it describes nothing."""
        about = dict(document)
        if about.pop("format_version") != FORMAT_VERSION:
            raise ValueError("of another version")
        tuned_from, contents = about.pop("tuned_from"), bytes.fromhex(about.pop("contents"))
        if len(bytes.fromhex(tuned_from)) != SHA256_BYTES:
            raise ValueError("no sha256")
        rows = np.frombuffer(contents, np.uint8).reshape(-1, SHA256_BYTES)
        return cls(tuned_from, rows, about)


def append(file: Path, tuning: Tuning) -> None:
    """Put what is to be told of weights behind them, durably."""
    document = files.seal(tuning.to_json())
    with file.open("ab") as stream:
        stream.write(document + len(document).to_bytes(8, "little") + MAGIC)
        stream.flush()
        os.fsync(stream.fileno())


def read(file: Path) -> Tuning | None:
    """Return what weights say of how they were tuned; None where they say nothing.

    Raises
    ------
    WeightsError
        What they say is damaged.
    OSError
        They cannot be read.
    """
    with file.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        if size < END_BYTES:
            return None
        stream.seek(size - END_BYTES)
        end = stream.read(END_BYTES)
        if end[8:] != MAGIC:
            return None
        length = int.from_bytes(end[:8], "little")
        problem = "its length cannot be"
        if length <= min(size - END_BYTES, MOST_BYTES):
            stream.seek(size - END_BYTES - length)
            try:
                return Tuning.from_json(files.unseal(stream.read(length), file))
            except (CacheDamagedError, KeyError, TypeError, ValueError) as error:
                problem = str(error)
    raise WeightsError(
        f"The tuned weights {file} do not say any more what they were tuned on ({problem}): tune them again."
    )
