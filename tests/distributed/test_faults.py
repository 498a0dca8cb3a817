"""Nodes, workers and the driver fail, for real; each time the set is the one that a single machine makes."""

import os
import signal
import sys
from pathlib import Path

import pytest
from loop_disk import LoopDisk, UnavailableError
from ray_extract import reads
from ray_nodes import HEAD, SUPPORT, RayNodes, last_json, needs_ray
from same_sets import assert_same, contents
from waiting import BUSY_S, until

from embed.distributed.executor import KILLS

pytestmark = pytest.mark.timeout(1800)
SCRIPT = [sys.executable, "-P", SUPPORT / "ray_extract.py"]
BLOCK = 25
HELD = "2/302.png"
TWO = ["1/131.png", "3/383.png"]  # of different blocks


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    needs_ray()
    with RayNodes(tmp_path_factory.mktemp("nodes")) as nodes:
        begin(nodes)
        yield nodes


def begin(nodes):
    """Start two nodes, both of which compute."""
    nodes.start(HEAD)
    nodes.ready(HEAD)
    nodes.start("b")
    nodes.ready("b")


class Run:
    """An extraction whose photographs can be held back."""

    def __init__(self, nodes, photographs, folder, cache=None):
        self.nodes, self.photographs, self.folder = nodes, photographs, folder
        self.cache = cache or folder / "cache"
        self.pid = None

    def start(self, held=(), deadly=()):
        (self.folder / "held").write_text(" ".join(held))
        (self.folder / "deadly").write_text(" ".join(deadly))
        self.log = self.folder / f"driver-{len(list(self.folder.glob('driver-*')))}"
        self.pid = self.nodes.run(
            *SCRIPT, self.photographs, self.cache, self.nodes.address, BLOCK, self.folder, log=self.log
        )
        return self

    def reader(self, name=HELD, at_least=1):
        """Return the node and the process that read a photograph last, once they have."""

        def found():
            return [one for one in reads(self.folder) if one[2] == name][at_least - 1 :]

        until(lambda: self.code() is not None or found(), f"{name} to be read", BUSY_S)
        assert self.code() is None, self.log.read_text()
        return found()[-1][:2]

    def code(self):
        return self.nodes.keeper.code(self.pid)

    def go_on(self):
        (self.folder / "open").touch()

    def end(self):
        assert self.nodes.wait(self.pid) == 0, self.log.read_text()
        return last_json(self.log)


@pytest.fixture
def run(nodes, photographs, tmp_path):
    return Run(nodes, photographs, tmp_path)


def test_both_nodes_compute_the_set_of_one_machine(run, alone):
    assert run.start().end()["extracted"] == 498
    assert {node for node, _, _ in reads(run.folder)} == {HEAD, "b"}
    assert_same(run.cache, alone)


def test_a_worker_is_killed(run, alone):
    _, pid = run.start(held=[HELD]).reader()
    os.kill(int(pid), signal.SIGKILL)
    run.reader(at_least=2)
    run.go_on()
    assert run.end()["extracted"] == 498
    assert_same(run.cache, alone)


def test_a_photograph_kills_its_worker(run, alone):
    summary = run.start(deadly=["4/404.png"]).end()
    assert (summary["extracted"], summary["failed"]) == (497, 3)
    rows, failures, _ = contents(run.cache)
    expected, _, _ = contents(alone)
    del expected["4/404.png"]
    assert rows == expected
    assert f"4/404.png,{KILLS}" in failures.decode().replace('"', "")


def test_the_driver_is_killed_and_the_next_goes_on(run, alone):
    run.start(held=[HELD]).reader()
    os.kill(run.pid, signal.SIGKILL)
    run.nodes.wait(run.pid)
    run.go_on()
    summary = run.start().end()
    assert 0 < summary["reused"] < 498
    assert summary["reused"] + summary["extracted"] == 498
    assert_same(run.cache, alone)


def test_a_node_joins_midway_and_a_node_is_killed(run, alone):
    run.start(held=TWO)
    for name in TWO:
        run.reader(name)
    run.nodes.start("late")
    until(lambda: any(node == "late" for node, _, _ in reads(run.folder)), "the new node to read", BUSY_S)
    run.nodes.kill("late")
    run.go_on()
    assert run.end()["extracted"] == 498
    assert_same(run.cache, alone)


def test_a_node_freezes_and_comes_back_when_it_was_given_up(run, alone):
    run.nodes.start("frozen")
    run.start(held=[HELD, "1/001.png"])
    until(lambda: any(node == "frozen" for node, _, _ in reads(run.folder)), "the node to read", BUSY_S)
    run.nodes.freeze("frozen")
    run.go_on()
    assert run.end()["extracted"] == 498
    assert contents(run.cache) == contents(alone)
    run.nodes.freeze("frozen", signal.SIGCONT)
    run.start().end()
    assert contents(run.cache) == contents(alone)
    run.nodes.kill("frozen")  # it may not have noticed that it was given up
    run.start().end()
    assert_same(run.cache, alone)


def test_the_disk_below_the_cache_is_full(run, alone, tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    try:
        disk = LoopDisk(tmp_path, place)
    except UnavailableError as error:
        pytest.skip(str(error))
    try:
        run.cache = place / "cache"
        free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
        (place / "filler").write_bytes(bytes(free - (500 << 10)))
        run.start()
        assert run.nodes.wait(run.pid) == 1
        assert "CacheWriteError: cannot write" in run.log.read_text()
        assert "No space left on device" in run.log.read_text()
        (place / "filler").unlink()
        summary = run.start().end()
        assert summary["reused"] + summary["extracted"] == 498
        assert_same(run.cache, alone)
    finally:
        disk.unmount()


def test_a_node_is_cut_off(photographs, alone, tmp_path):
    needs_ray()
    with RayNodes(Path(tmp_path), networks=True) as nodes:
        begin(nodes)
        run = Run(nodes, photographs, tmp_path).start(held=TWO)
        for name in TWO:
            run.reader(name)
        assert {node for node, _, name in reads(tmp_path) if name in TWO} == {HEAD, "b"}
        nodes.networks.cut("b")
        run.go_on()
        assert run.end()["extracted"] == 498
        assert_same(run.cache, alone)
