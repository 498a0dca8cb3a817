"""Give a file another name in one step, and never that of another file."""

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

_HERE, _NO_REPLACE = -100, 1  # AT_FDCWD and RENAME_NOREPLACE of Linux
_NOT_KNOWN = frozenset((errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP))


@cache
def _system_call() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    call: Any = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    return call


def rename(file: Path, to: Path) -> None:
    """Give a file another name: it has either the one or the other, whatever happens meanwhile.

    Where the system cannot refuse a name that is taken by itself, it is looked at just before.

    Raises
    ------
    FileExistsError
        Something has the name.
    OSError
        The system refused.
    """
    call = _system_call()
    if call is not None:
        if call(_HERE, os.fsencode(file), _HERE, os.fsencode(to), _NO_REPLACE) == 0:
            return
        code = ctypes.get_errno()
        if code not in _NOT_KNOWN:
            raise OSError(code, os.strerror(code), str(to if code == errno.EEXIST else file))
    if os.path.lexists(to):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(to))
    file.rename(to)
