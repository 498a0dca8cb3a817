"""Decode many photographs at once, in order, each with its own outcome, whatever they hold.

Nothing of a photograph is looked into in this process but its first bytes: processes of their own decode, each with a
limit of memory and of processor time, and may die of either. They also take whatever C libraries print.
"""

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from embed.errors import ImageError
from embed.images.formats import decoder_name
from embed.images.pool import MEMORY, Lease, Pool, pool
from embed.images.process import Child, ChildDiedError, Result
from embed.images.request import INSIDE, MAX_PIXELS, CircumstanceError, Resize
from embed.machine import processors
from embed.sources import Address, Content, Item, Read, read, signatures

AHEAD = 64  # photographs decoded before somebody asks for them
_BYTES_AHEAD = 256 << 20  # of the files among them

SECONDS = 30.0  # of processor time for one photograph

_AT_FIRST = 64 << 20  # bytes of memory for one photograph, without asking


@dataclass(frozen=True, slots=True)
class About:
    """What a photograph says about itself; None where it says nothing.

    Attributes
    ----------
    width, height : int
        In pixels, as it is to be seen.
    taken : str or None
        When, as ISO 8601: the time of the camera's own clock.
    latitude, longitude : float or None
        Where, in degrees.
    camera : str or None
    """

    width: int
    height: int
    taken: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    camera: str | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of one photograph.

    Parameters
    ----------
    item : Item
    sha256 : bytes or None
        Of the content; None where it could not be had.
    pixels : ndarray of shape (views, size, size, 3), uint8, or None
        None where the content is known, and where there is a problem.
    problem : str, optional
        The reason of a failure.
    lasting : bool
        Whether the problem lies in the content; otherwise it is worth another try.
    decoder : str
        What decoded it, such as "JPEG 1"; see `are_current`.
    """

    item: Item
    sha256: bytes | None
    pixels: np.ndarray | None
    problem: str | None = None
    lasting: bool = True
    decoder: str = ""


class Decoder:
    """Makes pixels of photographs, several at once.

    Parameters
    ----------
    resize : Resize
    views : int
        Pictures made of each photograph: itself, and ``views - 1`` augmented ones.
    seed : int
        Of the augmentation.
    workers : int, optional
        Photographs decoded at once; by default one for each processor.
    max_pixels : int
        Photographs with more are refused.
    timeout_s : float
        Seconds of processor time for one photograph.
    max_memory : int
        Bytes for one photograph. All that are being decoded share as much as one may take by default.
    """

    def __init__(
        self,
        resize: Resize,
        *,
        views: int = 1,
        seed: int = 0,
        workers: int | None = None,
        max_pixels: int = MAX_PIXELS,
        timeout_s: float = SECONDS,
        max_memory: int = MEMORY,
    ) -> None:
        self.resize = resize
        self.views = views
        self.seed = seed
        self.workers = workers or processors()
        self.max_pixels = max_pixels
        self.timeout_s = timeout_s
        self.max_memory = min(max_memory, MEMORY)
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._threads = ThreadPoolExecutor(self.workers, "decode")
        self._busy: set[Child] = set()
        self._closed = False

    def _check_process(self) -> None:
        """Begin anew where this process was forked from the one that began."""
        if self._process != os.getpid():
            self._begin()

    def map(self, contents: Iterable[Read], skip: Callable[[bytes], bool] | None = None) -> Iterator[Decoded]:
        """Yield one result for every photograph, in order, a few ahead of who asks.

        Parameters
        ----------
        contents : iterable of (Item, Content or str)
            Photographs, each with its content or the reason why it has none.
        skip : callable, optional
            Content whose sha256 it accepts is not decoded; called from several threads.
        """
        self._check_process()
        pending: deque[tuple[int, Future[Decoded]]] = deque()
        for item, content in contents:
            size = 0 if isinstance(content, str) else len(content.data)
            pending.append((size, self._threads.submit(self._judge, item, content, skip)))
            del content
            while len(pending) > AHEAD or sum(size for size, _ in pending) > _BYTES_AHEAD:
                yield pending.popleft()[1].result()
        while pending:
            yield pending.popleft()[1].result()

    def decode(self, data: bytes) -> np.ndarray:
        """Return the pixels of one photograph, uint8 ndarray (size, size, 3). Raises ImageError."""
        return _pixels(self._run(data, signatures.identify(data)))[0]

    def thumbnail(self, data: bytes) -> bytes:
        """Return the file of a small JPEG of one photograph. Raises ImageError."""
        return bytes(self._run(data, signatures.identify(data), thumbnail=True).data)

    def about(self, data: bytes) -> About:
        """Return what a photograph says about itself; no pixel of it is decoded. Raises ImageError."""
        return About(**json.loads(self._run(data, signatures.identify(data), about=True).data))

    def close(self) -> None:
        """Drop what was not asked for, and end the threads and the processes at work for them."""
        self._check_process()
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for child in list(self._busy):
            child.kill()
        self._threads.shutdown()

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _judge(self, item: Item, content: Content | str, skip: Callable[[bytes], bool] | None) -> Decoded:
        if isinstance(content, str):
            return Decoded(item, None, None, content, lasting=False)
        sha256 = content.sha256
        if skip is not None and skip(sha256):
            return Decoded(item, sha256, None)
        format = signatures.identify(content.data)
        try:
            result = self._run(content.data, format, views=self.views, sha256=sha256)
        except ImageError as error:
            lasting = not isinstance(error, CircumstanceError)
            return Decoded(item, sha256, None, str(error), lasting, decoder_name(format))
        return Decoded(item, sha256, _pixels(result), None, decoder=decoder_name(result.format))

    def _run(
        self,
        data: bytes,
        format: str | None,
        *,
        views: int = 1,
        sha256: bytes = b"",
        thumbnail: bool = False,
        about: bool = False,
    ) -> Result:
        """Decode in a process; where it dies, once more alone in another one. Raises ImageError."""
        self._check_process()
        at_first = min(self.max_memory, _AT_FIRST + 2 * len(data))
        request = {
            "format": format,
            "size": self.resize.size,
            "fit": self.resize.fit,
            "views": views,
            "seed": self.seed,
            "sha256": sha256.hex(),
            "thumbnail": thumbnail,
            "about": about,
            "max_pixels": self.max_pixels,
            "seconds": self.timeout_s,
            "memory": at_first,
            "most_memory": self.max_memory,
        }
        processes = pool()
        with processes.room.take(at_first) as lease:
            try:
                return self._try(processes, data, request, lease, fresh=False)
            except ChildDiedError as death:
                if death.final:
                    raise death.reason from None
            lease.grow(MEMORY)
            try:
                return self._try(processes, data, {**request, "memory": self.max_memory}, lease, fresh=True)
            except ChildDiedError as death:
                raise death.reason from None

    def _try(
        self, processes: Pool, data: bytes, request: dict[str, Any], lease: Lease, *, fresh: bool
    ) -> Result:
        try:
            child = processes.take(fresh=fresh)
        except OSError as error:
            raise CircumstanceError(f"was not decoded: no process could be started ({error})") from None
        self._busy.add(child)
        try:
            if self._closed:
                raise CircumstanceError("was not decoded: the program was told to stop")
            result = child.decode(data, request, lease.grow)
        except ChildDiedError:
            processes.drop(child)
            raise
        except ImageError:
            processes.give(child)
            raise
        finally:
            self._busy.discard(child)
        processes.give(child)
        return result


def _pixels(result: Result) -> np.ndarray:
    return np.frombuffer(result.data, np.uint8).reshape(result.shape)


def decode_file(file: Address, resize: Resize, *, max_pixels: int = MAX_PIXELS) -> tuple[np.ndarray, bytes]:
    """Return the pixels of a file and the sha256 of its bytes.

    Parameters
    ----------
    file : path or URL
    resize : Resize
    max_pixels : int
        A photograph with more is refused.

    Returns
    -------
    pixels : ndarray of shape (size, size, 3), uint8
        RGB.
    sha256 : bytes

    Raises
    ------
    ImageError
        The message is the reason.
    """
    content = read(file)
    with Decoder(resize, workers=1, max_pixels=max_pixels) as decoder:
        return decoder.decode(content.data), content.sha256


def thumbnail(file: Address, size: int) -> bytes:
    """Return a photograph as a JPEG no wider and no higher than `size` pixels, upright, its shape kept.

    Raises
    ------
    ImageError
        It cannot be read or decoded; the message is the reason.
    """
    content = read(file)
    with Decoder(Resize(size, INSIDE), workers=1) as decoder:
        return decoder.thumbnail(content.data)
