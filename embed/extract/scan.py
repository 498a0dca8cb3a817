"""Look for photographs in a thread of its own, so that the first are computed before the last is found."""

import marshal
import queue
import threading
from collections.abc import Iterator
from contextlib import suppress

from embed.errors import EmbedError, InputError
from embed.sources import Failed, Item, LeftOut, Listed, Source, Told

AHEAD = 100_000  # items that wait for their turn at most
BLOCK = 250  # items that are handed over together, packed: some 60 bytes for one instead of 240

PATIENCE_S = 0.5  # until a search that waits for room looks whether it was given up

_KINDS = (Item, Listed, Failed, LeftOut)
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
        self._given_up = False
        self._queue: queue.Queue[bytes | BaseException | None] = queue.Queue(AHEAD // BLOCK)
        self._before_first: list[Told] = []
        self._blocks = self._taken()
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
        for block in self._blocks:
            self._before_first += block
            if any(isinstance(told, Item) for told in block):
                return
        place = self.source.root
        left_out = sum(told.images for told in self._before_first if isinstance(told, LeftOut))
        for told in self._before_first:
            if isinstance(told, Failed):
                raise InputError(f"There are no images in {place}; {told.place}: {told.reason}.")
        if left_out:
            raise InputError(
                f"There are no images in {place} but {left_out} that are left out (include takes them in)."
            )
        raise InputError(
            f"There are no images in {place}: no file there has the name or the first bytes of one."
        )

    def blocks(self) -> Iterator[list[Told]]:
        """Yield what is told, in order; a block is short where nobody should wait for more."""
        yield self._before_first
        self._before_first = []
        yield from self._blocks

    def _taken(self) -> Iterator[list[Told]]:
        while isinstance(block := self._queue.get(), bytes):
            yield [_KINDS[kind](*fields) for kind, fields in marshal.loads(block)]
        if isinstance(block, EmbedError):
            raise block
        if block is not None:
            raise InputError(
                f"The search for photographs in {self.source.root} broke off: {block!r}."
            ) from block

    def _run(self) -> None:
        items = 0
        block: list[tuple[int, tuple[object, ...]]] = []
        end: BaseException | None = None
        try:
            for told in self.source.find():
                kind = _KINDS.index(type(told))
                items += kind == 0
                block.append((kind, tuple([getattr(told, field) for field in _FIELDS[kind]])))
                # Nobody waits for a block to fill up, however slow the disk.
                if len(block) == BLOCK or self._queue.empty():
                    self._hand_over(marshal.dumps(block))
                    block.clear()
                if self._given_up:
                    return
        except BaseException as error:  # noqa: BLE001 - raised by who waits for the items
            end = error
        self._hand_over(marshal.dumps(block))
        self.total = items
        self._hand_over(end)

    def _hand_over(self, block: bytes | BaseException | None) -> None:
        while not self._given_up:
            with suppress(queue.Full):
                self._queue.put(block, timeout=PATIENCE_S)
                return
