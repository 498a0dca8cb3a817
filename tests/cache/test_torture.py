"""Kills, crashes at every system call and power cuts, judged by one checker, which a broken writer does not pass."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).parents[1] / "support" / "torture.py"
MEMORY = Path("/dev/shm")  # faults are those of processes, not of disks: memory will do, and is faster


@pytest.fixture
def torture(tmp_path):
    """Run the harness in a process of its own, which forks the writers that it kills."""

    def run(*arguments, timeout=280):
        folder = MEMORY if os.access(MEMORY, os.W_OK) else tmp_path
        command = [sys.executable, HARNESS, *map(str, arguments), "--folder", folder]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def invariants(result):
    """Return the numbers of the invariants that were violated."""
    return {violation.split(": ")[1] for violation in result["violations"]}


def test_a_crash_before_any_system_call_loses_nothing(torture):
    result = torture("boundaries", "--every", 8)
    assert result["violations"] == []
    assert result["faults"] > 25


def test_kills_of_embed_extract_lose_nothing(torture):
    result = torture("kills", "--store", "extract", "--kills", 8)
    assert result["violations"] == []
    assert (result["faults"], result["reads"] > 0) == (8, True)


def test_power_cuts_lose_nothing(torture):
    result = torture("cuts", "--every", 7)
    assert result["violations"] == []
    assert result["faults"] > 120


def test_the_checker_fails_a_writer_that_appends_to_one_hdf5_file(torture):
    result = torture("boundaries", "--store", "append", "--every", 9)
    assert "1" in invariants(result)


@pytest.mark.parametrize("step", ["sync_folder", "_sync"])
def test_the_checker_fails_a_writer_that_does_not_sync(torture, step):
    assert "1" in invariants(torture("cuts", "--every", 25, "--without", step))


@pytest.mark.parametrize(
    ("step", "invariant"),
    [
        ("replay", "4"),
        ("failures", "7"),
        *(
            pytest.param(step, invariant, marks=pytest.mark.torture)
            for step, invariant in (("publish", "3"), ("sweep", "3"), ("order", "1"))
        ),
    ],
)
def test_the_checker_fails_a_writer_that_breaks_another_invariant(torture, step, invariant):
    assert invariant in invariants(torture("boundaries", "--every", 6, "--without", step))


@pytest.mark.torture
@pytest.mark.timeout(7200)
def test_a_long_run_loses_nothing(torture):
    runs = {
        "kills of embed extract": ("kills", "--store", "extract", "--kills", 150),
        "kills of a writer": ("kills", "--kills", 100),
        "crashes before a system call": ("boundaries",),
        "power cuts": ("cuts",),
    }
    for name, arguments in runs.items():
        result = torture(*arguments, timeout=3600)
        print(
            f"{name}: {result['faults']} faults, {result['rows']} rows committed, {result['reads']} reads meanwhile",
            flush=True,
        )
        assert result["violations"] == []
