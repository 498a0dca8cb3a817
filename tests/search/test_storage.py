"""The index on disk is derived: lost, torn, flipped or foreign, the next search is right all the same."""

import os
import resource
import shutil
import signal

import numpy as np
import pytest
from cache_helpers import fill, open_writer

from embed.cache import open_features
from embed.search import Demand, open_index, storage
from embed.search.kinds import KINDS


@pytest.fixture
def features(tmp_path):
    with open_writer(tmp_path) as writer:
        fill(writer, [f"{i}.jpg" for i in range(200)])
    return open_features(tmp_path / "cache")


def answers(index, features):
    return [
        (slots.tolist(), scores.tolist())
        for slots, scores in index.search(features.rows(range(0, 200, 9)), 5)
    ]


def files(features):
    return sorted(path for path in features.folder.iterdir() if path.name.startswith("index"))


def test_a_stored_index_is_used_again(features, monkeypatch):
    expected = answers(open_index(features), features)
    monkeypatch.setattr("embed.search.current.choose", None)
    assert answers(open_index(features), features) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_any_damage_is_noticed_and_mended(features, kind):
    expected = answers(open_index(features, Demand(kind, 1.0)), features)
    contents = {path: path.read_bytes() for path in files(features)}
    assert [path.suffix for path in contents] == [KINDS[kind].suffix, ".table"]
    generator = np.random.default_rng(0)
    for path, content in contents.items():
        length = len(content)
        for position in [0, 3, 17, length // 2, length - 1, *generator.integers(0, length, 6)]:
            damaged = bytearray(content)
            damaged[position] ^= 1 << int(generator.integers(8))
            path.write_bytes(damaged)
            assert answers(open_index(features), features) == expected
            assert storage.load_vectors(features.folder, storage.load_table(features.folder)) is not None
            for whole, original in contents.items():  # a graph built anew has other bytes
                whole.write_bytes(original)
        for keep in (0, 1, 15, 16, 40, length // 2, length - 1):
            path.write_bytes(content[:keep])
            assert answers(open_index(features), features) == expected
        path.unlink()
        assert answers(open_index(features), features) == expected


def test_an_index_of_other_features_is_not_believed(features, tmp_path):
    open_index(features)
    other = tmp_path / "other"
    with open_writer(other) as writer:
        fill(writer, [f"{i}.jpg" for i in range(200)], version=2)
    others = open_features(other / "cache")
    for path in files(features):
        shutil.copy(path, others.folder)
    X = others.rows(range(200))
    for row, (slots, _) in enumerate(open_index(others).search(X, 1)):
        assert others.paths[row] in others.paths[open_index(others).slots.rows(slots[0])]


def test_a_cache_that_cannot_be_written_is_searched_all_the_same(features, monkeypatch):
    expected = answers(open_index(features), features)
    for path in files(features):
        path.unlink()

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(storage, "_write_vectors", refuse)
    assert answers(open_index(features), features) == expected
    assert files(features) == []


def test_a_full_disk_leaves_the_old_index_and_no_litter(features):
    open_index(features)
    before = {path.name: path.read_bytes() for path in features.folder.iterdir()}
    table = storage.load_table(features.folder)
    index = storage.load_vectors(features.folder, table)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))  # the kernel refuses to write on
    try:
        assert not storage.save(features.folder, table, index)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert {path.name: path.read_bytes() for path in features.folder.iterdir()} == before


def test_what_an_interrupted_build_leaves_is_swept_by_the_next_extraction(features, tmp_path):
    litter = features.folder / f"{storage.TEMPORARY_PREFIX}12345"
    litter.write_bytes(b"half")
    with open_writer(tmp_path):
        pass
    assert not litter.exists()


def test_one_index_is_kept(features, tmp_path):
    open_index(features)
    with open_writer(tmp_path) as writer:
        fill(writer, ["new.jpg"])
    changed = open_features(tmp_path / "cache")
    open_index(changed)
    assert [path.suffix for path in files(changed)] == [".npy", ".table"]
    # The earlier snapshot is older than the index: it still gets answers of its own.
    assert len(open_index(features)) == 200


def test_a_folder_whose_name_is_no_text_is_no_hindrance(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    with open_writer(folder) as writer:
        fill(writer, [f"{i}.jpg" for i in range(20)])
    features = open_features(folder / "cache")
    open_index(features)
    again = open_index(features)
    assert [
        features.paths[again.slots.rows(s[0])[0]] for s, _ in again.search(features.rows(range(20)), 1)
    ] == list(features.paths)
