"""Wait for what a test needs, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

DEADLINE_S = 120.0  # so long that only a fault reaches it, on a busy machine too
BUSY_S = 600.0  # for what begins with Ray, which takes ten seconds of a processor for each process
POLL_S = 0.01


def until(
    condition: Callable[[], Found], what: str, seconds: float = DEADLINE_S, every: float = POLL_S
) -> Found:
    """Return what `condition` returns once that is true; fail with `what` when it never is."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(every)
    return found
