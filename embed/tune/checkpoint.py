"""The state of a training after an epoch, on disk: whole, or that of the epoch before."""

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed import files
from embed.errors import CacheError

MOST_BYTES = 64 << 30
GROUPS = ("weights", "optimizer", "best")

Arrays = list[NDArray[Any]]


@dataclass
class State:
    """What a training goes on from.

    Parameters
    ----------
    threads : int
        With which sums are shared out: another number gives other last bits.
    history : list of dict
        Loss and accuracy of every epoch that is done.
    best_epoch : int
        That of the lowest validation loss so far; 0 before the first.
    weights, optimizer : list of ndarray
        As they are now; none before the first epoch.
    best : list of ndarray
        The weights of the best epoch.
    """

    threads: int
    history: list[dict[str, Any]]
    best_epoch: int
    weights: Arrays
    optimizer: Arrays
    best: Arrays


def write(file: Path, state: State) -> None:
    """Put the state of a training in place: the former or this one after a crash.

    Raises
    ------
    CacheWriteError
        The disk refused.
    """
    about = {"threads": state.threads, "history": state.history, "best_epoch": state.best_epoch}
    arrays = {"about": np.frombuffer(json.dumps(about).encode(), np.uint8)}
    for group in GROUPS:
        arrays |= {f"{group}_{i}": array for i, array in enumerate(getattr(state, group))}
    packed = io.BytesIO()
    np.savez(packed, **arrays)  # type: ignore[arg-type]
    files.replace(file.parent, file.name, packed.getvalue(), closed=True)


def read(file: Path, boundary: files.Boundary | None = None) -> State | None:
    """Return the state that was kept; None where there is none, or none that is whole: the training begins anew then."""
    try:
        packed = files.read_bytes(file, MOST_BYTES, boundary)
        with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:  # the archive has a checksum of each
            about = json.loads(arrays["about"].tobytes())
            groups = {
                group: [arrays[f"{group}_{i}"] for i in range(sum(n.startswith(f"{group}_") for n in arrays))]
                for group in GROUPS
            }
            return State(about["threads"], about["history"], about["best_epoch"], **groups)
    except (FileNotFoundError, CacheError, zipfile.BadZipFile, ValueError, KeyError, TypeError, EOFError):
        return None
