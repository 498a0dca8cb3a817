"""What HDF5 makes of a part, in a process of its own: HDF5 trusts what it reads, and can hang or crash on it.

Reading features asks HDF5 nothing. Where its own checksums are to be checked as well, a child opens the part, within limits
of memory and of processor seconds, and follows nothing that leads out of it. Jobs and replies are JSON behind their length;
the open file goes along with the job, so that a part which is folded away meanwhile can still be checked.
"""

import json
import math
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from embed.cache.checked import CheckedFile
from embed.errors import CacheError

LENGTH = struct.Struct("<Q")
MEMORY_BYTES = 4 << 30  # of address space
SECONDS, BYTES_PER_SECOND = 30, 16 << 20  # of a processor, for a part: at least, and of a large one
FLETCHER32 = 3  # number of the filter in HDF5
# How a process ends that HDF5 led astray; any other end says nothing of the part.
ASTRAY = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGXCPU}
# Run with -P: nothing in the folder of the user is ever imported.
BEGIN = "import sys; sys.path.append(sys.argv[1]); from embed.cache import hdf5; hdf5.main()"


class Hdf5:
    """HDF5 in a child, which is started when it is first asked; a context manager."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def recipe(self, file: CheckedFile) -> str:
        """Return the recipe of a part of version 1, JSON text, which stands only in an attribute.

        Raises
        ------
        CacheDamagedError
            There is none.
        CacheError
            The disk, or the child, failed.
        """
        return str(self._ask(file, {"recipe": True})["recipe"])

    def compare(self, file: CheckedFile, datasets: dict[str, Any]) -> None:
        """Check that HDF5 reads what an index describes, and that all of its checksums hold.

        Parameters
        ----------
        file : CheckedFile
        datasets : dict
            As the index has it, of those to be read.

        Raises
        ------
        CacheDamagedError
            HDF5 cannot read it, or reads something else.
        CacheError
            The disk, or the child, failed.
        """
        self._ask(file, {"datasets": datasets})

    def _ask(self, file: CheckedFile, job: dict[str, Any]) -> dict[str, Any]:
        try:
            child, line = self._started()
        except OSError as error:
            raise CacheError(
                f"HDF5 could not be asked about {file.path}: {error.strerror or error}"
            ) from error
        try:
            with file.stream() as stream:
                message = json.dumps({**job, "bytes": file.bytes_on_disk}).encode()
                socket.send_fds(line, [LENGTH.pack(len(message))], [stream.fileno()])
                line.sendall(message)
            reply = json.loads(_receive(line, LENGTH.unpack(_receive(line, LENGTH.size))[0]))
        except (EOFError, OSError) as error:
            if -child.wait() in ASTRAY:
                raise file.damaged("HDF5 ends, or goes on for ever, when it reads it") from error
            raise CacheError(f"HDF5 could not be asked about {file.path}: its process ended") from error
        finally:
            if child.poll() is not None:
                self._end()
        if reply.get("problem"):
            if reply["disk"]:  # which was read a moment ago
                raise CacheError(f"HDF5 cannot read {file.path}: {reply['problem']}")
            raise file.damaged(str(reply["problem"]))
        return dict(reply)

    def _started(self) -> tuple["subprocess.Popen[bytes]", socket.socket]:
        if self._child is None or self._socket is None:
            ours, theirs = socket.socketpair()
            search = os.environ.get("PYTHONPATH", "").split(os.pathsep)
            with theirs:
                self._child = subprocess.Popen(
                    [
                        sys.executable,
                        "-P",
                        "-c",
                        BEGIN,
                        str(Path(__file__).resolve().parents[2]),
                        str(theirs.fileno()),
                    ],
                    env={
                        **os.environ,
                        "PYTHONPATH": os.pathsep.join(filter(os.path.isabs, search)),
                        "OPENBLAS_NUM_THREADS": "1",  # whose memory counts
                        "OMP_NUM_THREADS": "1",
                    },
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
            self._socket = ours
        return self._child, self._socket

    def __enter__(self) -> "Hdf5":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        if self._child is not None and self._socket is not None:
            self._socket.close()
            self._child.kill()  # it may be at work
            self._child.wait()
        self._child = self._socket = None


def _receive(line: socket.socket, size: int) -> bytes:
    """Return so many bytes. Raises EOFError where the other side is gone."""
    data = bytearray()
    while len(data) < size:
        piece = line.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


# ---------------------------------------------------------------------- in the child


def main() -> None:
    """Do one job after the other, until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted, and ends this by going
    for limit, most in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CORE, 0)):
        with suppress(OSError, ValueError):
            resource.setrlimit(limit, (most, resource.getrlimit(limit)[1]))
    line = socket.socket(fileno=int(sys.argv[2]))
    while True:
        head, descriptors, _, _ = socket.recv_fds(line, LENGTH.size, 1)
        if len(head) < LENGTH.size:
            return
        job = json.loads(_receive(line, LENGTH.unpack(head)[0]))
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = math.ceil(used.ru_utime + used.ru_stime) + SECONDS + job["bytes"] // BYTES_PER_SECOND
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        message = json.dumps(_done(descriptors[0], job)).encode()
        line.sendall(LENGTH.pack(len(message)) + message)


def _done(descriptor: int, job: dict[str, Any]) -> dict[str, Any]:
    import h5py

    try:
        with os.fdopen(descriptor, "rb") as stream, h5py.File(stream, "r") as image:
            if "recipe" in job:
                return {"recipe": str(image.attrs["recipe"])}
            for name, described in job["datasets"].items():
                if not _is_as_described(image, name, described, descriptor):
                    return {"problem": f"its index and HDF5 disagree about {name}", "disk": False}
            return {}
    except OSError as error:
        return {"problem": f"HDF5 cannot read it ({error})", "disk": bool(error.errno)}
    except (LookupError, MemoryError, RuntimeError, TypeError, ValueError) as error:
        return {"problem": f"HDF5 cannot read it ({error})", "disk": False}


def _is_as_described(image: Any, name: str, described: dict[str, Any], descriptor: int) -> bool:
    """Return whether a dataset lies in the file itself, in the chunks and places that the index names, and is those bytes."""
    import h5py
    import numpy as np

    shape, dtype = tuple(described["shape"]), np.dtype(described["dtype"])
    # A link to another file is not followed, and no value is taken from one.
    if (
        not isinstance(image.get(name, getlink=True), h5py.HardLink)
        or image.get(name, getclass=True) is not h5py.Dataset
    ):
        return False
    dataset = image[name]
    if (
        dataset.is_virtual
        or dataset.external
        or dataset.shape != shape
        or dataset.dtype.itemsize != dtype.itemsize
    ):
        return False
    if not shape[0]:
        return True
    rows, plan = described["chunk_rows"], dataset.id.get_create_plist()
    filters = [plan.get_filter(i)[0] for i in range(plan.get_nfilters())]
    if dataset.chunks != (rows, *shape[1:]) or filters != [FLETCHER32]:
        return False
    return all(
        _is_chunk(dataset, first, min(rows, shape[0] - first), dtype, offset, descriptor)
        for first, offset in zip(range(0, shape[0], rows), described["offsets"], strict=True)
    )


def _is_chunk(dataset: Any, first: int, rows: int, dtype: Any, offset: int, descriptor: int) -> bool:
    import numpy as np

    inside: Sequence[int] = (0,) * (len(dataset.shape) - 1)
    if dataset.id.get_chunk_info_by_coord((first, *inside)).byte_offset != offset:
        return False
    values = np.asarray(dataset[first : first + rows], dtype).tobytes()
    return values == os.pread(descriptor, len(values), offset)
