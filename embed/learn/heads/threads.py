"""The same numbers whatever the number of threads.

A sum that BLAS shares out between threads comes out different in its last bits for another number of threads,
so one thread does each; the cores are used by fitting several folds at once instead.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

MOST_THREADS = 4  # folds fitted at once, at most: each holds its own copy of the features


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let every linear-algebra call in the block use a single thread."""
    import scipy.linalg  # noqa: F401  brings a BLAS of its own, which must be loaded before it can be limited
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def in_threads(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Return the results of the function for every item, in order, computed side by side."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(min(MOST_THREADS, cores)) as pool:
        return list(pool.map(function, items))
