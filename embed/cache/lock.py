"""One writer at a time: an exclusive lock that dies with the process that took it."""

import fcntl
import os
import socket
import weakref
from pathlib import Path

from embed.errors import CacheLockedError
from embed.files import write_error

LOCK_NAME = ".lock"


class Lock:
    """The exclusive lock of a feature set: one writer on this machine, named to whoever comes second."""

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK_NAME
        try:
            # Through no link: a file that lies elsewhere must not be emptied.
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        except OSError as error:
            raise write_error(path, error) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        except BlockingIOError as error:
            holder = os.pread(self._descriptor, 300, 0).decode(errors="replace").strip() or "another process"
            os.close(self._descriptor)
            raise CacheLockedError(
                f"{folder} is being written by {holder}: wait until it is done, or stop it"
            ) from error
        except OSError as error:
            os.close(self._descriptor)
            raise write_error(path, error) from error
        _held.add(self)

    def release(self) -> None:
        """Let the next writer in."""
        if self in _held:
            _held.discard(self)
            # Closing is not enough: a child that was just forked may not have closed its copy yet.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)

    def forget_in_child(self) -> None:
        """Close the copy that a forked child inherits, so that the lock dies with the process that took it."""
        os.close(self._descriptor)


_held: "weakref.WeakSet[Lock]" = weakref.WeakSet()


def _forget_locks_in_child() -> None:
    for lock in list(_held):
        lock.forget_in_child()
    _held.clear()


os.register_at_fork(after_in_child=_forget_locks_in_child)
