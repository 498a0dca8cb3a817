"""The processes that decode for this one, and the memory that they share."""

import atexit
import contextlib
import os
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from embed.images.process import Child
from embed.machine import processors

MEMORY = 2 << 30  # bytes for all photographs that are being decoded, and for one


class Lease:
    """Memory that one photograph may take."""

    def __init__(self, room: "Room") -> None:
        self._room = room
        self._size = 0

    def grow(self, size: int) -> None:
        """Wait until as much as this may be taken in all. What was held is given back before, so that nobody waits for it."""
        self._room.change(-self._size)
        self._size = 0
        self._room.change(size)
        self._size = size


class Room:
    """Memory to share, in the order in which it is asked for.

    Parameters
    ----------
    size : int
        In bytes; nobody may ask for more.
    """

    def __init__(self, size: int) -> None:
        self._free = size
        self._turn = threading.Lock()  # one waits at a time: small requests do not pass a large one for ever
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def take(self, size: int) -> Iterator[Lease]:
        """Wait for room, hold it, give it back."""
        lease = Lease(self)
        try:
            lease.grow(size)
            yield lease
        finally:
            lease.grow(0)

    def change(self, size: int) -> None:
        """Take as many bytes, or give them back where they are less than none."""
        if size <= 0:
            with self._changed:
                self._free -= size
                self._changed.notify_all()
            return
        with self._turn, self._changed:
            self._changed.wait_for(lambda: size <= self._free)
            self._free -= size


class Pool:
    """Processes that decode, kept from one use to the next, and never more of them idle than there are processors."""

    def __init__(self) -> None:
        self.room = Room(MEMORY)
        self._idle: deque[Child] = deque()
        self._children: set[Child] = set()
        # A process ends with the thread that started it, so that thread ends last.
        self._starter = ThreadPoolExecutor(1, "sandbox")

    def take(self, *, fresh: bool = False) -> Child:
        """Return an idle process, or one that has done nothing yet. Raises OSError when none can be started."""
        if not fresh:
            with contextlib.suppress(IndexError):
                return self._idle.pop()
        return self._starter.submit(self._start).result()

    def give(self, child: Child) -> None:
        """Take back a process that has nothing to do."""
        if len(self._idle) >= processors():
            self.drop(child)
            child.end()
            return
        self._idle.append(child)

    def drop(self, child: Child) -> None:
        """Forget a process that has ended."""
        self._children.discard(child)

    def close(self) -> None:
        """End the processes."""
        self._starter.shutdown()
        for child in list(self._children):
            child.end()

    def forget(self) -> None:
        """Leave the processes to the one that this one was forked from."""
        for child in list(self._children):
            child.forget()

    def _start(self) -> Child:
        child = Child()
        self._children.add(child)
        return child


_pool = Pool()


def pool() -> Pool:
    """Return the pool of this process."""
    return _pool


def _begin_anew() -> None:
    global _pool
    _pool.forget()
    _pool = Pool()


atexit.register(lambda: _pool.close())
os.register_at_fork(after_in_child=_begin_anew)
