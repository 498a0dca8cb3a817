"""A cluster that the command starts on this machine, and ends with it."""

import os
import signal
import sys
from pathlib import Path

import pytest
from keeper import Keeper, below
from ray_extract import reads
from ray_nodes import SUPPORT, last_json, needs_ray
from same_sets import assert_same
from traps import make_traps, ran
from waiting import BUSY_S, until

pytestmark = pytest.mark.timeout(1800)
EXTRACT = [sys.executable, "-P", "-m", "embed.cli", "extract"]
SCRIPT = [sys.executable, "-P", SUPPORT / "ray_extract.py"]
SEARCH = {"PYTHONPATH": str(SUPPORT)}


@pytest.fixture
def keeper():
    needs_ray()
    with Keeper() as keeper:
        yield keeper


def ended(keeper, pid):
    until(lambda: keeper.code(pid) is not None, "the command to end", BUSY_S)
    return keeper.code(pid)


def test_the_set_is_that_of_one_process_and_no_foreign_code_runs(photographs, alone, keeper, tmp_path):
    traps, log = make_traps(tmp_path), tmp_path / "out"
    command = [*EXTRACT, photographs, "--cluster", "local", "--backbone", "tiny", "--json"]
    pid = keeper.start([*command, "--cache", tmp_path / "cache"], log, {**os.environ, **SEARCH}, cwd=traps)
    assert ended(keeper, pid) == 0, log.read_text()
    assert ran(traps) == ""
    assert last_json(log)["extracted"] == 498
    assert_same(tmp_path / "cache", alone)
    until(lambda: not below(keeper.pid), "the processes of the cluster to end", BUSY_S)


def held(photographs, keeper, tmp_path):
    """Start an extraction on a cluster of this machine, wait until it stands at a photograph, and return its pid."""
    (tmp_path / "held").write_text("2/252.png")
    arguments = [photographs, tmp_path / "cache", "local", 50, tmp_path]
    pid = keeper.start([*SCRIPT, *arguments], tmp_path / "out", {**os.environ, **SEARCH}, tmp_path)
    until(
        lambda: keeper.code(pid) is not None or any(name == "2/252.png" for _, _, name in reads(tmp_path)),
        "the photograph to be read",
        BUSY_S,
    )
    assert keeper.code(pid) is None, (tmp_path / "out").read_text()
    return pid


def go_on(photographs, keeper, tmp_path):
    (tmp_path / "open").touch()
    arguments = [photographs, tmp_path / "cache", "local", 50, tmp_path]
    pid = keeper.start([*SCRIPT, *arguments], tmp_path / "again", {**os.environ, **SEARCH}, tmp_path)
    assert ended(keeper, pid) == 0, (tmp_path / "again").read_text()
    return last_json(tmp_path / "again")


def test_sigterm_ends_it_as_ctrl_c_does_and_the_next_run_goes_on(photographs, alone, keeper, tmp_path):
    pid = held(photographs, keeper, tmp_path)
    os.kill(pid, signal.SIGTERM)
    assert ended(keeper, pid) == 0, (tmp_path / "out").read_text()
    first = last_json(tmp_path / "out")
    until(lambda: not below(keeper.pid), "the processes of the cluster to end", BUSY_S)
    second = go_on(photographs, keeper, tmp_path)
    assert 0 < first["extracted"] < 498
    assert first["extracted"] + second["extracted"] == 498
    assert_same(tmp_path / "cache", alone)


def test_a_driver_that_is_killed_leaves_no_process_and_the_next_goes_on(photographs, alone, keeper, tmp_path):
    pid = held(photographs, keeper, tmp_path)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not below(keeper.pid), "the processes of the cluster to end", BUSY_S)
    second = go_on(photographs, keeper, tmp_path)
    assert 0 < second["reused"] < 498
    assert second["reused"] + second["extracted"] == 498
    assert_same(tmp_path / "cache", alone)
    assert not list(Path(tmp_path / "cache").glob("*/.tmp-*"))
