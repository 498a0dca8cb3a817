"""Kill writers, cut the power, and judge what is left: ``python tests/support/torture.py --help``.

Prints one JSON document: how many faults were provoked, how many rows were committed and checked, and every violation.
"""

import argparse
import contextlib
import ctypes
import json
import os
import random
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
from functools import partial
from pathlib import Path

import cache_extract
from cache_broken import BROKEN, without
from cache_checker import check
from cache_faults import Calls, Disk
from cache_world import AppendStore, PartsStore, World, synchronise

from embed import files

SIGEV_SIGNAL = 0  # of <signal.h>: tell by a signal
STORES = {"parts": PartsStore, "append": AppendStore, "extract": cache_extract.ExtractStore}


class Log:
    """What a writer was told is committed, written where no fault can reach it."""

    def __init__(self, file):
        self.file = file

    def acknowledge(self, rows):
        with self.file.open("a") as file:
            file.write(json.dumps(rows) + "\n")

    def read(self):
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        return [json.loads(line) for line in lines if line.endswith("}")]


def fork(work):
    """Run ``work`` in a process of its own, which ends with its exit code, and return its id."""
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        code = 1
        try:
            work()
            code = 0
        except SystemExit as end:
            code = end.code
        except BaseException:  # noqa: BLE001 - a child process ends here, whatever happened
            traceback.print_exc()
        finally:
            os._exit(code)
    return process


def wait(process):
    """Return the exit status of a process, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


class Result:
    """Counts and violations of a series."""

    def __init__(self):
        self.faults = self.rows = self.reads = 0
        self.violations = []

    def judge(self, what, found):
        self.violations += [f"{what}: {violation}" for violation in found]


def at_every_boundary(kind, folder, every=1):
    """Kill a writer before each of its system calls, check, let the next run finish, and check again."""
    world, result = World(), Result()
    base = folder / "base"
    synchronise(STORES[kind](base), world, 0, Log(folder / "base.log").acknowledge)
    calls = count_calls(kind, base, folder, world)
    for boundary in range(0, calls, every):
        place, log = folder / str(boundary), Log(folder / f"{boundary}.log")
        copy(base, place)
        shutil.copy(folder / "base.log", log.file)
        store = STORES[kind](place)

        def work(store=store, place=place, log=log, boundary=boundary):
            with Calls(place / "cache", kill_before=boundary):
                synchronise(store, world, 1, log.acknowledge)

        if wait(fork(work)) != -signal.SIGKILL:
            result.judge(boundary, ["the writer was not killed"])
        result.faults += 1
        finish_and_check(result, f"killed before call {boundary}", store, world, log, 1)
        shutil.rmtree(place)
    return result


def copy(source, target):
    shutil.copytree(source, target)
    for meta in target.glob("cache/*/meta.json"):
        # The data folder moved along with the cache; no photograph lies in it, by which it could be known.
        document = files.read_document(meta)
        root = document["root"].replace(str(source), str(target))
        files.write_document(meta.parent, meta.name, document | {"root": root, "inode": 0})


def count_calls(kind, base, folder, world):
    place = folder / "count"
    copy(base, place)
    with Calls(place / "cache") as calls:
        synchronise(STORES[kind](place), world, 1, lambda rows: None)
    shutil.rmtree(place)
    return calls.count


def finish_and_check(result, what, store, world, log, generation):
    """Check what a fault left, let a run come to its end, and check that."""
    committed = log.read()
    result.judge(what, check(store, world, committed, generation))
    result.rows += sum(len(rows) for rows in committed)
    status = wait(fork(lambda: synchronise(store, world, generation, log.acknowledge)))
    if status:
        result.judge(f"{what}, next run", [f"1: it ended with {status}"])
    else:
        result.judge(f"{what}, next run", check(store, world, log.read(), generation, swept=True))


def at_random_moments(kind, folder, kills, seed=0):
    """Kill one writer after the other at random moments, with a reader looking on."""
    store, log = STORES[kind](folder), Log(folder / "log")
    world, run = World(), synchronise
    if kind == "extract":
        world, run = cache_extract.ExtractWorld(folder), cache_extract.synchronise
    result, chance = Result(), random.Random(seed)
    generation, whole, ended = -1, 0.0, True
    while result.faults < kills and len(result.violations) < 20:
        if ended:
            generation += 1
            whole = time_of(world, run, generation, folder / "trial", kind)
            shutil.rmtree(folder / "trial", ignore_errors=True)
        # Half of the kills strike while parts are being published, not while the program starts.
        publishing = chance.random() < 0.5
        seconds = chance.uniform(0, whole / 10 if publishing else whole)
        process = fork(
            partial(run_until_killed, partial(run, store, world, generation), log, publishing, seconds)
        )
        what = f"run {result.faults} of generation {generation}"
        while not has_ended(process):
            # What a reader must see is what was committed before it opened the set.
            committed = log.read()
            if committed:
                found = check(store, world, committed, generation, running=True)
                result.judge(f"reader beside {what}", found)
                result.reads += 1
            time.sleep(0.002)
        status = wait(process)
        ended = status == 0
        if status > 0:
            result.judge(what, [f"1: it ended with {status}"])
        result.faults += status == -signal.SIGKILL
        result.judge(what, check(store, world, log.read(), generation, swept=ended))
    result.rows = sum(len(rows) for rows in log.read())
    return result


def time_of(world, run, generation, folder, kind):
    """Bring the world to a generation, and return how long an uninterrupted run takes."""
    if kind == "extract":
        world.prepare(generation, lambda work: wait(fork(work)))
    started = time.monotonic()
    wait(fork(partial(run, STORES[kind](folder), world, generation, lambda rows: None)))
    return time.monotonic() - started


def run_until_killed(run, log, publishing, seconds):
    """Run a writer that is killed after so many seconds, counted from its first commit where it is to be publishing."""
    armed = not publishing

    def acknowledge(rows):
        nonlocal armed
        log.acknowledge(rows)
        if not armed:
            armed = True
            kill_after(seconds)

    if armed:
        kill_after(seconds)
    run(acknowledge)


def kill_after(seconds):
    """Have the kernel send SIGKILL to this process: a timer of its own strikes on time on the busiest machine."""
    libc = ctypes.CDLL(None, use_errno=True)
    event = struct.pack("Pii48x", 0, signal.SIGKILL, SIGEV_SIGNAL)
    timer = ctypes.c_void_p()
    whole, part = divmod(max(1, int(seconds * 1e9)), 10**9)
    if libc.timer_create(time.CLOCK_MONOTONIC, event, ctypes.byref(timer)) or libc.timer_settime(
        timer, 0, struct.pack("4l", 0, 0, whole, part), None
    ):
        raise OSError(ctypes.get_errno(), "no timer")


def has_ended(process):
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def at_power_cuts(kind, folder, every=1):
    """Cut the power after each system call, with every fate of what was not synced, and check."""
    world, result = World(files=12), Result()
    place = folder / "place"
    (place / "data").mkdir(parents=True)
    with Calls(place) as calls:

        def acknowledge(rows):
            calls.trace.append(("acknowledge", rows))

        for generation in (0, 1):
            calls.trace.append(("generation", generation))
            synchronise(STORES[kind](place), world, generation, acknowledge)
    disk, generation = Disk(), 0
    for moment, event in enumerate(calls.trace):
        if event[0] == "generation":
            generation = event[1]
            continue
        disk.apply(event)
        if moment % every:
            continue
        fates = {
            (survivors, content)
            for survivors in (0, len(disk.pending) // 2, len(disk.pending))
            for content in ("all", "none", "half", "zeros")
        }
        for survivors, content in sorted(fates):
            root = folder / "cut"
            disk.cut(str(root), survivors, content)
            store = STORES[kind](Path(str(root) + str(place)))
            what = f"power cut after call {moment} ({event[0]}), {survivors} names, {content} of the content"
            result.judge(what, check(store, world, disk.acknowledged, generation))
            result.faults += 1
            shutil.rmtree(root, ignore_errors=True)
    result.rows = sum(len(rows) for rows in disk.acknowledged)
    return result


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("fault", choices=["boundaries", "kills", "cuts"])
    parser.add_argument("--store", choices=STORES, default="parts")
    parser.add_argument("--kills", type=int, default=15)
    parser.add_argument("--every", type=int, default=1, help="Take only every n-th boundary.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--folder", type=Path, help="Where to work; by default a folder that is removed afterwards."
    )
    parser.add_argument("--without", choices=BROKEN, help="Leave a step of the protocol out.")
    arguments = parser.parse_args()
    broken = without(arguments.without) if arguments.without else contextlib.nullcontext()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as scratch, broken:
        folder = Path(scratch)
        if arguments.fault == "boundaries":
            result = at_every_boundary(arguments.store, folder, every=arguments.every)
        elif arguments.fault == "kills":
            result = at_random_moments(arguments.store, folder, arguments.kills, arguments.seed)
        else:
            result = at_power_cuts(arguments.store, folder, arguments.every)
    print(json.dumps(vars(result), indent=2))


if __name__ == "__main__":
    main()
