"""Decode many files at once, in order, whatever they hold.

Nothing can stop a thread, so threads only get what its header bounds: the common formats, up to a number of pixels
that takes about a second. Everything else goes to a process of its own, which has a limit of memory and of
processor time and may die of either; it also takes whatever C libraries print with it.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from embed.errors import ImageError
from embed.images import formats
from embed.images.decode import MAX_PIXELS, Resize, open_photograph, render
from embed.images.find import Found, look
from embed.images.read import Content, read
from embed.images.views import augment

AHEAD = 64  # photographs decoded before somebody asks for them

TIMEOUT_S = 30.0  # seconds of processor time for one photograph
MAX_MEMORY = 2 << 30  # bytes for one photograph
_PATIENCE = 10  # times the processor time, on the clock: for a decoder that sleeps for ever

# Decoded in a thread: bounded by their headers, silent, and made for hostile data by every browser.
_IN_THREADS = frozenset((formats.JPEG, formats.PNG, formats.GIF, formats.WEBP, formats.BMP))
_WORK_IN_THREADS = 100_000_000  # pixels, times scans where there are several: about a second

_BYTES_PER_PIXEL = 12  # of a photograph in the middle of being decoded and converted
_MEMORY_AT_ONCE = 256 << 20  # bytes for all photographs being decoded; a larger one is decoded alone


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of one file: pixels, or nothing where the content is known, or the reason of a failure."""

    found: Found
    sha256: bytes | None  # None when the file could not be read
    pixels: np.ndarray | None  # uint8, (views, size, size, 3)
    problem: str | None


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
        self._room = _Room(_MEMORY_AT_ONCE)
        self._children: deque[_Child] = deque()  # those that wait for work

    def map(
        self, root: Path, found: Iterable[Found], skip: Callable[[bytes], bool] | None = None
    ) -> Iterator[Decoded]:
        """Yield one result for every file, in the order of the files, a few ahead of who asks.

        Content whose sha256 `skip` accepts is not decoded. `skip` is called from several threads.
        """
        pending: deque[Future[Decoded]] = deque()
        for one in found:
            pending.append(self._threads.submit(self._work, root, one, skip))
            if len(pending) > AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()

    def decode(self, content: Content) -> np.ndarray:
        """Return the pixels of one photograph, uint8 ndarray (size, size, 3). Raises ImageError."""
        if formats.identify(content.data) in _IN_THREADS:
            photograph = open_photograph(content.data, self.max_pixels)
            if photograph.work <= _WORK_IN_THREADS:
                with self._room.take(photograph.work * _BYTES_PER_PIXEL):
                    return render(photograph, self.resize)
        with self._room.take(_MEMORY_AT_ONCE // 4):
            return self._decode_in_child(content.data)

    def close(self) -> None:
        """Drop what was not asked for, end the threads and the processes."""
        self._threads.shutdown(cancel_futures=True)
        while self._children:
            self._children.pop().end()

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _work(self, root: Path, found: Found, skip: Callable[[bytes], bool] | None) -> Decoded:
        sha256 = None
        try:
            content = read(root / found.path, found)
            sha256 = content.sha256
            if skip is not None and skip(sha256):
                return Decoded(found, sha256, None, None)
            pixels = augment(self.decode(content), self.views, self.seed, sha256)
        except ImageError as error:
            return Decoded(found, sha256, None, str(error))
        return Decoded(found, sha256, pixels, None)

    def _decode_in_child(self, data: bytes) -> np.ndarray:
        try:
            child = self._children.pop()
        except IndexError:
            child = _Child(self.max_memory)
        try:
            pixels = child.decode(data, self.resize, self.max_pixels, self.timeout_s)
        except _ChildDiedError as death:
            raise ImageError(death.args[0]) from None
        except ImageError:
            self._children.append(child)
            raise
        self._children.append(child)
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


class _ChildDiedError(Exception):
    "The process ended before it replied; the message is the reason for the file."


class _Child:
    """A process that decodes one photograph after the other."""

    def __init__(self, max_memory: int) -> None:
        package = Path(__file__).resolve().parents[2]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "embed.images.child", str(max_memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=package,  # python -m looks here first, not in the folder of the user
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C is for the parent; the child ends when its stdin does
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests: IO[bytes] = self._process.stdin
        self._replies: IO[bytes] = self._process.stdout

    def decode(self, data: bytes, resize: Resize, max_pixels: int, seconds: float) -> np.ndarray:
        """Return the pixels. Raises ImageError, or _ChildDiedError when there is no process any more."""
        request = {
            "bytes": len(data),
            "size": resize.size,
            "fit": resize.fit,
            "max_pixels": max_pixels,
            "seconds": seconds,
        }
        try:
            self._requests.write(json.dumps(request).encode() + b"\n")
            self._requests.write(data)
            self._requests.flush()
        except BrokenPipeError:
            raise self._death(seconds) from None
        with selectors.DefaultSelector() as selector:
            selector.register(self._replies, selectors.EVENT_READ)
            if not selector.select(seconds * _PATIENCE):
                self._process.kill()
        line = self._replies.readline()
        if not line:
            raise self._death(seconds)
        reply = json.loads(line)
        if "problem" in reply:
            raise ImageError(reply["problem"])
        shape = reply["shape"]
        pixels = np.frombuffer(self._replies.read(int(np.prod(shape))), np.uint8)
        return pixels.reshape(shape)

    def end(self) -> None:
        """End the process, which has nothing to do."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._requests.close()
        self._replies.close()

    def _death(self, seconds: float) -> _ChildDiedError:
        code = self._process.wait()
        self._close()
        if -code in (signal.SIGXCPU, signal.SIGKILL):
            return _ChildDiedError(f"takes more than {seconds:g} s to decode")
        return _ChildDiedError("crashes its decoder")


def decode_file(file: Path, resize: Resize, *, max_pixels: int = MAX_PIXELS) -> tuple[np.ndarray, bytes]:
    """Return the pixels of a file, uint8 ndarray of shape (size, size, 3), and the sha256 of its bytes.

    Raises ImageError with the reason.
    """
    with Decoder(resize, workers=1, max_pixels=max_pixels) as decoder:
        content = read(file, look(file))
        return decoder.decode(content), content.sha256
