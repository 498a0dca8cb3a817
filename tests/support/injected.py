"""Make one call of the C library after the other fail under every command, and judge what is told and what is left.

Run with the shim of `injector` preloaded. Prints one JSON document: the faults that struck, and every violation.
"""

import argparse
import contextlib
import errno
import importlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from cache_broken import without
from cache_checker import check_files
from injector import ERRORS, READING, WRITING, Injector, rule
from torture import fork, wait

from embed import demo
from embed.cache import open_features
from embed.cli import main, register
from embed.errors import EmbedError

DEADLINE_S = 120  # longer than any command takes here
TOLD = "embed: "
STEP = 100  # faults between two lines on the way
# What the commands import: once, and not in every process that is forked.
IMPORTED = (
    "faiss",
    "jinja2",
    "openvino",
    "pandas",
    "skops.io",
    "sklearn.calibration",
    "sklearn.linear_model",
)
IMPORTED += ("sklearn.model_selection", "sklearn.pipeline")
ANSWERS = {
    "predict",
    "similar",
    "duplicates",
    "mislabelled",
    "info",
    "verify",
}  # whose output is what they are for
FITTED = {"fit", "predict", "mislabelled", "report", "verify"}  # commands that have to do with a model
SPOILS = {"extract", "fit", "index"}  # commands that write into the cache


class Scene:
    """Photographs, a cache of an earlier state of them, and what the commands say where nothing fails.

    Parameters
    ----------
    folder : Path
    commands : set of str
        That are going to be run.
    """

    def __init__(self, folder, commands):
        first = [
            "extract",
            *(["fit"] if commands & FITTED else []),
            *(["index"] if commands - {"extract"} else []),
        ]
        self.folder, self.data, self.base = folder, folder / "photographs", folder / "base"
        os.environ["EMBED_HOME"] = str(folder / "home")
        demo.draw(self.data, train=3, test=1)
        (self.data / "test" / "no.jpg").write_bytes(b"no photograph")
        self.photograph = next((self.data / "test").rglob("*.jpg"))
        for command in first:
            self.do(command, self.base)
        files = sorted((self.data / "train").rglob("*.jpg"))
        self.before = self.rows(self.base)
        os.utime(files[0], (1, 1))
        shutil.copy(files[2], files[1])
        files[3].unlink()
        demo.draw(folder / "more", train=4, test=0)
        shutil.copy(sorted((folder / "more").rglob("*-003.jpg"))[0], files[3].with_name("new.jpg"))
        self.current = folder / "current"
        shutil.copytree(self.base, self.current)
        for command in first:
            self.do(command, self.current)
        self.after = self.rows(self.current)
        self.said = {}

    def arguments(self, command, cache):
        """Return the command line of a command."""
        out = cache.with_name(cache.name + "-out")
        return {
            "extract": ["extract", self.data, "--backbone", "tiny", "--quiet"],
            "fit": ["fit", "--name", "m", "--quiet"],
            "predict": ["predict", self.photograph],
            "similar": ["similar", self.photograph, "-k", "3"],
            "index": ["index", "--kind", "ivf"],
            "duplicates": ["duplicates"],
            "mislabelled": ["mislabelled"],
            "report": ["report", "--out", out.with_suffix(".html"), "--no-maps"],
            "verify": ["verify"],
            "info": ["info", "--json"],
            "export": ["export", out.with_suffix(".npy"), "--overwrite"],
        }[command] + ["--cache", cache]

    def do(self, command, cache, arm=lambda: None):
        """Run a command in a process of its own; return its exit status, and what it printed to stdout and stderr."""
        names = [self.folder / f"stream {number}" for number in (1, 2)]

        def work():
            signal.alarm(DEADLINE_S)
            for number, name in enumerate(names, 1):
                os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            arm()
            code = main(list(map(str, self.arguments(command, cache))))
            sys.stdout.flush()
            raise SystemExit(code)

        status = wait(fork(work))
        return status, *(name.read_text(errors="replace").replace(str(cache), "CACHE") for name in names)

    def begin(self, command, cache):
        """Make the cache in which a command has something to do."""
        shutil.copytree(self.base if command == "extract" else self.current, cache)
        if command == "index":
            for index in cache.glob("*/index"):
                shutil.rmtree(index)

    def rows(self, cache):
        """Return what a reader sees: by path, the content and the features of each row."""
        known = open_features(cache)
        columns = zip(known.paths, known.sha256, known.sizes, known.X, strict=True)
        return {path: (digest.tobytes(), int(size), x.tobytes()) for path, digest, size, x in columns}

    def clean(self, command):
        """Return what a command prints where nothing fails."""
        if command not in self.said:
            place = self.folder / "clean"
            self.begin(command, place)
            self.said[command] = self.do(command, place)
            shutil.rmtree(place)
        return self.said[command]

    def judge(self, command, cache, status, out, told):
        """Return what is wrong after a command whose disk failed."""
        found = []
        if status not in (0, 1, 3):
            found.append(f"it ended with {status}: {told[-1500:]}")
        if status == 1 and TOLD not in told:
            found.append(f"nothing says why it ended with 1: {told[-500:]!r}")
        if status == 0 and command in ANSWERS and out != self.clean(command)[1]:
            found.append(f"the answer is another one: {out[:500]!r}")
        found += check_files(cache)
        found += self._judge_rows(command, cache)
        found += self._judge_outcome(command, cache) if status == 0 else []
        return found

    def _judge_rows(self, command, cache):
        try:
            rows = self.rows(cache)
        except EmbedError as error:
            return [f"1: the set cannot be read: {error}"]
        if command != "extract":
            return [] if rows == self.after else ["2: the rows have changed"]
        found = []
        for path in self.before.keys() | self.after.keys():
            allowed = [rows_of.get(path) for rows_of in (self.before, self.after)]
            if rows.get(path) not in allowed:
                what = "has left" if path not in rows else "is another one"
                found.append(f"1: the row of {path!r} {what}")
        aside = list(cache.glob("*/damaged/*"))
        return found + ([f"9: {aside[0].name} was set aside, and nothing is damaged"] if aside else [])

    def _judge_outcome(self, command, cache):
        """What exits with 0 has been done."""
        from embed.learn.models import stored
        from embed.search.faiss_store import FaissStore

        out = cache.with_name(cache.name + "-out")
        known = open_features(cache)
        if command == "index":
            store = FaissStore.load(known.folder)
            if store is None or store.fingerprint != known.fingerprint:
                return ["the index was not kept, and nothing says so"]
        if command == "fit" and len(stored(known, "m").predict(known.X)) != len(known):
            return ["the model does not answer"]
        if command == "export" and not np.array_equal(np.load(out.with_suffix(".npy")), known.X):
            return ["what was exported is not what is there"]
        if command == "report" and not out.with_suffix(".html").read_text().rstrip().endswith("</html>"):
            return ["the report is not whole"]
        return []

    def mend(self, cache):
        """Return what is wrong after the next run, whose disk is well."""
        status, _, told = self.do("extract", cache)
        found = [f"the next run ended with {status}: {told[-1500:]}"] if status else []
        if not found and self.rows(cache) != self.after:
            found.append("4: the next run does not give the set of an uninterrupted one")
        known = open_features(cache)
        failed = [failure.path for failure in known.failures()]
        if failed != ["test/no.jpg"]:
            found.append(f"7: {len(known)} rows and the failures {failed} do not make up the files")
        if not known.meta.complete:
            found.append("4: the next run came to its end and the set does not say so")
        left = [path.name for path in cache.glob("*/.tmp*")]
        return found + ([f"3: {left} were not swept"] if left else [])


COMMANDS = (
    "extract",
    "fit",
    "predict",
    "similar",
    "index",
    "duplicates",
    "mislabelled",
    "report",
    "verify",
    "info",
    "export",
)


def chosen(scene, shim, chance, commands, every):
    """Yield commands and rules: each call of each command at several moments, once and for good, with every error."""
    number = 0
    for command in commands:
        for place in ("cache", "data"):
            for call in READING + WRITING:
                cache = scene.folder / "counted"
                scene.begin(command, cache)
                part = str(cache if place == "cache" else scene.data)
                count = counted(scene, shim, command, cache, rule(call, "count", part))
                shutil.rmtree(cache)
                firsts = {
                    1,
                    2,
                    count // 2,
                    count - 1,
                    count,
                    *(chance.randint(1, max(1, count)) for _ in range(3)),
                }
                for first in sorted(first for first in firsts if 0 < first <= count):
                    actions = [*ERRORS, "short"] if call in ("read", "write") else ERRORS
                    for action in chance.sample(actions, 2):
                        for times in (1, 0):
                            number += 1
                            if number % every == 0:
                                yield command, call, action, place, first, times, ""


def counted(scene, shim, command, cache, counting):
    """Return how many calls of a command match a rule."""
    told = scene.folder / "count"

    def arm():
        shim.arm(counting)
        exit_now = os._exit

        def leave(code):
            told.write_text(str(shim.seen()))
            exit_now(code)

        os._exit = leave

    scene.do(command, cache, arm)
    return int(told.read_text())


def named(text):
    """Return the fault that ``COMMAND:CALL:ACTION:PLACE:FIRST:TIMES`` names; the action is an errno or "short".

    The place is "cache", "data", or what a path contains. ``@STEP`` at its end leaves out a step that keeps rows.
    """
    fault, _, step = text.partition("@")
    command, call, action, place, first, times = fault.split(":")
    return command, call, getattr(errno, action, action), place, int(first), int(times), step


def run(scene, shim, faults):
    """Provoke the faults; return what came of it."""
    result = {"faults": 0, "struck": {}, "violations": []}
    for command, call, action, place, first, times, step in faults:
        cache = scene.folder / "cache"
        scene.begin(command, cache)
        part = {"cache": str(cache), "data": str(scene.data)}.get(place, place)
        struck = rule(call, action, part, first, times)
        with without(step) if step else contextlib.nullcontext():
            status, out, told = scene.do(command, cache, partial(shim.arm, struck))
            found = scene.judge(command, cache, status, out, told)
            if command in SPOILS:
                found += scene.mend(cache)
        result["faults"] += 1
        key = f"{command}, exit {status}"
        result["struck"][key] = result["struck"].get(key, 0) + 1
        name = os.strerror(action) if isinstance(action, int) else action
        what = f"{command}, {name} from {call} {first} in the {place}" + (
            "" if times else " and all that follow"
        )
        what += f" without {step}" if step else ""
        result["violations"] += [f"{what}: {violation}" for violation in found]
        if result["faults"] % STEP == 0:
            lines = [f"{result['faults']} faults, at {command}", *result["violations"]]
            print(*lines, sep="\n", file=sys.stderr, flush=True)
        for path in scene.folder.glob("cache*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return result


def main_():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=COMMANDS)
    parser.add_argument(
        "--fault", nargs="+", default=[], metavar="FAULT", help="These alone, as `named` reads them."
    )
    parser.add_argument("--every", type=int, default=1, help="Take only every n-th fault.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="injected-") as scratch:
        register()
        for module in IMPORTED:
            importlib.import_module(module)
        shim = Injector()
        faults = [named(text) for text in arguments.fault]
        scene = Scene(Path(scratch), {fault[0] for fault in faults} or set(arguments.commands))
        if not faults:
            chance = random.Random(arguments.seed)
            faults = chosen(scene, shim, chance, arguments.commands, arguments.every)
        result = run(scene, shim, faults)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main_()
