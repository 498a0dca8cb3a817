"""What a process that decodes may take: memory and processor time for one photograph, and no longer life than its parent.

All of it changes the whole process, so it is called in the sandbox only.
"""

import ctypes
import math
import mmap
import os
import resource
import signal
import sys
import warnings

from PIL import Image

_PR_SET_PDEATHSIG = 1


def settle(parent: int) -> None:
    """Make this process one that decodes: silent, without limits of Pillow's own, and ending with its parent.

    Elsewhere than on Linux it ends when it is done with the photograph at hand and finds nobody who asks for more.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before
            sys.exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")  # of damaged metadata, which spoil no pixel
    Image.MAX_IMAGE_PIXELS = None  # every request has a limit of its own


def address_space() -> int:
    """Return the bytes of address space that the process has now; 0 where that is not known."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - for every photograph, and twice as fast
            return int(statm.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def limit_memory(size: int) -> None:
    """Allow the process this many bytes of address space and no more."""
    if address_space():  # elsewhere the limit would not be obeyed either
        _set_soft(resource.RLIMIT_AS, size)


def can_have(size: int) -> bool:
    """Return whether the process can take this many bytes more. Decoders of C call it damage where they cannot."""
    try:
        mmap.mmap(-1, max(1, size)).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True


def lift_memory() -> None:
    """Allow any memory again."""
    _set_soft(resource.RLIMIT_AS, resource.RLIM_INFINITY)


def grant_seconds(more: float) -> None:
    """Let the system end the process when it has used this many seconds of processor time more."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _set_soft(resource.RLIMIT_CPU, math.ceil(usage.ru_utime + usage.ru_stime + more))


def _set_soft(kind: int, value: int) -> None:
    _, most = resource.getrlimit(kind)
    if most != resource.RLIM_INFINITY and (value == resource.RLIM_INFINITY or value > most):
        value = most
    resource.setrlimit(kind, (value, most))
