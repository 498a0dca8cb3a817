"""Use the project for an hour while processes are killed and disks fail: ``make soak``.

Round by round the photographs change, other processes extract, fit, index, ask and are killed at a random moment or given a
disk that fails at a random call; after each, one checker judges what is left. Then one process that lives through all
rounds extracts, folds parts, fits, cross-validates, indexes and asks, and its memory, open files and threads are noted, with
the temporary files and processes that are left anywhere. Nothing may be lost, wrong, or grow.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import injector
from cache_checker import check, check_files
from cache_extract import ExtractStore, ExtractWorld
from torture import Log, fork, wait
from waiting import until

HERE = Path(__file__).resolve().parent
TOKEN = "EMBED_SOAK"
VICTIMS = 3  # processes that are harmed in a round
HANG_S = 240.0  # longer than any of them takes on the busiest machine
WARM_UP = 0.25  # share of the rounds in which memory may still grow
GROWTH, GROWTH_MB = 1.03, 8  # of memory between the medians of the second and of the last quarter
TRACEBACK = "Traceback (most recent call last)"
KINDS = ("rss_mb", "files", "threads", "decoders", "temporary", "processes")


def commands(folder):
    """Return what is done to be harmed: a name, and the arguments of Python."""
    data, cache, log = folder / "data", folder / "cache", folder / "log"
    photograph = next(path for path in sorted(data.rglob("*.png")) if path.read_bytes()[:4] == b"\x89PNG")
    extract = [HERE / "cache_extract.py", data, cache, log]

    def embed(*arguments):
        return ["-m", "embed.cli", *arguments, "--cache", cache]

    return {
        "extract": extract,
        "extract --rehash": [*extract, "--rehash"],
        "extract --verify": [*extract, "--verify"],
        "fit": embed("fit", "--name", "m", "--quiet"),
        "index": embed("index", "--kind", "ivf"),
        "similar": embed("similar", photograph, "-k", "3"),
        "predict": embed("predict", photograph),
        "duplicates": embed("duplicates"),
        "verify": embed("verify"),
        "info": embed("info"),
        "export": embed("export", folder / "out.npy", "--overwrite"),
        "report": embed("report", "--out", folder / "report.html"),
    }


class Resident:
    """The process that lives through all rounds."""

    def __init__(self, folder):
        command = [sys.executable, __file__, "--resident", "--folder", folder]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def step(self, number):
        """Let it do its round, and return what it reports."""
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the resident process ended with {self.process.wait()}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def live(folder):
    """Be the resident process: a round for each line of stdin."""
    import logging

    import cache_extract
    import numpy as np

    import embed
    from embed.cache import FeatureWriter
    from embed.cache import open_features as open_cache
    from embed.files import write
    from embed.learn import FitOptions, fit
    from embed.search import IndexOptions, open_index

    logging.disable()
    FeatureWriter.open.__func__.__kwdefaults__["rows_per_part"] = cache_extract.ROWS_PER_PART
    data, cache = folder / "data", folder / "cache"
    reply_to, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        number, wrong = int(line), []
        embed.extract_features(data, cache, backbone="tiny", retry_failed=True)
        features = embed.open(cache)
        known = open_cache(cache)
        X = known.X / np.linalg.norm(known.X, axis=1, keepdims=True)
        open_index(known, IndexOptions("ivf" if number % 2 else "auto"))
        for row in range(number % 7, len(X), 13):
            found = features.similar(known.root / known.paths[row], k=3)
            best = np.sort(np.delete(X @ X[row], row))[::-1][:3]
            if not np.allclose(found["similarity"], best, atol=1e-4):
                wrong.append(f"similar: {found['similarity'].tolist()} for {best.tolist()}")
        fitted = fit(known, FitOptions(classifier="logistic", name="m", cv=3 if number % 5 == 0 else None))
        if features.model("m").predict(X[:5]).shape != (5,):
            wrong.append("the model does not answer")
        del known, features, X, fitted
        write(folder / "page.html", str(number))  # whoever writes there sweeps what was left there
        status = Path("/proc/self/status").read_text()
        values = {
            key: rest.split()[0]
            for key, _, rest in (one.partition(":") for one in status.splitlines())
            if rest.split()
        }
        report = {
            "rss_mb": int(values["VmRSS"]) / 1024,
            "files": len(os.listdir("/proc/self/fd")),
            "threads": int(values["Threads"]),
            "decoders": sum(
                len(one.read_text().split()) for one in Path("/proc/self/task").glob("*/children")
            ),
            "wrong": wrong,
        }
        print(json.dumps(report), file=reply_to, flush=True)


class Soak:
    """The rounds, and what they came to."""

    def __init__(self, folder, seed):
        self.folder, self.chance = folder, random.Random(seed)
        self.world, self.store, self.log = ExtractWorld(folder), ExtractStore(folder), Log(folder / "log")
        for name in ("home", "tmp"):
            (folder / name).mkdir()
        os.environ |= {
            TOKEN: str(folder),
            "EMBED_HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
        }
        self.library = injector.build(folder)
        self.violations, self.harmed, self.rounds = [], Counter(), []
        self.resident = Resident(folder)
        self.durations = {}

    def run(self, minutes):
        """Go round until the time is over."""
        end = time.monotonic() + 60 * minutes
        number = 0
        while time.monotonic() < end and len(self.violations) < 20:
            self.world.prepare(number, lambda work: wait(fork(work)))
            if number:  # the first round makes what there is to harm
                for _ in range(VICTIMS):
                    self.harm(number)
            report = self.resident.step(number)
            self.log.acknowledge({"": number})
            what = f"round {number}"
            self.judge(
                what, check(self.store, self.world, self.log.read(), number, swept=True) + report.pop("wrong")
            )
            report["processes"] = self.processes()
            report["temporary"] = sum(
                path.name.startswith(".tmp") or path.parent == self.folder / "tmp"
                for path in self.folder.rglob("*")
            )
            self.rounds.append(report)
            # What was committed long ago has been judged again and again.
            self.log.file.write_text(json.dumps(self.world.versions(number) | {"": number}) + "\n")
            number += 1
            print(f"round {number}: {json.dumps(report)}, {len(self.violations)} violations", flush=True)
        self.resident.close()

    def harm(self, number):
        """Run a command that is killed, or whose disk fails, and judge what it left."""
        choices = commands(self.folder)
        weights = [4 if name.startswith("extract") else 1 for name in choices]
        (name,) = self.chance.choices(list(choices), weights)
        before = self.rows()
        rules, kill_after = "", None
        if self.library is None or self.chance.random() < 0.5:
            kill_after = self.chance.uniform(0, self.durations.get(name, 2.0))
        else:
            rules = injector.random_rule(self.chance, (str(self.folder / "cache"), str(self.folder / "data")))
        what = f"round {number}, {name} " + (
            f"killed after {kill_after:.2f} s" if kill_after is not None else rules
        )
        shim = injector.environment(self.library, rules) if rules else {}
        started = time.monotonic()
        with tempfile.TemporaryFile(dir=self.folder) as output:
            process = subprocess.Popen(
                [sys.executable, *map(str, choices[name])],
                env=os.environ | shim,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            try:
                status = process.wait(HANG_S if kill_after is None else kill_after)
            except subprocess.TimeoutExpired:
                if kill_after is None:
                    self.judge(what, ["it hangs"])
                os.killpg(process.pid, signal.SIGKILL) if kill_after is None else process.kill()
                status = process.wait()
            output.seek(0)
            told = output.read().decode(errors="replace")
        if kill_after is not None and status >= 0:
            self.durations[name] = time.monotonic() - started
        expected = (0, 1, 3, -signal.SIGKILL) if kill_after is not None else (0, 1, 3)
        if status not in expected or TRACEBACK in told or (status == 1 and "embed: " not in told):
            self.judge(what, [f"it ended with {status}: {told[-2000:]}"])
        self.harmed[
            ("killed" if status == -signal.SIGKILL else "unharmed") if not rules else "failing disk"
        ] += 1
        self.judge(what, check(self.store, self.world, self.log.read(), number, running=True))
        self.judge(what, check_files(self.folder / "cache"))
        there = self.world.versions(number)
        gone = before.keys() & there.keys() - self.rows().keys()
        self.judge(what, [f"7: the row of {path!r} left, whose photograph is there" for path in sorted(gone)])
        aside = [path.name for path in (self.folder / "cache").glob("*/damaged/*")]
        self.judge(what, [f"9: {aside} were set aside, and nothing was damaged"] if aside else [])

    def rows(self):
        """Return the rows that a reader sees."""
        return self.store.read()[0]

    def processes(self):
        """Return how many processes are left beside this one and the resident, once they had time to end."""

        # The decoders that the resident keeps are its own; more than it has processors would show in what grows.
        ours = {str(os.getpid()), str(self.resident.process.pid)}

        def left():
            count = 0
            for entry in Path("/proc").glob("[0-9]*"):
                try:
                    if f"{TOKEN}={self.folder}".encode() in (entry / "environ").read_bytes():
                        parent = (entry / "status").read_text().partition("PPid:")[2].split()[0]
                        count += not ours & {entry.name, parent}
                except (OSError, IndexError):
                    continue
            return count

        try:
            until(lambda: left() == 0, "processes to end", 30.0)
        except AssertionError:
            return left()
        return 0

    def judge(self, what, found):
        for violation in found:
            print(f"VIOLATION {what}: {violation}", flush=True)
        self.violations += [f"{what}: {violation}" for violation in found]

    def summary(self, minutes):
        """Return what the soak came to."""
        quarter = max(1, len(self.rounds) // 4)
        parts = {"second quarter": self.rounds[quarter : 2 * quarter], "last quarter": self.rounds[-quarter:]}
        medians = {
            name: {kind: round(statistics.median(one[kind] for one in part), 1) for kind in KINDS}
            for name, part in parts.items()
            if part
        }
        early, late = (medians.get(name, {}) for name in parts)
        if early and len(self.rounds) > 8:
            limit = early["rss_mb"] * GROWTH + GROWTH_MB
            grown = [kind for kind in ("files", "threads", "decoders") if late[kind] > early[kind]]
            grown += ["rss_mb"] if late["rss_mb"] > limit else []
            self.judge("the hour", [f"{kind} grew: {early[kind]} to {late[kind]}" for kind in grown])
        for kind in ("temporary", "processes"):
            left = [number for number, one in enumerate(self.rounds) if one[kind]]
            self.judge("the hour", [f"{kind} were left after rounds {left}"] if left else [])
        return {
            "minutes": minutes,
            "rounds": len(self.rounds),
            "harmed": dict(self.harmed),
            "rows at the end": len(self.rows()),
            **medians,
            "violations": self.violations,
        }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="Where to work; by default a folder that is removed.")
    parser.add_argument("--out", type=Path, help="Where to write the result as JSON.")
    parser.add_argument("--resident", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.resident:
        live(arguments.folder)
        return 0
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="soak-") as scratch:
        soak = Soak(Path(scratch), arguments.seed)
        soak.run(arguments.minutes)
        result = soak.summary(arguments.minutes)
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    print_table(result)
    return len(result["violations"])


def print_table(result):
    """Print the one table."""
    print(f"{result['minutes']:g} minutes, {result['rounds']} rounds; harmed: {result['harmed']}")
    print(f"{'':16}{'second quarter':>16}{'last quarter':>16}")
    for kind in KINDS:
        row = [result.get(name, {}).get(kind, "") for name in ("second quarter", "last quarter")]
        print(f"{kind:16}{row[0]:>16}{row[1]:>16}")
    print(f"violations: {len(result['violations'])}")


if __name__ == "__main__":
    sys.exit(main())
