"""The index on disk is derived: lost, torn, flipped, foreign or half written, every search is right all the same."""

import os
import resource
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import xxhash
from cache_helpers import fill, open_writer
from search_helpers import feature_set, index_files

from embed import files
from embed.cache import Lock, open_features
from embed.errors import CacheLockedError, CacheWriteError
from embed.search import IndexOptions, SimilarOptions, measured, open_index, similar
from embed.search.faiss_store import FaissStore
from embed.search.kinds import KINDS
from embed.search.store import StoreDamagedError


@pytest.fixture
def features(tmp_path):
    return feature_set(tmp_path, 200)


def answers(index, features):
    found = index.search(features.rows(range(0, 200, 9)), 5)
    return [(features.sha256[rows].tolist(), scores.tolist()) for rows, scores in found]


def changed(tmp_path):
    """The set with one photograph less and one more: its index has tombstones and small segments."""
    with open_writer(tmp_path) as writer:
        writer.remove("train/1/0001.jpg")
        fill(writer, ["new.jpg"])
    return open_features(tmp_path / "cache")


def test_a_stored_index_is_used_again(features, monkeypatch):
    expected = answers(open_index(features, IndexOptions("ivf", 1.0)), features)
    monkeypatch.setattr("embed.search.current._built", None)
    again = open_index(features)
    assert again.store is not None and answers(again, features) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_any_damage_is_noticed_and_mended(features, kind, tmp_path):
    open_index(features, IndexOptions(kind, 1.0))
    features = changed(tmp_path)
    expected = answers(open_index(features), features)
    contents = {path: path.read_bytes() for path in index_files(features)}
    assert sorted(path.suffix for path in contents) == [".alive", ".json", ".segment", ".segment", ".segment"]
    generator = np.random.default_rng(0)

    def damage(path, data):
        """Search with a file that is not what was written, and put everything back."""
        path.unlink()
        if data is not None:
            path.write_bytes(data)
            path.chmod(0o644)
        for _ in range(2):  # the second time built anew, or still whole where it matters
            assert answers(open_index(features), features) == expected
        for left in index_files(features):
            left.unlink()
        for whole, original in contents.items():
            whole.write_bytes(original)
            whole.chmod(0o644)

    for path, content in contents.items():
        length = len(content)
        for position in {0, length // 2, length - 1, *generator.integers(0, length, 2).tolist()}:
            flipped = bytearray(content)
            flipped[position] ^= 1 << int(generator.integers(8))
            damage(path, flipped)
        for data in (b"", content[:-1], content + b"\0", None):
            damage(path, data)


@pytest.mark.parametrize("kind", KINDS)
def test_no_vector_is_compared_before_it_was_checked(features, kind):
    """A flipped bit anywhere but in the contents is found by the searches alone, once they have reached every cell."""
    index = open_index(features, IndexOptions(kind, 1.0))
    entry = index.store._segments[0].segment.entry
    whole = index.store._segments[0].segment.path.read_bytes()
    base = index.store._segments[0].segment.path
    contents = {path: path.read_bytes() for path in index_files(features)}
    for position in np.random.default_rng(0).integers(0, entry.directory_start, 25):
        flipped = bytearray(whole)
        flipped[position] ^= 4
        base.write_bytes(flipped)
        with pytest.raises(StoreDamagedError, match="damaged"):
            FaissStore.load(features.folder).candidates(features.X, 200)
        for path, content in contents.items():
            path.write_bytes(content)
            path.chmod(0o644)


def test_damage_that_a_search_comes_upon_costs_one_comparison_and_a_new_index(features):
    expected = answers(open_index(features, IndexOptions("compressed", 1.0)), features)
    index = open_index(features)
    segment = index.store._segments[0].segment
    flipped = bytearray(segment.path.read_bytes())
    flipped[segment.entry.head_bytes + 5] ^= 1
    segment.path.write_bytes(flipped)
    assert answers(index, features) == expected and index.store is None
    again = open_index(features)
    assert answers(again, features) == expected and again.store is not None


def test_an_index_of_other_features_is_not_believed(features, tmp_path):
    open_index(features, IndexOptions("ivf"))
    other = tmp_path / "other"
    with open_writer(other) as writer:
        fill(writer, [f"train/{i % 5}/{i:04d}.jpg" for i in range(200)], version=2)
    others = open_features(other / "cache")
    shutil.copytree(features.folder / "index", others.folder / "index")
    for row, (rows, _) in enumerate(open_index(others).search(others.X, 1)):
        assert others.sha256[rows[0]].tobytes() == others.sha256[row].tobytes()


def test_a_manifest_that_names_the_wrong_set_shows_no_photograph_of_it(features, tmp_path):
    """Even where an index is believed, the cache ranks: what it does not hold is not shown."""
    store = open_index(features, IndexOptions("ivf")).store
    other = tmp_path / "other"
    with open_writer(other) as writer:
        fill(writer, [f"train/{i % 5}/{i:04d}.jpg" for i in range(100)])
        fill(writer, [f"else/{i:04d}.jpg" for i in range(100)])
    others = open_features(other / "cache")
    store.commit(others.fingerprint, store.notes)
    shutil.copytree(features.folder / "index", others.folder / "index")
    index = open_index(others)
    assert index.store is not None
    for query, (rows, scores) in zip(others.X, index.search(others.X, 5), strict=True):
        for row, score in zip(rows, scores, strict=True):
            own = others.X[row]
            assert score == pytest.approx(own @ query / np.linalg.norm(own) / np.linalg.norm(query), abs=2e-6)


@pytest.mark.parametrize("which", ["folder", "manifest.json", ".segment", ".alive", "link"])
def test_what_others_may_write_to_is_not_read_and_that_is_said(
    features, tmp_path, which, monkeypatch, caplog
):
    open_index(features, IndexOptions("ivf", 1.0))
    features = changed(tmp_path)
    expected = answers(open_index(features), features)
    folder = features.folder / "index"
    for path in index_files(features):
        assert not path.stat().st_mode & 0o022
        if which == "link" and path.suffix == ".segment":
            path.rename(tmp_path / path.name)
            path.symlink_to(tmp_path / path.name)
        elif path.name.endswith(which):
            path.chmod(0o666)
    if which == "folder":
        folder.chmod(0o777)
    with pytest.raises(StoreDamagedError):
        FaissStore.load(features.folder)
    told = [record.message for record in caplog.records]
    assert (
        len(told) == 1 and str(folder) in told[0] and ("is a link" if which == "link" else "go-w") in told[0]
    )
    read = []
    import faiss

    original = faiss.read_index
    monkeypatch.setattr(faiss, "read_index", lambda *given: read.append(given) or original(*given))
    if which == "folder":
        with pytest.raises(CacheWriteError, match="others may write to it"):
            open_index(features, IndexOptions("ivf", 1.0))
        assert read == []
    else:
        assert answers(open_index(features, IndexOptions("ivf", 1.0)), features) == expected


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_of_the_cache_is_believed_and_nobody_else(features):
    """As in a container that root runs over a volume of somebody else."""
    open_index(features, IndexOptions("ivf", 1.0))
    for path in index_files(features):
        os.chown(path, 65534, 65534)
    with pytest.raises(StoreDamagedError, match="belongs to user 65534"):
        FaissStore.load(features.folder)
    for path in (features.folder.parent, *features.folder.parent.rglob("*")):
        os.chown(path, 65534, 65534)
    assert FaissStore.load(features.folder) is not None
    os.chown(features.folder.parent, 0, 0)
    with pytest.raises(StoreDamagedError, match="belongs to user 65534"):
        FaissStore.load(features.folder)


def crafted(document, **changes):
    (first, *others) = document["segments"]
    return {**document, "segments": [{**first, **changes}, *others]}


MANIFESTS = {
    "a name elsewhere": lambda d: crafted(d, digest="../../x"),
    "no name": lambda d: crafted(d, digest=7),
    "bits elsewhere": lambda d: crafted(d, alive="../../x"),
    "no bits": lambda d: crafted(d, alive=7),
    "a kind that is none": lambda d: crafted(d, kind="pq"),
    "a kind that is a list": lambda d: crafted(d, kind=["ivf"]),
    "another kind": lambda d: crafted(d, kind="hnsw"),
    "vectors without end": lambda d: crafted(d, vectors=10**15),
    "vectors below zero": lambda d: crafted(d, vectors=-1),
    "vectors that are a fraction": lambda d: crafted(d, vectors=190.0),
    "cells without end": lambda d: crafted(d, cells=10**11),
    "no cells": lambda d: crafted(d, cells=0),
    "a head without end": lambda d: crafted(d, head_bytes=1 << 70),
    "codes without end": lambda d: crafted(d, code_bytes=1 << 39),
    "a word that nobody knows": lambda d: crafted(d, more=1),
    "segments that are none": lambda d: {**d, "segments": [7]},
    "segments that are a number": lambda d: {**d, "segments": 7},
    "no segments": lambda d: {**d, "segments": None},
    "an effort below zero": lambda d: {**d, "effort": -1},
    "an effort without end": lambda d: {**d, "effort": 10**30},
    "an effort that is text": lambda d: {**d, "filtered_effort": "1"},
    "notes that are a list": lambda d: {**d, "notes": [1]},
    "no figures": lambda d: {**d, "notes": {"options": d["notes"]["options"]}},
    "figures that are text": lambda d: {**d, "notes": {**d["notes"], "measured": {"recall": "x"}}},
    "options that are none": lambda d: {
        **d,
        "notes": {**d["notes"], "options": {"kind": [1], "recall": "x"}},
    },
    "a format that is a list": lambda d: {**d, "format_version": [1]},
}


@pytest.mark.parametrize("change", MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_that_says_what_cannot_be_is_not_believed(features, change):
    expected = answers(open_index(features, IndexOptions("ivf", 1.0)), features)
    file = features.folder / "index" / "manifest.json"
    document = files.read_document(file)
    files.write_document(file.parent, file.name, change(document), closed=True)
    index = open_index(features, IndexOptions("ivf", 1.0))
    assert answers(index, features) == expected
    assert measured(index).vectors == 200


def test_a_segment_that_says_what_cannot_be_is_not_believed(features):
    """Checksums and all: sizes of cells, numbers of vectors, and another index as its head."""
    import faiss

    index = open_index(features, IndexOptions("ivf", 1.0))
    expected, entry = answers(index, features), index.store._segments[0].segment.entry
    file = features.folder / "index" / entry.name
    whole = file.read_bytes()
    manifest = features.folder / "index" / "manifest.json"
    document = files.read_document(manifest)
    head, middle, directory = (
        whole[: entry.head_bytes],
        whole[entry.head_bytes : entry.directory_start],
        np.frombuffer(whole[entry.directory_start :], np.uint64).reshape(3, -1).copy(),
    )

    def put(head, middle, directory):
        digest = xxhash.xxh3_128_hexdigest(head + directory.tobytes())
        crafted_file = file.with_name(digest + ".segment")
        crafted_file.write_bytes(head + middle + directory.tobytes())
        crafted_file.chmod(0o644)
        first, *others = document["segments"]
        one = {**first, "digest": digest, "head_bytes": len(head)}
        files.write_document(
            manifest.parent, manifest.name, {**document, "segments": [one, *others]}, closed=True
        )
        again = open_index(features, IndexOptions("ivf", 1.0))
        assert answers(again, features) == expected

    sizes = directory.copy()
    sizes[0, 0] += np.uint64(1 << 63)
    put(head, middle, sizes)
    cell = int(directory[0, 0])
    numbers = np.frombuffer(middle, np.int64, cell, cell * entry.code_bytes) + (1 << 40)
    wrong = middle[: cell * entry.code_bytes] + numbers.tobytes() + middle[cell * (entry.code_bytes + 8) :]
    sums = directory.copy()
    sums[1, 0] = xxhash.xxh3_64_intdigest(wrong[: cell * (entry.code_bytes + 8)])
    put(head, wrong, sums)
    for other in (faiss.IndexFlatIP(24), faiss.index_factory(7, "IVF1,Flat"), None):
        put(b"none" if other is None else faiss.serialize_index(other).tobytes(), middle, directory)


def test_files_are_closed_to_others_whatever_the_umask(features):
    before = os.umask(0)
    try:
        open_index(features, IndexOptions("compressed"))
    finally:
        os.umask(before)
    folder = features.folder / "index"
    assert not folder.stat().st_mode & 0o022
    assert FaissStore.load(features.folder) is not None


def test_a_full_disk_leaves_the_old_index_and_is_told(features, tmp_path, monkeypatch):
    open_index(features, IndexOptions("ivf", 1.0))
    before = {path.name: path.read_bytes() for path in index_files(features)}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))  # the kernel refuses to write on
    told = []
    try:
        with pytest.raises(CacheWriteError, match="cannot write"):
            open_index(features, IndexOptions("compressed"))
        monkeypatch.setattr("embed.search.index.EXACT_VALUES", 0)
        shutil.rmtree(features.folder / "index")
        query = type(
            "Query", (), dict(file=tmp_path / "q", sha256=None, features=features.rows([3]), problem=None)
        )
        (found,) = similar(features, [query], SimilarOptions(k=1), notice=told.append)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert found.neighbours[0].path == features.paths[3]
    assert len(told) == 1 and "every photograph is compared" in told[0] and "cannot write" in told[0]
    assert before and [path.name for path in (features.folder / "index").iterdir()] == [".lock"]


def test_while_another_process_builds_everything_is_compared(features, tmp_path, monkeypatch):
    monkeypatch.setattr("embed.search.index.EXACT_VALUES", 0)
    lock = Lock(FaissStore(features.folder, "ivf").prepare())
    try:
        with pytest.raises(CacheLockedError, match="is being written by process"):
            open_index(features)
        told = []
        query = type(
            "Query", (), dict(file=tmp_path / "q", sha256=None, features=features.rows([3]), problem=None)
        )
        (found,) = similar(features, [query], SimilarOptions(k=1), notice=told.append)
    finally:
        lock.release()
    assert found.neighbours[0].path == features.paths[3] and len(told) == 1
    assert open_index(features).store is not None


KILLED = """
import os, signal, sys
from pathlib import Path
from embed.cache import open_features
from embed.search import IndexOptions, open_index

cache, steps, kind = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] or None
features = open_features(cache)
count = 0
def counted(call):
    def step(*arguments, **options):
        global count
        count += 1
        if count == steps:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)
    return step
for name in ("pwrite", "replace", "unlink", "open", "link", "rename", "mkdir"):
    setattr(os, name, counted(getattr(os, name)))
open_index(features, IndexOptions(kind) if kind else None)
print(count)
"""


@pytest.mark.parametrize("kind", ["compressed", ""])
def test_killed_at_any_step_the_next_search_is_right_and_nothing_is_left(features, tmp_path, kind):
    """Killed while the index is built, and while it is brought up to date."""
    if not kind:
        open_index(features, IndexOptions("compressed", 1.0))
        features = changed(tmp_path)
    start = features.folder.parent / "start"
    index, begun = features.folder / "index", (features.folder / "index").exists()
    if begun:
        shutil.copytree(index, start)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "cache")]

    def run(step):
        shutil.rmtree(index, ignore_errors=True)
        if begun:
            shutil.copytree(start, index)
        return subprocess.run([*command, str(step), kind], capture_output=True, text=True, timeout=120)

    whole = run(-1)
    steps = int(whole.stdout)
    expected = answers(open_index(features), features)
    for step in np.unique(np.linspace(1, steps, 10).astype(int)):
        assert run(step).returncode == -signal.SIGKILL
        index_now = open_index(features, IndexOptions("compressed") if kind else None)
        assert answers(index_now, features) == expected
        names = {path.name for path in index.iterdir()}
        assert not [name for name in names if name.startswith(".tmp")]
        store = FaissStore.load(features.folder)
        known = {live.segment.entry.name for live in store._segments}
        assert {name for name in names if name.endswith(".segment")} == known


def test_a_sweep_of_the_cache_does_not_disturb_an_index_that_is_being_built(features, tmp_path):
    def sweep_meanwhile(*_):
        with open_writer(tmp_path):
            pass

    index = open_index(features, IndexOptions("ivf", 1.0), sweep_meanwhile)
    assert FaissStore.load(features.folder) is not None
    assert answers(index, features) == answers(open_index(features), features)


def test_what_earlier_releases_wrote_is_removed(features):
    for name in ("index.table", "index-0123456789abcdef.npy"):
        (features.folder / name).write_bytes(b"old")
    open_index(features, IndexOptions("ivf"))
    assert [path.name for path in features.folder.iterdir() if path.name.startswith("index")] == ["index"]


def test_a_folder_whose_name_is_no_text_is_no_hindrance(tmp_path):
    features = feature_set(tmp_path / os.fsdecode(b"caf\xe9"), 20)
    open_index(features, IndexOptions("compressed", 1.0))
    again = open_index(features)
    assert again.store is not None
    assert [features.paths[rows[0]] for rows, _ in again.search(features.X, 1)] == list(features.paths)


def test_the_command_says_that_an_index_was_not_kept(features, tmp_path, run_embed):
    folder = features.folder / "index"
    folder.mkdir()
    folder.chmod(0o777)
    result = run_embed("index", "--kind", "ivf")
    assert result.returncode == 1 and "embed: cannot write" in result.stderr
    folder.chmod(0o755)
    result = run_embed("index", "--kind", "ivf", check=True)
    assert result.stdout.startswith("kind\teffort\tvectors\trecall\trecall_low")
