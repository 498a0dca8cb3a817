"""Starts processes for a test, and leaves none of them behind, whatever happens to the test.

A process of its own starts them: whatever they start in turn becomes its child when its parent dies. When the test closes the pipe
to it, or dies, it kills all of them.
"""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

SUBREAPER = 36  # of prctl
PATIENCE_S = 20


class Keeper(contextlib.AbstractContextManager):
    """What a test says to the process."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @property
    def pid(self):
        return self._process.pid

    def start(self, command, log, env=None, cwd="/"):
        """Start a command, with its output in a file, and return its pid."""
        said = {
            "command": [str(one) for one in command],
            "log": str(log),
            "env": env or dict(os.environ),
            "cwd": str(cwd),
        }
        return self._ask(said)

    def code(self, pid):
        """Return the exit code of a command, None while it runs."""
        return self._ask({"code": pid})

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _ask(self, said):
        self._process.stdin.write(json.dumps(said) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def parents():
    """Return the parent of each process that is there and is no zombie."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                state, parent = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[:2]
                if state != "Z":
                    found[int(entry.name)] = int(parent)
    return found


def below(pid):
    """Return the processes that a process has started, and those that they have started."""
    above = parents()
    found, todo = set(), [pid]
    while todo:
        one = todo.pop()
        children = {child for child, parent in above.items() if parent == one} - found
        found |= children
        todo += children
    return found


def kill_all():
    """Kill whatever this process has started."""
    deadline = time.monotonic() + PATIENCE_S
    while (left := below(os.getpid())) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        reap({})
        time.sleep(0.02)


def reap(codes):
    """Note how children ended."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            codes[ended[0]] = os.waitstatus_to_exitcode(ended[1])


def main():
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    codes = {}
    try:
        for line in sys.stdin:
            said = json.loads(line)
            reap(codes)
            if "code" in said:
                reply = codes.get(said["code"])
            else:
                with open(said["log"], "ab") as log:
                    reply = subprocess.Popen(
                        said["command"],
                        env=said["env"],
                        cwd=said["cwd"],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    ).pid
            print(json.dumps(reply), flush=True)
    finally:
        kill_all()


if __name__ == "__main__":
    main()
