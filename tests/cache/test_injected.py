"""Calls of the C library that fail in the data folder and in the cache, during every command, judged by one checker."""

import json
import os
import subprocess
import sys
from pathlib import Path

import injector
import pytest

HARNESS = Path(__file__).parents[1] / "support" / "injected.py"
MEMORY = Path("/dev/shm")  # nothing is lost with the power here, and memory is faster

# A fault of each call; the long run strikes each call of each command at several moments, and in both places.
FAULTS = [
    "extract:readdir:EIO:data:3:0",
    "extract:stat:ESTALE:data:5:0",
    "extract:open:EACCES:data:2:1",
    "extract:read:short:cache:4:0",
    "extract:fsync:EIO:cache:2:1",
    "extract:link:EIO:cache:1:1",
    "extract:rename:ENOSPC:cache:2:1",
    "index:write:ENOSPC:cache:2:0",
    "index:mmap:EIO:cache:1:0",
    "similar:read:EIO:cache:3:0",
    "duplicates:mmap:EIO:cache:1:0",
    "info:stat:ESTALE:cache:2:0",
    "export:open:EACCES:cache:4:1",
]
# What a broken step is found by, and the invariant that it breaks.
FOUND = {
    "publish": ("extract:write:ENOSPC:/part-:2:0", "3"),
    "sweep": ("extract:unlink:EIO:cache:1:0", "3"),
    "replay": ("extract:stat:EIO:cache:2:1", "4"),
    "failures": ("extract:stat:EIO:cache:2:1", "7"),
    "listing": ("extract:readdir:EIO:photographs/train:1:0", "1"),
    "reach": ("extract:stat:ESTALE:-000.jpg:1:0", "1"),
    "reading": ("extract:read:EIO:/part-:1:1", "9"),
    "index": ("index:rename:ENOSPC:manifest.json:1:0", "the index was not kept, and nothing says so"),
}


@pytest.fixture(scope="module")
def inject(tmp_path_factory):
    """Run the harness with the shim preloaded, and return what it found."""
    place = tmp_path_factory.mktemp("shim")
    library = injector.build(place)
    if library is None:
        pytest.skip("this machine has no compiler of C")

    def run(*arguments, timeout=280):
        folder = MEMORY if os.access(MEMORY, os.W_OK) else place
        command = [sys.executable, HARNESS, *map(str, arguments), "--folder", folder]
        shim = injector.environment(library)
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, **shim}, timeout=timeout
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def struck(inject):
    """Return what came of all faults: photographs and caches are made once for them."""
    broken = [f"{fault}@{step}" for step, (fault, _) in FOUND.items()]
    return inject("--fault", *FAULTS, *broken, timeout=1500)


@pytest.mark.timeout(1500)
def test_a_call_that_fails_is_told_and_loses_nothing(struck):
    assert [violation for violation in struck["violations"] if " without " not in violation] == []
    assert struck["faults"] == len(FAULTS) + len(FOUND)
    assert struck["struck"]["extract, exit 1"] > 1


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("step", FOUND)
def test_a_broken_step_is_found(struck, step):
    found = [violation for violation in struck["violations"] if f" without {step}: " in violation]
    assert any(violation.split(": ")[1] == FOUND[step][1] for violation in found), found


@pytest.mark.torture
@pytest.mark.timeout(6 * 3600)
def test_every_call_of_every_command_may_fail(inject):
    result = inject(timeout=6 * 3600)
    print(f"{result['faults']} faults: {result['struck']}", flush=True)
    assert result["violations"] == []
