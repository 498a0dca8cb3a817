"""Decode many files at once, in order, whatever they hold.

Nothing can stop a thread, so threads only get what its header bounds: the common formats, up to a number of pixels
that takes about a second. Everything else goes to a process of its own, which has a limit of memory and of
processor time and may die of either; it also takes whatever C libraries print with it.
"""

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embed.errors import ImageError
from embed.images import formats
from embed.images.decode import MAX_PIXELS, CircumstanceError, Resize, open_photograph, render
from embed.images.process import Child, ChildDiedError
from embed.images.views import augment
from embed.sources import Content, Item, Read
from embed.sources.file import read

AHEAD = 64  # photographs decoded before somebody asks for them

TIMEOUT_S = 30.0  # seconds of processor time for one photograph
MAX_MEMORY = 2 << 30  # bytes for one photograph

# Decoded in a thread: bounded by their headers, silent, and made for hostile data by every browser.
_IN_THREADS = frozenset((formats.JPEG, formats.PNG, formats.GIF, formats.WEBP, formats.BMP))
_WORK_IN_THREADS = 100_000_000  # pixels, times scans where there are several: about a second
_BYTES_IN_THREADS = 32 << 20  # the structure of a file is walked in Python: at worst two seconds

_BYTES_PER_PIXEL = 12  # of a photograph in the middle of being decoded and converted
_MEMORY_AT_ONCE = (
    256 << 20
)  # bytes for all files being read, and for all being decoded; a larger one is alone


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of one file: pixels, or nothing where the content is known, or the reason of a failure."""

    item: Item
    sha256: bytes | None  # of the content; None where it could not be had
    pixels: np.ndarray | None  # uint8, (views, size, size, 3)
    problem: str | None
    lasting: bool = True  # the problem lies in the content; otherwise it is worth another try


class Decoder:
    """Threads that read, hash and decode photographs, and processes for what is dangerous to decode."""

    def __init__(
        self,
        resize: Resize,
        *,
        views: int = 1,
        seed: int = 0,
        workers: int | None = None,
        max_pixels: int = MAX_PIXELS,
        timeout_s: float = TIMEOUT_S,
        max_memory: int = MAX_MEMORY,
    ) -> None:
        self.resize = resize
        self.views = views
        self.seed = seed
        self.max_pixels = max_pixels
        self.timeout_s = timeout_s
        self.max_memory = max_memory
        self._threads = ThreadPoolExecutor(workers or os.cpu_count() or 1, "decode")
        self._decoding = _Room(_MEMORY_AT_ONCE)
        self._children: set[Child] = set()
        self._idle: deque[Child] = deque()
        self._closed = False

    def map(self, contents: Iterable[Read], skip: Callable[[bytes], bool] | None = None) -> Iterator[Decoded]:
        """Yield one result for every photograph, in order, a few ahead of who asks.

        Parameters
        ----------
        contents : iterable of (Item, Content or str)
            Photographs, each with its content or the reason why it has none.
        skip : callable, optional
            Content whose sha256 it accepts is not decoded; called from several threads.
        """
        pending: deque[tuple[int, Future[Decoded]]] = deque()
        for item, content in contents:
            size = 0 if isinstance(content, str) else len(content.data)
            pending.append((size, self._threads.submit(self._work, item, content, skip)))
            del content
            while len(pending) > AHEAD or sum(size for size, _ in pending) > _MEMORY_AT_ONCE:
                yield pending.popleft()[1].result()
        while pending:
            yield pending.popleft()[1].result()

    def decode(self, data: bytes) -> np.ndarray:
        """Return the pixels of one photograph, uint8 ndarray (size, size, 3). Raises ImageError."""
        if len(data) <= _BYTES_IN_THREADS and formats.identify(data) in _IN_THREADS:
            photograph = open_photograph(data, self.max_pixels)
            if photograph.work <= _WORK_IN_THREADS:
                with self._decoding.take(photograph.work * _BYTES_PER_PIXEL):
                    pixels = render(photograph, self.resize)
                    del photograph  # before its room is given away
                    return pixels
        with self._decoding.take(_MEMORY_AT_ONCE // 4):
            return self._decode_in_child(data)

    def close(self) -> None:
        """Drop what was not asked for, end the threads and the processes."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for child in list(self._children):
            child.kill()
        self._threads.shutdown()
        for child in self._children:
            child.end()

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _work(self, item: Item, content: Content | str, skip: Callable[[bytes], bool] | None) -> Decoded:
        if isinstance(content, str):
            return Decoded(item, None, None, content, lasting=False)
        sha256 = content.sha256
        if skip is not None and skip(sha256):
            return Decoded(item, sha256, None, None)
        try:
            pixels = augment(self.decode(content.data), self.views, self.seed, sha256)
        except CircumstanceError as error:
            return Decoded(item, sha256, None, str(error), lasting=False)
        except ImageError as error:
            return Decoded(item, sha256, None, str(error))
        return Decoded(item, sha256, pixels, None)

    def _decode_in_child(self, data: bytes) -> np.ndarray:
        try:
            child = self._idle.pop()
        except IndexError:
            child = Child(self.max_memory)
            self._children.add(child)
        if self._closed:
            raise CircumstanceError("was not decoded: the program was told to stop")
        try:
            pixels = child.decode(data, self.resize, self.max_pixels, self.timeout_s)
        except ChildDiedError as death:
            self._children.discard(child)
            raise ImageError(death.args[0]) from None
        except ImageError:
            self._idle.append(child)
            raise
        self._idle.append(child)
        return pixels


class _Room:
    """Memory to share: whoever asks for more than there is in all waits until it is alone."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def take(self, size: int) -> Iterator[None]:
        """Wait for room, hold it, give it back."""
        size = min(size, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._taken + size <= self._size)
            self._taken += size
        try:
            yield
        finally:
            with self._changed:
                self._taken -= size
                self._changed.notify_all()


def decode_file(file: Path, resize: Resize, *, max_pixels: int = MAX_PIXELS) -> tuple[np.ndarray, bytes]:
    """Return the pixels of a file, uint8 ndarray of shape (size, size, 3), and the sha256 of its bytes.

    Raises ImageError with the reason.
    """
    with Decoder(resize, workers=1, max_pixels=max_pixels) as decoder:
        content = read(file)
        return decoder.decode(content.data), content.sha256
