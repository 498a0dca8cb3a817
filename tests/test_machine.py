"""How many processors there are, and how many a sum is shared out to."""

import os

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
    with algebra.limit(limits=2):
        first, second = one_thread(), one_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert {one["num_threads"] for one in algebra.info()} == {1}
        second.__exit__(None, None, None)
        assert {one["num_threads"] for one in algebra.info()} == {2}
