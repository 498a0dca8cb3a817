"""How the photographs of an extraction are cut into blocks."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from embed.distributed.job import Block
from embed.sources import Item

BLOCK_BYTES = 128 << 20  # of features in a block, at most
BLOCK_S = 60.0  # that a block is to take: what is lost with a worker, and what the last one is waited for
FIRST = 64  # photographs in a block while nobody knows how fast they are computed
LEAST = 16
SHARES = 2  # blocks for each worker that what is left is cut into, so that all end at about the same time


class Pace:
    """How many photographs a block has: more as workers turn out to be fast, fewer towards the end.

    Parameters
    ----------
    row_bytes : int
        Of the features of a photograph.
    fixed : int, optional
        Photographs in every block, whatever is found.
    """

    def __init__(self, row_bytes: int, fixed: int | None = None) -> None:
        self._fixed = fixed
        self._most = max(1, BLOCK_BYTES // row_bytes)
        self._size = min(FIRST, self._most)

    def note(self, photographs: int, seconds: float) -> None:
        """Learn from a block that was computed."""
        if photographs >= self._size // 2:  # the time of a smaller one goes into its beginning
            fitting = int(photographs * BLOCK_S / max(seconds, 1e-3))
            self._size = max(1, min(2 * self._size, max(fitting, LEAST), self._most))

    def photographs(self, left: int | None, workers: int) -> int:
        """Return how many the next block may have.

        Parameters
        ----------
        left : int or None
            Photographs that are not done; None where that is not known.
        workers : int
        """
        if self._fixed is not None:
            return self._fixed
        if left is None:
            return self._size
        return min(self._size, max(LEAST, left // (SHARES * max(1, workers))))


def cut(
    groups: Iterable[Sequence[Item]], photographs: Callable[[], int], place: Callable[[str], str]
) -> Iterator[Block]:
    """Yield blocks of photographs, in order; none reaches from one place into another.

    Parameters
    ----------
    groups : iterable of sequences of Item
    photographs : callable
        Says how many the block may have that is being filled.
    place : callable
        Says of the name of a photograph in which place it lies: a shard is listed by one worker.
    """
    waiting: list[Sequence[Item]] = []
    count, here = 0, ""
    for group in groups:
        for there, some in groupby(group, lambda item: place(item.name)):
            together = list(some)
            if waiting and there != here:
                yield Block.of(waiting)
                waiting, count = [], 0
            waiting.append(together)
            count, here = count + len(together), there
            if count >= photographs():
                yield Block.of(waiting)
                waiting, count = [], 0
    if waiting:
        yield Block.of(waiting)


def places(prefixes: Sequence[str]) -> Callable[[str], str]:
    """Return what says in which of the places of a source a photograph lies, by its name; empty where there is but one."""
    known = frozenset(prefixes)

    def place(name: str) -> str:
        end = name.find("/") if known else -1
        while end >= 0 and name[:end] not in known:
            end = name.find("/", end + 1)
        return name[: max(end, 0)]

    return place
