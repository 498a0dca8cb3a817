"""What this machine gives to a process."""

import os

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
