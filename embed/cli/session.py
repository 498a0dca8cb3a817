"""What has been said in a terminal before, so that it need not be said with every command."""

import hashlib
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

HOURS = 12.0  # after which something is said again


def is_new(words: str) -> bool:
    """Return whether something has not been said in this terminal yet, or not for long; from now on it has been.

    Where stderr is no terminal everything is new: a log is read by itself.
    """
    if not sys.stderr.isatty():
        return True
    from embed.errors import EmbedError
    from embed.files import write
    from embed.files.home import kept

    digest = hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()
    # The session of a shell, and its terminal: numbers of sessions come again.
    place = kept("said", f"{os.getsid(0)}-{Path(os.ttyname(sys.stderr.fileno())).name}")
    with suppress(OSError, UnicodeError):
        if time.time() - place.stat().st_mtime < HOURS * 3600 and place.read_text("ascii") == digest:
            return False
    with suppress(EmbedError):
        write(place, digest)
    return True
