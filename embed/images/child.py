"""The process that decodes what could take long, take much memory, or print from C. See guard.py.

Requests come in on stdin, replies go out on stdout: a line of JSON, then as many bytes as it announces. A request
for more processor time than it was granted kills the process, and the parent sees that.
"""

import json
import math
import resource
import sys
import warnings
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

from embed.errors import ImageError
from embed.images.decode import CircumstanceError, Resize, decode


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Decode until there are no more requests."""
    while line := requests.readline():
        request = json.loads(line)
        data = requests.read(request["bytes"])
        _grant_seconds(request["seconds"])
        try:
            pixels = decode(data, Resize(request["size"], request["fit"]), max_pixels=request["max_pixels"])
            _reply(replies, {"shape": pixels.shape}, pixels.tobytes())
        except ImageError as error:
            circumstance = isinstance(error, CircumstanceError)
            _reply(replies, {"problem": str(error), "circumstance": circumstance})


def _reply(replies: BinaryIO, head: dict[str, Any], payload: bytes = b"") -> None:
    replies.write(json.dumps(head).encode() + b"\n" + payload)
    replies.flush()


def limit_memory(bytes_more: int) -> None:
    """Allow this much address space beyond what the process has now."""
    try:
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:  # no Linux: there the limit would not be obeyed either
        return
    resource.setrlimit(resource.RLIMIT_AS, (now + bytes_more, resource.RLIM_INFINITY))


def _grant_seconds(seconds: float) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = usage.ru_utime + usage.ru_stime
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used + seconds), most))


def main() -> None:
    """Serve the process that started this one."""
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None  # every request brings a limit of its own
    limit_memory(int(sys.argv[1]))
    serve(sys.stdin.buffer, sys.stdout.buffer)
