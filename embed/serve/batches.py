"""Photographs of several requests become features together: a batch is what waits when the network is free."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

Made = TypeVar("Made")


class BusyError(Exception):
    "More waits already than is allowed."


@dataclass(frozen=True)
class _Waiting(Generic[Made]):
    photographs: Sequence[bytes]
    done: "asyncio.Future[list[Made]]"


class Batches(Generic[Made]):
    """Hands photographs on in batches, and each request its own results.

    Parameters
    ----------
    make : callable
        Makes something of each of some photographs, in a thread.
    most_waiting : int
        Photographs that wait or are being computed.
    most_together : int
        In a batch, unless one request has more.
    """

    def __init__(
        self, make: Callable[[list[bytes]], list[Made]], *, most_waiting: int, most_together: int = 32
    ) -> None:
        self._make = make
        self._most_waiting = most_waiting
        self._most_together = most_together
        self._queue: deque[_Waiting[Made]] = deque()
        self._working: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "network")
        self.waiting = 0

    async def of(self, photographs: Sequence[bytes]) -> list[Made]:
        """Return what is made of some photographs, in order.

        Raises
        ------
        BusyError
            Too many wait already.
        """
        if not photographs:
            return []
        if self.waiting and self.waiting + len(photographs) > self._most_waiting:
            raise BusyError
        done: asyncio.Future[list[Made]] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(photographs, done))
        self.waiting += len(photographs)
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return await done

    def close(self) -> None:
        """End the thread once it is done with what it is at."""
        self._thread.shutdown(cancel_futures=True)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue:
            batch = self._next()
            together = [one for waiting in batch for one in waiting.photographs]
            try:
                made = await loop.run_in_executor(self._thread, self._make, together) if together else []
            except Exception as error:  # noqa: BLE001 - whoever asked is told
                for waiting in batch:
                    if not waiting.done.done():
                        waiting.done.set_exception(error)
                continue
            finally:
                self.waiting -= len(together)
            results = iter(made)
            for waiting in batch:
                own = [next(results) for _ in waiting.photographs]
                if not waiting.done.done():
                    waiting.done.set_result(own)

    def _next(self) -> list[_Waiting[Made]]:
        """Return what is computed next; who has gone meanwhile is left out."""
        batch: list[_Waiting[Made]] = []
        size = 0
        while self._queue and (not batch or size + len(self._queue[0].photographs) <= self._most_together):
            waiting = self._queue.popleft()
            if waiting.done.done():
                self.waiting -= len(waiting.photographs)
                continue
            batch.append(waiting)
            size += len(waiting.photographs)
        return batch
