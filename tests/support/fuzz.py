"""Made-up content for every file that is read: ``python tests/support/fuzz.py --help``.

Hypothesis damages small files that are in order, bit by bit and by what they are built of, with checksums that hold
where a file has one. A process of its own reads them. It has to answer rightly, or to raise an EmbedError of one
sentence: any other exception, a signal, a wait without an end, a gigabyte of memory, a row that is lost or another one
is a finding. The smallest example of each is written to a file, from which `--again` repeats it.
"""

import argparse
import contextlib
import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from fuzz_damage import damaged
from fuzz_worker import TARGETS
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import FlakyFailure

SUPPORT = Path(__file__).parent
CORPUS = SUPPORT.parent / "data" / "fuzz"
MOST_SECONDS = 20  # of processor time for one example
ASLEEP_S = 120  # without any processor time: it waits for something that does not come
ROUND = 300  # examples that are drawn with one seed


class Finding(NamedTuple):
    """An example that was not judged well."""

    target: str
    file: str
    content: bytes
    where: str  # one for each fault
    text: str


class Worker:
    """The process that judges; another one is started where it died."""

    def __init__(self):
        self.process = None

    def files(self, target):
        """Return the files of a target that are in order, for `fuzz_damage.damaged`."""
        reply = self._ask({"target": target}, b"")
        assert "files" in reply, reply
        return {name: (shape, bytes.fromhex(data)) for name, (shape, data) in reply["files"].items()}

    def judge(self, target, file, content):
        """Return a finding, or None, and what else came of an example."""
        reply = self._ask({"target": target, "file": file, "bytes": len(content)}, content)
        if "finding" not in reply:
            return None, str(reply["outcome"])
        return Finding(target, file, content, f"{target}, {file}: {reply['where']}", reply["finding"]), reply[
            "where"
        ]

    def close(self):
        """End the process."""
        if self.process is not None:
            self.process.stdin.close()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            self.process = None

    def _ask(self, request, content):
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, SUPPORT / "fuzz_worker.py"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            )
        self.process.stdin.write(json.dumps(request).encode() + b"\n" + content)
        if (why := self._wait()) is not None:
            self.process.kill()
            return self._died(why)
        reply = b""
        while not reply.endswith(b"\n"):
            piece = self.process.stdout.read(1 << 20)
            if not piece:
                return self._died(None)
            reply += piece
        return json.loads(reply)

    def _wait(self):
        """Wait for a reply; return why it is not waited for any longer."""
        begin, last, changed = self._processor_time(), None, time.monotonic()
        while not select.select([self.process.stdout], [], [], 1)[0]:
            now = self._processor_time()
            if now - begin > MOST_SECONDS:
                return f"takes more than {MOST_SECONDS} s"
            if now != last:
                last, changed = now, time.monotonic()
            elif time.monotonic() - changed > ASLEEP_S:
                return "waits for ever"
        return None

    def _processor_time(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_bytes().rpartition(b")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def _died(self, why):
        code = self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process = None
        why = why or (f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with {code}")
        return {"finding": why, "where": why}


def fuzz(worker, target, examples=None, seconds=None, first_seed=0):
    """Judge examples of a target until so many were, or so much time has gone by.

    Returns
    -------
    count : int
    outcomes : dict of str to int
        How often reading was refused and how often there was an answer.
    findings : dict of str to Finding
        Of each fault, the smallest example.
    """
    files, deadline = worker.files(target), time.monotonic() + (seconds or 1e9)
    count, outcomes, findings = 0, {"answered": 0, "refused": 0}, {}
    number = first_seed
    while (examples is None or count < examples) and time.monotonic() < deadline:
        shrinking = None
        many = ROUND if examples is None else min(ROUND, examples - count)

        @seed(number)
        @settings(
            max_examples=many,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(damaged(files))
        def judge(example):
            nonlocal count, shrinking
            if time.monotonic() > deadline:
                return
            count += 1
            found, outcome = worker.judge(target, *example)
            outcomes["answered" if outcome in ("read", "pixels") else "refused"] += 1
            if found is None:
                return
            known = findings.get(found.where)
            if known is None or len(found.content) <= len(known.content):
                findings[found.where] = found
            # One fault at a time becomes smaller; those that take long or kill are kept as they were met.
            if shrinking is None and known is None and "Error" in found.where:
                shrinking = found.where
            assert found.where != shrinking, found.where

        with contextlib.suppress(AssertionError, FlakyFailure, ExceptionGroup):
            judge()
        number += 1
    return count, outcomes, findings


def keep(finding, folder):
    """Write an example into a folder, and return its file."""
    name = f"{finding.file.replace(' ', '_')}-{hashlib.sha256(finding.content).hexdigest()[:8]}"
    file = folder / finding.target / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(finding.content)
    return file


def again(worker, file):
    """Judge the example in a file of `keep`, and return the finding or None."""
    name = file.name.rpartition("-")[0].replace("_", " ")
    return worker.judge(file.parent.name, name, file.read_bytes())[0]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=20, help="For all targets together.")
    parser.add_argument("--seconds", type=float, help="For each target, instead.")
    parser.add_argument(
        "--target", nargs="+", choices=TARGETS, default=list(TARGETS), metavar="NAME", help=", ".join(TARGETS)
    )
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="By default another one each time."
    )
    parser.add_argument(
        "--out", type=Path, default=Path("fuzz-findings"), help="Folder of the examples that were found."
    )
    parser.add_argument("--again", type=Path, nargs="+", help="Judge these examples, and nothing else.")
    arguments = parser.parse_args()
    worker, failed = Worker(), 0
    try:
        if arguments.again:
            for file in arguments.again:
                found = again(worker, file)
                print(f"{file}: {'nothing' if found is None else found.text}", flush=True)
                failed += found is not None
            return int(failed > 0)
        print(f"seed {arguments.seed}", flush=True)
        share = arguments.seconds or 60 * arguments.minutes / len(arguments.target)
        for target in arguments.target:
            count, outcomes, findings = fuzz(worker, target, seconds=share, first_seed=arguments.seed)
            what = f"{count} examples, {outcomes['answered']} answered, {len(findings)} findings"
            print(f"{target}: {what}", flush=True)
            for found in findings.values():
                print(f"  {found.where}\n    {keep(found, arguments.out)}\n{found.text}", flush=True)
            failed += len(findings)
    finally:
        worker.close()
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
