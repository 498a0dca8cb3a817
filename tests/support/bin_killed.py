"""Put photographs aside, and back, in processes that are killed before each of their system calls.

    python bin_killed.py FOLDER

For every call a process of its own begins anew with the same photographs and is killed before it makes that call. What it
leaves is then put back. Prints how many processes were killed, as JSON; ends with an error where a photograph was lost.
"""

import json
import os
import shutil
import signal
import sys
from functools import partial
from pathlib import Path

from embed.moving import Bin, Wanted
from embed.moving import bin as module

NAMES = ["train/a/1.jpg", "train/a/2.jpg", "test/b/1.jpg"]


def killed_before(step, work):
    """Return whether a process that does some work is killed before its call of this number, or comes to its end."""
    child = os.fork()
    if child == 0:
        left = step

        def counted(call):
            def made(*arguments, **options):
                nonlocal left
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1
                return call(*arguments, **options)

            return made

        for name in ("open", "write", "fsync", "mkdir", "rmdir"):
            setattr(os, name, counted(getattr(os, name)))
        module.rename = counted(module.rename)
        work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL), code
    return code != 0


def begin(folder):
    """Return a bin beside new photographs."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in NAMES:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return Bin(folder / ".embed-bin", folder)


def state(folder):
    """Return what the photographs hold, by their names; none of them may be in two places."""
    everywhere = [file.read_text() for file in folder.rglob("*.jpg")]
    assert sorted(everywhere) == sorted(NAMES), everywhere
    return {name: file.read_text() for name in NAMES if (file := folder / name).exists()}


def main():
    folder = Path(sys.argv[1]) / "photographs"
    whole = {name: name for name in NAMES}
    killed = {"moving": 0, "restoring": 0, "in the bin": set()}
    for wanted in ("moving", "restoring"):
        step = 0
        while True:
            bin = begin(folder)
            if wanted == "restoring":
                bin.move(map(Wanted, NAMES))
            work = partial(bin.move, [*map(Wanted, NAMES)]) if wanted == "moving" else bin.restore
            if not killed_before(step, work):
                break
            killed[wanted] += 1
            step += 1
            inside = {one.path for one in bin.contents()}
            assert inside == set(NAMES) - set(state(folder))
            killed["in the bin"].add(len(inside))
            if inside:
                bin.restore()
            assert state(folder) == whole
            # And it goes on as if nothing had happened.
            assert len(bin.move(map(Wanted, NAMES)).photographs) == len(NAMES)
            assert state(folder) == {}
            bin.restore()
            assert state(folder) == whole
    print(json.dumps({**killed, "in the bin": sorted(killed["in the bin"])}))


if __name__ == "__main__":
    main()
