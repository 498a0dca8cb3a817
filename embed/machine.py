"""What this machine gives to a process, and takes back."""

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

_share: int | None = None
_counting = threading.Lock()
_limits: list[
    tuple[Any, Any]
] = []  # of the linear algebra of the whole process: its libraries, and what restores them
_inside = 0


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


@contextmanager
def one_thread() -> Iterator[None]:
    """Let every sum of linear algebra in the block use a single thread: one that is shared out differs in its last bits.

    Several threads may be in such a block at once; linear algebra has its threads again when the last of them has left.
    """
    global _inside
    import scipy.linalg  # noqa: F401  brings a BLAS of its own, which must be loaded before it can be limited

    libraries = _libraries(len(sys.modules))
    with libraries.select(user_api="openmp").limit(limits=1):  # of this thread alone
        with _counting:
            _inside += 1
            if not _limits or _limits[-1][0] is not libraries:
                _limits.append((libraries, libraries.select(user_api="blas").limit(limits=1)))
        try:
            yield
        finally:
            with _counting:
                _inside -= 1
                while _limits and not _inside:
                    _limits.pop()[1].restore_original_limits()


@lru_cache(1)
def _libraries(modules: int) -> "ThreadpoolController":
    """Return what computes in threads, of so many modules: looking for it takes longer than a prediction."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
