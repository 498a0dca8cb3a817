"""Decode many files at once, in order, whatever they hold."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embed.errors import ImageError
from embed.images.decode import MAX_PIXELS, Resize
from embed.images.find import Found
from embed.images.read import read
from embed.images.views import decode_views

AHEAD = 64  # photographs decoded before somebody asks for them


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of one file: pixels, or nothing where the content is known, or the reason of a failure."""

    found: Found
    sha256: bytes | None  # None when the file could not be read
    pixels: np.ndarray | None  # uint8, (views, size, size, 3)
    problem: str | None


class Decoder:
    """Threads that read, hash and decode photographs."""

    def __init__(
        self,
        resize: Resize,
        *,
        views: int = 1,
        seed: int = 0,
        workers: int | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.resize = resize
        self.views = views
        self.seed = seed
        self.max_pixels = max_pixels
        self._threads = ThreadPoolExecutor(workers or os.cpu_count() or 1, "decode")

    def map(
        self, root: Path, found: Iterable[Found], skip: Callable[[bytes], bool] | None = None
    ) -> Iterator[Decoded]:
        """Yield one result for every file, in the order of the files, a few ahead of who asks.

        Content whose sha256 `skip` accepts is not decoded. `skip` is called from several threads.
        """
        pending: deque[Future[Decoded]] = deque()
        for one in found:
            pending.append(self._threads.submit(self._decode, root, one, skip))
            if len(pending) > AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()

    def close(self) -> None:
        """Drop what was not asked for and end the threads."""
        self._threads.shutdown(cancel_futures=True)

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _decode(self, root: Path, found: Found, skip: Callable[[bytes], bool] | None) -> Decoded:
        sha256 = None
        try:
            content = read(root / found.path, found)
            sha256 = content.sha256
            if skip is not None and skip(sha256):
                return Decoded(found, sha256, None, None)
            pixels = decode_views(
                content.data, self.resize, self.views, self.seed, sha256, max_pixels=self.max_pixels
            )
        except ImageError as error:
            return Decoded(found, sha256, None, str(error))
        return Decoded(found, sha256, pixels, None)
