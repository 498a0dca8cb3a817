"""What goes to the workers, and what comes back."""

import marshal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.cache import Meta, Receipt
from embed.errors import EmbedError
from embed.extract import RunOptions, pipeline
from embed.sources import Item, Source


@dataclass(frozen=True)
class Job:
    """What all blocks of an extraction have in common.

    Parameters
    ----------
    source : Source
        Where the photographs are read from.
    folder : Path
        Of the feature set.
    meta : Meta
        What the set is.
    recipe_hash : str
    network : dict
        As `ResolvedNetwork.to_json` describes it, with an absolute path where the weights are a file.
    run : RunOptions
    known : ndarray of shape (n,), uint64
        First eight bytes of the contents that need not be computed, ascending.
    """

    source: Source
    folder: Path
    meta: Meta
    recipe_hash: str
    network: dict[str, Any]
    run: RunOptions
    known: NDArray[np.uint64]

    def knows(self, sha256: bytes) -> bool:
        """Return whether a content need not be computed, as far as eight bytes tell."""
        start = np.frombuffer(sha256, np.uint64, 1)[0]
        place = int(np.searchsorted(self.known, start))
        return place < len(self.known) and self.known[place] == start


@dataclass(frozen=True)
class Block:
    """Photographs that a worker computes, packed: some sixty bytes for one.

    Parameters
    ----------
    packed : bytes
    photographs : int
    deaths : int
        Workers that ended on it.
    anew : bool
        Whether every photograph is computed, whatever is known.
    """

    packed: bytes
    photographs: int
    deaths: int = 0
    anew: bool = False

    @classmethod
    def of(cls, groups: Sequence[Sequence[Item]], *, deaths: int = 0, anew: bool = False) -> "Block":
        """Pack groups of photographs, each of those that are read one after another."""
        columns = [[[item.name, item.size, item.stamp] for item in group] for group in groups]
        return cls(marshal.dumps(columns), sum(map(len, groups)), deaths, anew)

    def groups(self) -> list[list[Item]]:
        """Return the photographs in their groups."""
        return [[Item(*fields) for fields in group] for group in marshal.loads(self.packed)]

    def items(self) -> Iterator[Item]:
        """Yield each photograph."""
        return chain.from_iterable(self.groups())

    def halves(self) -> "tuple[Block, Block]":
        """Return the first half of the photographs, and the second."""
        groups = self.groups()
        if len(groups) == 1:
            (group,) = groups
            groups = [group[: len(group) // 2], group[len(group) // 2 :]]
        middle = len(groups) // 2
        first, second = (
            Block.of(part, deaths=self.deaths, anew=self.anew) for part in (groups[:middle], groups[middle:])
        )
        return first, second


@dataclass(frozen=True)
class Reply:
    """What became of a block.

    Parameters
    ----------
    receipt : Receipt or None
        Of the part with the features; None where nothing was computed.
    others : list of Result
        Photographs without features: their content is known, or they failed.
    seconds : float
        That it took.
    timing : Timing
        Where the time went.
    error : EmbedError or None
        Why nothing was handed over.
    """

    receipt: Receipt | None = None
    others: list[pipeline.Result] = field(default_factory=list)
    seconds: float = 0.0
    timing: pipeline.Timing = field(default_factory=pipeline.Timing)
    error: EmbedError | None = None


@dataclass(frozen=True)
class Question:
    """What a node is asked before it is given work.

    Parameters
    ----------
    file : str
        Name of a file in the folder of the set, which the driver has written and holds the lock of.
    text : bytes
        What is in it.
    item : Item
        A photograph.
    """

    file: str
    text: bytes
    item: Item


@dataclass(frozen=True)
class Answer:
    """What a node says.

    Parameters
    ----------
    version : str
        Of embed.
    libraries : dict of str to str
        Versions of what computes features.
    processor : str
    file : str
        Temporary name of a file in the folder of the set, which the node has written with the same text.
    sha256 : bytes
        Of the photograph; empty where it could not be read.
    unread : str
        Why it could not be read.
    problem : str
        Why the node cannot take part, as a clause about it; empty where it can.
    """

    version: str
    libraries: dict[str, str] = field(default_factory=dict)
    processor: str = ""
    file: str = ""
    sha256: bytes = b""
    unread: str = ""
    problem: str = ""
