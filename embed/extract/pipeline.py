"""Decode and run side by side: photographs in, features out, in the order they came.

Decoding runs in threads ahead of the backbone, which runs in threads of its own; whoever consumes the results commits
them meanwhile. Every queue is bounded, so memory does not grow with the number of photographs.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from embed import images, sources
from embed.backbones.runtime import Runtime

FORWARDS_IN_FLIGHT = 2  # so that the device has the next batch at hand when it is done with one
MOST_WAITING = 1024  # results held back for the sake of their order


@dataclass(slots=True)
class Result:
    """One photograph after the pipeline: its features, or why it has none."""

    found: sources.Found
    sha256: bytes  # of the bytes that were decoded; empty where they could not be read
    features: np.ndarray | None  # float32 (views, d); None where it failed or its content was known already
    problem: str | None = None


@dataclass(slots=True)
class Timing:
    """Where the time went, in seconds."""

    starved: float = 0.0  # waiting for decoded photographs
    saturated: float = 0.0  # waiting for the backbone
    consumer: float = 0.0  # waiting for whoever takes the results

    @property
    def bottleneck(self) -> str:
        """The side that the others waited for: ``decode``, ``forward`` or ``disk``."""
        waits = {"decode": self.starved, "forward": self.saturated, "disk": self.consumer}
        return max(waits, key=waits.__getitem__)


def run(
    decoded: Iterable[images.Decoded],
    runtime: Callable[[], Runtime],
    batch_size: int | None = None,
    timing: Timing | None = None,
) -> Iterator[Result]:
    """Run the backbone over decoded photographs.

    Args:
        decoded: photographs in order, each with ``pixels`` of dtype uint8 and shape (views, size, size, 3), or None
            where it could not be decoded or need not be.
        runtime: gives the runtime; called once there is something to run, so that a run without news loads nothing.
        batch_size: photographs in a forward pass; by default what suits the runtime's device.
        timing: is told where the time went.

    Yields:
        One result for each, in the same order, as soon as its batch is done.
    """
    timing = timing or Timing()

    def finish(batch: list[images.Decoded], features: Future[np.ndarray] | None) -> Iterator[Result]:
        rows: Iterator[np.ndarray] = iter(())
        if features is not None:
            start = time.perf_counter()
            rows = iter(features.result())
            timing.saturated += time.perf_counter() - start
        for item in batch:
            values: np.ndarray | None = None
            if item.pixels is not None:
                values = np.stack([next(rows) for _ in range(len(item.pixels))])
            yield Result(item.found, item.sha256 or b"", values, item.problem)

    def batches() -> Iterator[list[images.Decoded]]:
        batch: list[images.Decoded] = []
        filled, full = 0, batch_size
        source = iter(decoded)
        while True:
            start = time.perf_counter()
            item = next(source, None)
            timing.starved += time.perf_counter() - start
            if item is None:
                break
            batch.append(item)
            if item.pixels is not None:
                full = full or runtime().batch_size
                filled += len(item.pixels)
            # Known and failed photographs fill no batch, but must not pile up behind one either.
            if filled >= (full or MOST_WAITING) or len(batch) >= MOST_WAITING:
                yield batch
                batch, filled = [], 0
        if batch:
            yield batch

    in_flight: deque[tuple[list[images.Decoded], Future[np.ndarray] | None]] = deque()
    executor = ThreadPoolExecutor(FORWARDS_IN_FLIGHT, thread_name_prefix="forward")
    try:
        for batch in batches():
            pixels = [item.pixels for item in batch if item.pixels is not None]
            in_flight.append(
                (batch, executor.submit(runtime().run, np.concatenate(pixels)) if pixels else None)
            )
            if len(in_flight) >= FORWARDS_IN_FLIGHT:
                for result in finish(*in_flight.popleft()):
                    start = time.perf_counter()
                    yield result
                    timing.consumer += time.perf_counter() - start
        while in_flight:
            yield from finish(*in_flight.popleft())
    finally:
        executor.shutdown(cancel_futures=True)
