"""What this machine gives to a process, and takes back."""

import ctypes
import os
import sys

_share: int | None = None


def processors() -> int:
    """Return how many processors this process may use."""
    if _share is not None:
        return _share
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share(count: int) -> None:
    """Use so many processors and no more: others have the rest, though nothing keeps this process from them."""
    global _share
    _share = count


def return_memory() -> None:
    """Give what was freed back to the system at once, where the C library can."""
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim"):
        ctypes.CDLL(None).malloc_trim(0)
