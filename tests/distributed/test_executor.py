"""What the driver does with blocks that come back, or do not: the set is the one that a single machine makes."""

import pickle
import shutil
from pathlib import Path

import pytest
from pretend_ray import PretendRay
from same_sets import assert_same, contents

from embed.backbones import Network
from embed.distributed import worker
from embed.distributed.executor import KILLS, Cluster
from embed.errors import CacheWriteError, InputError
from embed.extract import FeatureOptions, RunOptions, Sink, extract_features
from embed.sources import Folder

TINY = FeatureOptions(network=Network("tiny"))
RUN = RunOptions(workers=1)
COUNT = 100
BLOCKS = 4  # of the photographs, in groups of 16


@pytest.fixture(scope="module")
def photographs(photographs, tmp_path_factory):
    """A hundred of the photographs, one of which is none."""
    folder = tmp_path_factory.mktemp("some")
    for path in sorted(photographs.rglob("*.png")):
        if int(path.stem) < COUNT:
            (folder / path.parent.name).mkdir(exist_ok=True)
            shutil.copy2(path, folder / path.parent.name)
    return folder


@pytest.fixture(scope="module")
def alone(photographs, tmp_path_factory):
    """The cache that one process makes of them."""
    cache = tmp_path_factory.mktemp("alone")
    assert extract_features(photographs, cache, TINY, RUN).failed == 1
    return cache


def extract(photographs, cache, ray, block=30, features=TINY, run=RUN):
    executor = Cluster(ray, run, lambda _: None, block)
    return extract_features(photographs, cache, features, run, executor=executor)


def computed(ray):
    return sum(function == "compute" for _, function in ray.given)


def test_the_set_is_that_of_one_machine(photographs, alone, tmp_path):
    ray = PretendRay({"one": 1, "two": 2, "head": 0})
    summary = extract(photographs, tmp_path, ray)
    assert (summary.extracted, summary.failed) == (99, 1)
    assert summary.bottleneck in ("decode", "forward", "disk")
    assert {node for node, _ in ray.given} == {"one", "two"}
    assert_same(tmp_path, alone)


def test_a_second_extraction_asks_no_node(photographs, alone, tmp_path):
    extract(photographs, tmp_path, PretendRay())
    ray = PretendRay({})
    summary = extract(photographs, tmp_path, ray)
    assert (summary.reused, summary.extracted, ray.given) == (99, 0, [])
    assert_same(tmp_path, alone)


def test_views_and_float16_are_those_of_one_machine(photographs, tmp_path):
    features = FeatureOptions(network=Network("tiny"), views=3, view_seed=5, dtype="float16")
    extract_features(photographs / "1", tmp_path / "alone", features, RUN)
    extract(photographs / "1", tmp_path / "together", PretendRay(), features=features)
    assert_same(tmp_path / "together", tmp_path / "alone")


def test_a_worker_that_dies_costs_its_block_again(photographs, alone, tmp_path):
    dying = iter([False, True, True])
    ray = PretendRay(strike=lambda node, function, _: function == "compute" and next(dying, False))
    assert extract(photographs, tmp_path, ray).failed == 1
    assert computed(ray) == BLOCKS + 2
    assert_same(tmp_path, alone)


def test_a_photograph_that_kills_its_worker_is_a_failure_and_nothing_else_is(photographs, alone, tmp_path):
    def strike(node, function, about):
        return function == "compute" and any(item.name == "3/073.png" for item in about.items())

    ray = PretendRay(strike=strike)
    summary = extract(photographs, tmp_path, ray)
    assert (summary.extracted, summary.failed) == (98, 2)
    rows, failures, complete = contents(tmp_path)
    expected, _, _ = contents(alone)
    del expected["3/073.png"]
    assert rows == expected and complete
    assert f"3/073.png,{KILLS}".encode() in failures.replace(b'"', b"")
    # Three times the block, then its halves down to the photograph, each with its other half.
    assert computed(ray) <= BLOCKS + 2 + 2 * 6
    # Not for ever: the next extraction tries it again.
    assert extract(photographs, tmp_path, PretendRay()).extracted == 1
    assert_same(tmp_path, alone)


def test_a_part_that_is_gone_is_computed_again(photographs, alone, tmp_path):
    lost = []

    def reply(node, function, about, came):
        if function == "compute" and not lost:
            lost.append(came)
            next(tmp_path.glob(f"*/{came.receipt.file}")).unlink()
        return came

    assert extract(photographs, tmp_path, PretendRay(reply=reply)).extracted == 99
    assert_same(tmp_path, alone)


def test_a_part_of_somebody_who_was_given_up_is_dropped_and_swept(photographs, alone, tmp_path):
    def strike(node, function, about):
        if function != "compute" or zombies:
            return False
        # It has written its part, and its receipt never arrives.
        zombies.append(worker.compute(jobs[0], about, 1).receipt)
        return True

    jobs, zombies = [], []
    ray = PretendRay(strike=strike)
    put = ray.put
    ray.put = lambda job: jobs.append(job) or put(job)
    summary = extract(photographs, tmp_path, ray)
    assert zombies[0] is not None and summary.extracted == 99
    assert_same(tmp_path, alone)


def test_a_receipt_that_comes_twice_counts_once(photographs, alone, tmp_path, monkeypatch):
    adopt = Sink.adopt

    def twice(sink, receipt):
        adopt(sink, receipt)
        adopt(sink, receipt)

    monkeypatch.setattr(Sink, "adopt", twice)
    assert extract(photographs, tmp_path, PretendRay()).extracted == 99
    assert_same(tmp_path, alone)


def test_a_full_disk_on_a_node_ends_the_extraction_and_keeps_what_is_committed(photographs, alone, tmp_path):
    def reply(node, function, about, came):
        replies.append(came)
        if len(replies) == 3:
            return worker.Reply(error=CacheWriteError("cannot write there: No space left on device"))
        return came

    replies = []
    with pytest.raises(CacheWriteError, match="No space left"):
        extract(photographs, tmp_path, PretendRay(reply=reply))
    summary = extract(photographs, tmp_path, PretendRay())
    assert summary.reused > 0
    assert summary.reused + summary.extracted == 99
    assert_same(tmp_path, alone)


def test_contents_of_the_cache_are_copied_and_not_computed(photographs, alone, tmp_path):
    extract(photographs, tmp_path / "cache", PretendRay())
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in sorted((photographs / "2").iterdir()):
        (moved / f"new-{path.name}").write_bytes(path.read_bytes())
    replies = []
    ray = PretendRay(reply=lambda *about: replies.append(about[-1]) or about[-1])
    summary = extract(moved, tmp_path / "cache", ray)
    assert (summary.extracted, summary.copied) == (0, summary.images - summary.failed)
    assert all(getattr(came, "receipt", None) is None for came in replies)


def test_contents_that_begin_alike_are_computed(photographs, alone, tmp_path, monkeypatch):
    monkeypatch.setattr("embed.distributed.job.Job.knows", lambda job, sha256: True)
    summary = extract(photographs, tmp_path, PretendRay())
    assert (summary.extracted, summary.failed) == (99, 1)
    assert_same(tmp_path, alone)


def test_a_node_that_sees_another_cache_ends_the_extraction_at_its_beginning(photographs, tmp_path):
    def reply(node, function, about, came):
        if node == "two" and function == "answer":
            return type(came)(came.version, problem="does not see what this machine writes")
        return came

    ray = PretendRay({"one": 1, "two": 1}, reply=reply)
    with pytest.raises(InputError, match=r"Node two \(127.0.0.1\) does not see"):
        extract(photographs, tmp_path, ray)


def test_a_node_that_comes_later_is_asked_and_used_or_left_out(
    photographs, alone, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr("embed.distributed.executor.LOOK_S", 0.0)

    def reply(node, function, about, came):
        ray.processors |= {"late": 1, "strange": 1}
        if node == "strange":
            return type(came)(came.version, problem="has another folder")
        return came

    ray = PretendRay({"one": 1}, reply=reply)
    extract(photographs, tmp_path, ray, block=20)
    assert ("late", "compute") in ray.given
    assert [function for node, function in ray.given if node == "strange"] == ["answer"]
    assert "Node strange (127.0.0.1) has another folder. It is left out." in caplog.text
    assert_same(tmp_path, alone)


def test_nodes_that_run_no_worker_end_the_extraction(photographs, tmp_path, monkeypatch):
    monkeypatch.setattr("embed.distributed.executor.LOOK_S", 0.0)
    ray = PretendRay(strike=lambda *_: True)
    with pytest.raises(InputError, match=r"Node one .* runs no worker of embed: the worker died"):
        extract(photographs, tmp_path, ray)
    assert [function for _, function in ray.given] == ["answer"] * 3


def test_interrupted_it_keeps_what_is_committed_and_calls_off_the_rest(photographs, alone, tmp_path):
    def reply(node, function, about, came):
        if computed(ray) > 3:
            raise KeyboardInterrupt
        return came

    ray = PretendRay(reply=reply)
    summary = extract(photographs, tmp_path, ray)
    assert summary.interrupted and 0 < summary.extracted < 99
    assert ray.cancelled
    assert extract(photographs, tmp_path, PretendRay()).reused >= summary.extracted
    assert_same(tmp_path, alone)


def test_photographs_that_changed_and_went_are_brought_up_to_date(photographs, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for number, path in enumerate(sorted(photographs.rglob("*.png"))[20:60]):
        (data / f"{number:02}.png").write_bytes(path.read_bytes())
    extract(data, tmp_path / "cache", PretendRay())
    for number in range(5):
        (data / f"{number:02}.png").unlink()
        (data / f"{number + 10:02}.png").write_bytes(
            (photographs / "0" / f"{number * 5:03}.png").read_bytes()
        )
    (data / "39.png").rename(data / "00.png")
    summary = extract(data, tmp_path / "cache", PretendRay(), block=7)
    assert (summary.removed, summary.extracted) == (5, 5)
    extract_features(data, tmp_path / "alone", TINY, RUN)
    assert contents(tmp_path / "cache") == contents(tmp_path / "alone")


def test_a_folder_is_found_from_another_working_folder(photographs, monkeypatch, tmp_path):
    monkeypatch.chdir(photographs)
    sent = pickle.dumps(Folder(Path("1")))
    monkeypatch.chdir(tmp_path)
    source = pickle.loads(sent)
    item = next(source.find())
    ((_, content),) = source.read([item])
    assert len(content.data) == item.size
