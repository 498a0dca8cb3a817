"""How a command ends: exit codes, and the signal that ends it early."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

ERROR = 1
USAGE = 2
SOME_FAILED = 3
INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def of_photographs(*, done: int, failed: int, strict: bool) -> int:
    """Return the code of a command that went through photographs: an error where none could be used."""
    if failed and not done:
        return ERROR
    return SOME_FAILED if failed and strict else 0


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM, by which a batch system ends a job, do what Ctrl-C does: what is finished is kept."""
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
