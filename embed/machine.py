"""What this machine gives to a process, and takes back."""

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

_share: int | None = None
_counting = threading.Lock()
_inside = 0  # blocks of `one_thread`
_limit: "_Limit | None" = None


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
    global _inside, _limit
    import scipy.linalg  # noqa: F401  brings a BLAS of its own, which must be loaded before it can be limited

    libraries = _libraries(len(sys.modules))
    with libraries.select(user_api="openmp").limit(limits=1):  # of this thread alone
        with _counting:
            if not _inside:
                _limit = _Limit(libraries.select(user_api="blas"))
            _inside += 1
        try:
            yield
        finally:
            with _counting:
                _inside -= 1
                if not _inside and _limit is not None:
                    _limit.end()


class _Limit:
    """A limit of what the whole process shares, in a thread of its own: only the thread that set it may take it back."""

    def __init__(self, libraries: "ThreadpoolController") -> None:
        self._libraries = libraries
        self._begun, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold, name="one-thread", daemon=True)
        self._thread.start()
        self._begun.wait()

    def _hold(self) -> None:
        with self._libraries.limit(limits=1):
            self._begun.set()
            self._over.wait()

    def end(self) -> None:
        self._over.set()
        self._thread.join()


@lru_cache(1)
def _libraries(modules: int) -> "ThreadpoolController":
    """Return what computes in threads, of so many modules: looking for it takes longer than a prediction."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
