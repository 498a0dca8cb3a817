"""How many processors there are, and how many a sum is shared out to."""

import os
from concurrent.futures import ThreadPoolExecutor

from embed.machine import one_thread, processors


def test_processors_are_those_that_this_process_may_use(monkeypatch):
    assert processors() == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "process_cpu_count", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS
    assert processors() == os.cpu_count()


def test_sums_are_shared_out_again_when_the_last_has_left_who_asked_for_one_thread():
    import scipy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    algebra = ThreadpoolController().select(user_api="blas")

    def threads():  # of OpenMP each thread of a program has a number of its own
        return {one["num_threads"] for one in algebra.info() if one.get("threading_layer") != "openmp"}

    before = threads()
    with ThreadPoolExecutor(1) as another:
        first = one_thread()
        another.submit(first.__enter__).result()
        with one_thread():
            assert threads() == {1}
            another.submit(first.__exit__, None, None, None).result()
            assert threads() == {1}
        assert threads() == before
