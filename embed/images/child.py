"""The inside of the sandbox: a process that decodes one photograph after the other. See process.py for the outside.

Requests and replies are lines of JSON on stdin and stdout. The bytes of the photograph are in a file that both sides
have open, and so is the result. A process that takes more processor time than it was granted is ended by the system.
"""

import io
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO, TypeVar

from PIL import Image

from embed import machine
from embed.errors import ImageError
from embed.images import limits
from embed.images.decode import decode, settle
from embed.images.request import CircumstanceError, Resize
from embed.images.trouble import DecoderError, OutOfMemoryError

T = TypeVar("T")

QUALITY = 80  # of thumbnails


class Sandbox:
    """Serves the requests of the parent.

    Parameters
    ----------
    requests, replies : binary file
    shared : int
        Descriptor of the file that holds the photograph, and then the result.
    """

    def __init__(self, requests: BinaryIO, replies: BinaryIO, shared: int) -> None:
        self._requests = requests
        self._replies = replies
        self._shared = shared
        self._base = 0  # bytes of address space before the photograph takes any
        self._granted = 0  # bytes that the photograph may take

    def serve(self) -> None:
        """Decode until there are no more requests."""
        while line := self._requests.readline():
            request = json.loads(line)
            small = self._granted = request["memory"]
            self._base = 0
            limits.grant_seconds(request["seconds"])
            try:
                reply = self._answer(request)
            except ImageError as error:
                reply = {"problem": str(error), "circumstance": isinstance(error, CircumstanceError)}
            finally:
                limits.lift_memory()
            if (
                self._granted > small or "problem" in reply
            ):  # what is kept would be free for the next one to take
                machine.return_memory()
            self._send(reply)

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        data = os.pread(self._shared, request["bytes"], 0)
        format = settle(data, request["format"])
        if request["about"]:
            from embed.images.about import about

            told = self._within_limits(
                partial(about, data, format, max_pixels=request["max_pixels"]), request
            )
            return self._reply(json.dumps(told).encode(), [], format)
        image = self._decode(data, format, request)
        del data
        width, height = image.size
        views = 1
        if request["thumbnail"]:
            stream = io.BytesIO()
            image.save(stream, "JPEG", quality=QUALITY)
            result = stream.getvalue()
        elif request["views"] > 1:
            from embed.images.views import augment

            views = request["views"]
            result = augment(image, views, request["seed"], bytes.fromhex(request["sha256"])).tobytes()
        else:
            result = image.tobytes()
        return self._reply(result, [views, height, width, 3], format)

    def _reply(self, result: bytes, shape: list[int], format: str | None) -> dict[str, Any]:
        os.pwrite(self._shared, result, 0)
        return {"bytes": len(result), "shape": shape, "format": format}

    def _decode(self, data: bytes, format: str | None, request: dict[str, Any]) -> Image.Image:
        resize = Resize(request["size"], request["fit"])
        work = partial(decode, data, format, resize, max_pixels=request["max_pixels"])
        return self._within_limits(work, request)

    def _within_limits(self, work: Callable[..., T], request: dict[str, Any]) -> T:
        """Return what comes of some work on a photograph, within the memory that it may have."""
        most, needed = request["most_memory"], 0

        def reserve(memory: int) -> None:
            nonlocal needed
            needed = max(needed, memory)
            self._reserve(min(memory, most))

        def attempt() -> T | ImageError:
            try:
                return work(reserve=reserve)
            except (DecoderError, OutOfMemoryError) as error:
                return error.with_traceback(None)  # which holds the memory

        outcome = attempt()
        if isinstance(outcome, ImageError) and self._granted < most:
            self._reserve(most)  # what is taken for damage may have been a lack of memory
            outcome = attempt()
        if not isinstance(outcome, ImageError):
            limits.lift_memory()  # what follows is as large as what was asked for
            return outcome
        machine.return_memory()
        limits.lift_memory()  # what is asked is whether the machine has it
        if isinstance(outcome, OutOfMemoryError) or needed > most or not limits.can_have(needed):
            raise CircumstanceError(_lack(needed, most))
        raise outcome

    def _reserve(self, memory: int) -> None:
        """Wait until this much memory may be taken, and limit the process to it."""
        if memory > self._granted:
            self._send({"memory": memory})
            self._granted = json.loads(self._requests.readline())["memory"]
        self._base = self._base or limits.address_space()
        limits.limit_memory(self._base + self._granted)

    def _send(self, reply: dict[str, Any]) -> None:
        self._replies.write(json.dumps(reply).encode() + b"\n")
        self._replies.flush()


def _lack(needed: int, most: int) -> str:
    """Return why a photograph is not decoded for which there is not enough memory."""
    if needed > most or limits.can_have(most):
        return f"needs more than {most >> 20:,} MiB of memory to decode"
    return f"was not decoded: there was no memory for it, and it may need {needed >> 20:,} MiB"


def main() -> None:
    """Serve the process that started this one; the arguments are the shared descriptor and the parent."""
    shared, parent = map(int, sys.argv[1:])
    limits.settle(parent)
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries of C print where they like
    Sandbox(sys.stdin.buffer, replies, shared).serve()
