"""A process that decodes, seen from its parent. See child.py for the inside."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

from embed.errors import ImageError
from embed.images.request import CircumstanceError

# Run by the interpreter with -P: nothing in the folder of the user is ever imported. The package itself is found where the
# installation has it, and only where it is not installed, behind everything else, where this process found it.
_BEGIN = "import sys; sys.path.append(sys.argv.pop(1)); from embed.images import child; child.main()"

_PATIENCE = 10  # times the processor time: a process that did nothing at all for so long sleeps for ever
_KEPT_BYTES = 8 << 20  # of the shared file, between photographs

_KILLED = frozenset((-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP))


class Result(NamedTuple):
    """What became of a photograph.

    Parameters
    ----------
    data : bytearray
        Pixels as uint8, or the file of a thumbnail.
    shape : tuple of int
        Of the pixels: views, height, width, 3.
    format : str
        Name of the format that was decoded.
    """

    data: bytearray
    shape: tuple[int, ...]
    format: str


class ChildDiedError(Exception):
    """The process ended before it replied.

    Parameters
    ----------
    reason : ImageError
        What it means for the photograph, should it happen again.
    final : bool
        Whether it would certainly happen again.
    """

    def __init__(self, reason: ImageError, *, final: bool = False) -> None:
        super().__init__(str(reason))
        self.reason = reason
        self.final = final


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


class Child:
    """A process that decodes one photograph after the other.

    It ends with its parent, and on Linux with the thread that started it.
    """

    def __init__(self) -> None:
        self._shared = _memory_file()
        shared = self._shared.fileno()
        command, environment = python_child(str(shared), str(os.getpid()))
        try:
            self._process = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=environment,
                pass_fds=(shared,),
                start_new_session=True,  # Ctrl-C is for the parent
            )
        except OSError:
            self._shared.close()
            raise
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests, self._replies = self._process.stdin, self._process.stdout
        self._poll = select.poll()
        self._poll.register(self._replies, select.POLLIN)

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def decode(self, data: bytes, request: dict[str, Any], grow: Callable[[int], None]) -> Result:
        """Return what becomes of a photograph.

        Parameters
        ----------
        data : bytes
            The photograph.
        request : dict
            What `Sandbox` wants to know of it.
        grow : callable
            Waits until as many bytes of memory may be taken in all.

        Raises
        ------
        ImageError
            The photograph has no pixels; the message is the reason.
        ChildDiedError
            There is no process any more.
        """
        shared = self._shared.fileno()
        try:
            if os.pwrite(shared, data, 0) != len(data):
                raise OSError
        except OSError:
            raise CircumstanceError("was not decoded: there is no memory to put it into") from None
        message = {**request, "bytes": len(data)}
        while "memory" in (reply := self._ask(message, request["seconds"])):
            grow(reply["memory"])
            message = {"memory": reply["memory"]}
        result = bytearray(reply.get("bytes", 0))
        os.preadv(shared, [result], 0)
        if max(len(data), len(result)) > _KEPT_BYTES:
            os.ftruncate(shared, 0)
        if "problem" in reply:
            raise (CircumstanceError if reply["circumstance"] else ImageError)(reply["problem"])
        return Result(result, tuple(reply["shape"]), reply["format"])

    def kill(self) -> None:
        """Break off whatever it does; whoever waits for the reply is told."""
        self._process.kill()

    def end(self) -> None:
        """End the process, which has nothing to do."""
        self._process.kill()
        self._process.wait()
        self._close()

    def forget(self) -> None:
        """Leave the process to the one that this one was forked from."""
        self._process.returncode = 0
        self._close()

    def _ask(self, message: dict[str, Any], seconds: float) -> dict[str, Any]:
        reply = b""
        try:
            self._requests.write(json.dumps(message).encode() + b"\n")
            self._wait(seconds)
            while not reply.endswith(b"\n"):
                if not (piece := self._replies.read(1 << 16)):
                    raise self._death(seconds)
                reply += piece
        except BrokenPipeError:
            raise self._death(seconds) from None
        return dict(json.loads(reply))

    def _wait(self, seconds: float) -> None:
        """Wait for a reply as long as the process does anything."""
        before = None
        while not self._poll.poll(1000 * seconds * _PATIENCE):
            now = _processor_time(self.pid)
            if now == before:
                self.end()
                raise ChildDiedError(CircumstanceError("its decoder fell asleep"))
            before = now

    def _death(self, seconds: float) -> ChildDiedError:
        code = self._process.wait()
        self._close()
        if code == -signal.SIGXCPU:
            reason = f"takes more than {seconds:g} s of processor time to decode"
            return ChildDiedError(ImageError(reason), final=True)
        if code in _KILLED:
            return ChildDiedError(
                CircumstanceError("its decoder was killed, as happens when memory is short")
            )
        if code < 0:
            return ChildDiedError(ImageError("crashes its decoder"))
        return ChildDiedError(CircumstanceError(f"its decoder ended with exit code {code}"))

    def _close(self) -> None:
        for file in (self._requests, self._replies, self._shared):
            file.close()


def _memory_file() -> IO[bytes]:
    """Return a file without a name, in memory where the system has such files."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("photograph"), "r+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def _processor_time(pid: int) -> bytes | None:
    """Return what Linux says of the processor time of a process; it is another when the process did anything."""
    try:
        return b" ".join(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[11:13])
    except OSError:
        return None
