"""The process that decodes what a thread should not, seen from the parent. See child.py for the other side."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import numpy as np

from embed.errors import ImageError
from embed.images.decode import TOO_MUCH_MEMORY, CircumstanceError, Resize

# Run by the interpreter with -P: nothing in the folder of the user is ever imported. The package itself is found where the
# installation has it, and only where it is not installed, behind everything else, where this process found it.
_BEGIN = "import sys; sys.path.append(sys.argv.pop(1)); from embed.images import child; child.main()"

_PATIENCE = 10  # times the processor time, on the clock: for a decoder that sleeps for ever


def python_child(*arguments: str) -> tuple[list[str], dict[str, str]]:
    """Return the command and the environment that run `embed.images.child` and no code of the working folder.

    An entry of PYTHONPATH that is empty or relative means a folder below the working folder: it is left out.
    """
    package_parent = Path(__file__).resolve().parents[2]
    search = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(os.path.isabs, search)),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    return [sys.executable, "-P", "-c", _BEGIN, str(package_parent), *arguments], environment


class ChildDiedError(Exception):
    "The process ended before it replied; the message is the reason for the file."


class Child:
    """A process that decodes one photograph after the other."""

    def __init__(self, max_memory: int) -> None:
        command, environment = python_child(str(max_memory))
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=environment,
            start_new_session=True,  # Ctrl-C is for the parent; the child ends when its stdin does
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests: IO[bytes] = self._process.stdin
        self._replies: IO[bytes] = self._process.stdout

    def decode(self, data: bytes, resize: Resize, max_pixels: int, seconds: float) -> np.ndarray:
        """Return the pixels. Raises ImageError, or ChildDiedError when there is no process any more."""
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
                self._process.send_signal(signal.SIGXCPU)
        line = self._replies.readline()
        if not line:
            raise self._death(seconds)
        reply = json.loads(line)
        if "problem" in reply:
            raise (CircumstanceError if reply["circumstance"] else ImageError)(reply["problem"])
        shape = reply["shape"]
        pixels = np.frombuffer(self._replies.read(int(np.prod(shape))), np.uint8)
        return pixels.reshape(shape)

    def kill(self) -> None:
        """Break off whatever it does; whoever waits for the reply is told."""
        self._process.kill()

    def end(self) -> None:
        """End the process, which has nothing to do."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._requests.close()
        self._replies.close()

    def _death(self, seconds: float) -> ChildDiedError:
        code = self._process.wait()
        self._close()
        if code == -signal.SIGXCPU:
            return ChildDiedError(f"takes more than {seconds:g} s to decode")
        if code == -signal.SIGKILL:  # by the system, short of memory
            return ChildDiedError(TOO_MUCH_MEMORY)
        return ChildDiedError("crashes its decoder")
