"""Why a file cannot be used, in words."""

import errno
import re
import stat
from pathlib import Path

DANGLING = "is a link to a file that does not exist"

_URL = re.compile(r"[a-z][a-z0-9+.-]+:/|data:", re.IGNORECASE)

_KINDS = (
    (stat.S_ISREG, "a file"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


def is_url(text: str) -> bool:
    """Return whether a text looks like a URL, also one that was taken for a path, which has one slash less."""
    return _URL.match(text) is not None


def kind(mode: int) -> str:
    """Return what a thing of this mode is called."""
    return next((name for is_kind, name in _KINDS if is_kind(mode)), "something")


def reason(error: OSError) -> str:
    """Return the cause of an error of the operating system as a phrase in lower case."""
    return (error.strerror or type(error).__name__).lower()


def why(path: Path, error: OSError) -> str:
    """Return why a file cannot be looked at."""
    if error.errno == errno.ELOOP:
        return "is a link that leads back to itself"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        if is_url(str(path)):
            return "is a URL, and nothing is downloaded here: save it as a file first"
        return DANGLING if path.is_symlink() else "there is no such file"
    return f"cannot be read: {reason(error)}"
