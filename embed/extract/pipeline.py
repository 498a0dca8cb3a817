"""Photographs in, features out, in the order they came: read, decode and run side by side.

Reading has threads of its own, ahead of the decoding, which is ahead of the backbone, which has threads of its own; who
takes the results commits them meanwhile. Every queue is bounded, so memory does not grow with the number of photographs.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from embed import images
from embed.backbones import Runtime
from embed.cache import Recipe
from embed.extract.options import RunOptions
from embed.sources import Item, Read, Source

READERS = 4
GROUPS_AHEAD = 8  # read before somebody asks for them
BYTES_AHEAD = 128 << 20
FORWARDS_IN_FLIGHT = 2  # so that the device has the next batch at hand when it is done with one
MOST_WAITING = 1024  # results held back for the sake of their order

NOT_FINITE = "has features that are no finite numbers at this precision"


@dataclass(slots=True)
class Result:
    """One photograph after the pipeline.

    Parameters
    ----------
    item : Item
    sha256 : bytes
        Of its content; empty where that could not be had.
    features : ndarray of shape (views, d), float32, or None
        None where it failed, or its content was known already.
    problem : str, optional
        Why it has no features.
    lasting : bool
        Whether the same content has the same problem in every run.
    decoder : str
        What decoded it.
    """

    item: Item
    sha256: bytes
    features: np.ndarray | None
    problem: str | None = None
    lasting: bool = True
    decoder: str = ""


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


def open_decoder(recipe: Recipe, run: RunOptions, views: int | None = None) -> images.Decoder:
    """Return what makes pixels of photographs as a recipe says, in `views` views or as many as it names."""
    return images.Decoder(
        images.Resize(recipe.size, recipe.fit),
        views=recipe.views if views is None else views,
        seed=recipe.view_seed,
        workers=run.decoding_threads,
        max_pixels=run.max_pixels,
    )


def compute(
    source: Source,
    groups: Iterable[Sequence[Item]],
    decoder: images.Decoder,
    runtime: Callable[[], Runtime],
    *,
    skip: Callable[[bytes], bool],
    batch_size: int | None = None,
    timing: Timing | None = None,
) -> Iterator[Result]:
    """Yield one result for every photograph of every group, in order.

    Parameters
    ----------
    source : Source
        Where the photographs are read from.
    groups : iterable of sequences of Item
    decoder : images.Decoder
    runtime : callable
        Gives the runtime; called once there is something to run, so that a run without news loads nothing.
    skip : callable
        Says of a sha256 whether that content need not be computed; called from several threads.
    batch_size : int, optional
        Photographs in a forward pass; by default what suits the runtime's device.
    timing : Timing, optional
        Is told where the time went.
    """
    decoded = decoder.map(_read(source, groups), skip=skip)
    return _forward(decoded, runtime, batch_size, timing or Timing())


def _read(source: Source, groups: Iterable[Sequence[Item]]) -> Iterator[Read]:
    """Yield what is read of each group, in order; the next groups are read meanwhile."""
    waiting: deque[tuple[int, Future[list[Read]]]] = deque()
    pool = ThreadPoolExecutor(READERS, "read")
    try:
        for group in groups:
            size = sum(item.size for item in group)
            while waiting and (
                len(waiting) == GROUPS_AHEAD or size + sum(n for n, _ in waiting) > BYTES_AHEAD
            ):
                yield from waiting.popleft()[1].result()
            waiting.append((size, pool.submit(lambda group: list(source.read(group)), group)))
        while waiting:
            yield from waiting.popleft()[1].result()
    finally:
        pool.shutdown(cancel_futures=True)


def _forward(
    decoded: Iterable[images.Decoded],
    runtime: Callable[[], Runtime],
    batch_size: int | None,
    timing: Timing,
) -> Iterator[Result]:
    """Run the backbone over decoded photographs, and yield each as soon as its batch is done."""

    def finish(batch: list[images.Decoded], features: Future[np.ndarray] | None) -> Iterator[Result]:
        rows: Iterator[np.ndarray] = iter(())
        if features is not None:
            start = time.perf_counter()
            rows = iter(features.result())
            timing.saturated += time.perf_counter() - start
        for one in batch:
            values: np.ndarray | None = None
            problem = one.problem
            if one.pixels is not None:
                values = np.stack([next(rows) for _ in range(len(one.pixels))])
                if not np.isfinite(values).all():
                    values, problem = None, NOT_FINITE
            yield Result(one.item, one.sha256 or b"", values, problem, one.lasting, one.decoder)

    def batches() -> Iterator[list[images.Decoded]]:
        batch: list[images.Decoded] = []
        filled, full = 0, batch_size
        upstream = iter(decoded)
        while True:
            start = time.perf_counter()
            one = next(upstream, None)
            timing.starved += time.perf_counter() - start
            if one is None:
                break
            batch.append(one)
            if one.pixels is not None:
                full = full or runtime().batch_size
                filled += len(one.pixels)
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
            pixels = [one.pixels for one in batch if one.pixels is not None]
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
