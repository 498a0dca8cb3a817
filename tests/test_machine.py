"""How many processors there are."""

import os

from embed.machine import processors


def test_processors_are_those_that_this_process_may_use(monkeypatch):
    assert processors() == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "process_cpu_count", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS
    assert processors() == os.cpu_count()
