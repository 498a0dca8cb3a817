"""Run the tests that depend on signals, processes, threads and browsers again and again on a busy machine.

    python tests/support/stress.py --runs 20 --busy 2

The line at the end counts the runs; the exit code is 0 only where all of them passed.
"""

import argparse
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUSY = "while True: pass"


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep processors busy beside what runs in the block."""
    running = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def main() -> int:
    """Run the tests, and return how many runs failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--busy", type=int, default=2, help="processes that compute beside the tests")
    options, further = parser.parse_known_args()
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", "timing and not torture and not giant"]
    failed = 0
    with busy(options.busy):
        for number in range(1, options.runs + 1):
            done = subprocess.run([*command, *further], cwd=ROOT, capture_output=True, text=True, check=False)
            failed += done.returncode != 0
            print(f"run {number}: {done.stdout.strip().splitlines()[-1]}", flush=True)
            if done.returncode:
                print(done.stdout, flush=True)
    print(f"Runs: {options.runs - failed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main())
