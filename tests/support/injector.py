"""Faults of the disk below every library: the C code in ``fault.c``, preloaded, makes chosen calls fail."""

import ctypes
import errno
import os
import random
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("fault.c")
READING = ("readdir", "stat", "open", "read", "mmap")
WRITING = ("write", "fsync", "ftruncate", "rename", "link", "unlink", "mkdir")
ERRORS = (errno.EIO, errno.ESTALE, errno.EACCES, errno.ENOSPC)
FIRSTS = (1, 2, 3, 5, 8, 13, 21, 34, 55)  # which of the matching calls is the first to be hit


def build(folder):
    """Compile the shim into a folder, and return the library; None where the machine has no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    library = Path(folder) / "fault.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl", "-lpthread"]
    subprocess.run(command, check=True, capture_output=True)
    return library


def environment(library, rules=""):
    """Return the variables with which a process, and those that it starts, have the shim."""
    return {"LD_PRELOAD": os.fspath(library), "FAULT": rules}


def rule(call, action, part, first=1, count=1):
    """Return the text of a rule; see ``fault.c``."""
    return f"{call}:{action}:{first}:{count}:{part}"


def random_rule(chance: random.Random, parts):
    """Draw a rule whose path contains one of some parts."""
    call = chance.choice(READING + WRITING)
    actions = [*ERRORS, "short"] if call in ("read", "write") else ERRORS
    return rule(
        call, chance.choice(actions), chance.choice(parts), chance.choice(FIRSTS), chance.choice((1, 3, 0))
    )


class Injector:
    """The shim of this process, which has to have been preloaded."""

    def __init__(self):
        self._library = ctypes.CDLL(os.environ["LD_PRELOAD"])
        self._library.fault_seen.restype = ctypes.c_long

    def arm(self, *rules):
        """Follow these rules from here on, in processes that are started as well."""
        text = ";".join(rules)
        os.environ["FAULT"] = text
        self._library.fault_arm(os.fsencode(text))

    def seen(self, number=0):
        """Return how many calls of this process have matched a rule."""
        return self._library.fault_seen(number)
