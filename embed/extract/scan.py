"""Look for photographs in a thread of its own, so that the first are computed before the last is found."""

import marshal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from embed.errors import EmbedError, InputError
from embed.sources import Failed, Item, LeftOut, Listed, Source

AHEAD = 100_000  # items that wait for their turn at most
BLOCK = 250  # items that are handed over together, packed: some 60 bytes for one instead of 240

PATIENCE_S = 0.01  # until a block is taken although there is room in it
GIVEN_UP_S = 0.5  # until a search that waits for room looks whether it was given up


@dataclass(frozen=True, slots=True)
class Run:
    """Items that follow each other, by columns.

    Parameters
    ----------
    names : sequence of str
    sizes : sequence of int
    stamps : sequence of int or None
    """

    names: Sequence[str]
    sizes: Sequence[int]
    stamps: Sequence[int | None]

    def items(self) -> Iterator[Item]:
        """Yield each of them."""
        return map(Item, self.names, self.sizes, self.stamps)


Block = list[Run | Listed | Failed | LeftOut]
_KINDS = (Run, Listed, Failed, LeftOut)
_RUN = 0
_FIELDS = tuple(tuple(kind.__dataclass_fields__) for kind in _KINDS)


class Scan:
    """What a source tells, block by block, some way ahead of who asks; a context manager that ends the search.

    Attributes
    ----------
    source : Source
    total : int or None
        How many items there are, once the search has come to its end.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.total: int | None = None
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._packed: deque[bytes] = deque()
        self._open: list[
            list[Any]
        ] = []  # what is told and not packed yet: a number for its kind, and its fields
        self._told = 0  # how much that is
        self._ended = self._given_up = False
        self._error: BaseException | None = None
        self._before_first: list[Block] = []
        threading.Thread(target=self._run, name="scan", daemon=True).start()

    def __enter__(self) -> "Scan":
        return self

    def __exit__(self, *exception: object) -> None:
        """Tell the search to end. It is not waited for: it may be looking at a disk that does not answer."""
        self._given_up = True

    def wait_for_first(self) -> None:
        """Wait for the first item.

        Raises
        ------
        InputError
            There is none, or the source cannot be looked at.
        """
        for block in self._taken():
            self._before_first.append(block)
            if any(isinstance(told, Run) for told in block):
                return
        place = self.source.root
        others = list(chain(*self._before_first))
        for told in others:
            if isinstance(told, Failed):
                raise InputError(f"There are no images in {place}; {told.place}: {told.reason}.")
        left_out = sum(told.images for told in others if isinstance(told, LeftOut))
        if left_out:
            raise InputError(
                f"There are no images in {place} but {left_out} that are left out (include takes them in)."
            )
        raise InputError(
            f"There are no images in {place}: no file there has the name or the first bytes of one."
        )

    def blocks(self) -> Iterator[Block]:
        """Yield what is told, in order; a block is short where nobody should wait for more."""
        while self._before_first:
            yield self._before_first.pop(0)
        yield from self._taken()

    def _taken(self) -> Iterator[Block]:
        while (block := self._next()) is not None:
            yield [_KINDS[kind](*fields) for kind, *fields in marshal.loads(block)]
        if isinstance(self._error, EmbedError):
            raise self._error
        if self._error is not None:
            raise InputError(
                f"The search for photographs in {self.source.root} broke off: {self._error!r}."
            ) from self._error

    def _next(self) -> bytes | None:
        """Return a block, which is short where it does not fill up; None after the last."""
        with self._changed:
            while not self._packed and not self._ended:
                if not self._changed.wait(PATIENCE_S) and self._open:
                    return self._pack()
            if not self._packed:
                return self._pack() if self._open else None
            self._changed.notify()
            return self._packed.popleft()

    def _pack(self) -> bytes:
        block = marshal.dumps(self._open)
        self._open.clear()
        self._told = 0
        return block

    def _run(self) -> None:
        items = 0
        most = AHEAD // BLOCK
        lock, told_so_far = self._lock, self._open
        try:
            for told in self.source.find():
                with lock:
                    if isinstance(told, Item):
                        items += 1
                        if not told_so_far or told_so_far[-1][0] != _RUN:
                            told_so_far.append([_RUN, [], [], []])
                        _, names, sizes, stamps = told_so_far[-1]
                        names.append(told.name)
                        sizes.append(told.size)
                        stamps.append(told.stamp)
                    else:
                        kind = _KINDS.index(type(told))
                        told_so_far.append([kind, *(getattr(told, name) for name in _FIELDS[kind])])
                    self._told += 1
                    if self._told == BLOCK:
                        self._packed.append(self._pack())
                        self._changed.notify()
                        while len(self._packed) >= most and not self._given_up:
                            self._changed.wait(GIVEN_UP_S)
                if self._given_up:
                    return
            self.total = items
        except BaseException as error:  # noqa: BLE001 - raised by who waits for the items
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify()
