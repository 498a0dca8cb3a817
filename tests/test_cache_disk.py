"""Publishing, replacing, and the witness of what was published."""

import errno

import pytest
from cache_faults import Calls
from cache_helpers import fill, open_writer

from embed.cache import disk, ledger, open_features
from embed.errors import CacheWriteError


def test_publishing_never_replaces_a_file(tmp_path):
    disk.publish(tmp_path, "a", b"first")
    with pytest.raises(CacheWriteError, match="File exists"):
        disk.publish(tmp_path, "a", b"second")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"first")]


def test_publishing_does_without_hard_links(tmp_path):
    with Calls(tmp_path, fail=lambda call, path: errno.EPERM if call == "link" else 0):
        disk.publish(tmp_path, "a", b"first")
        with pytest.raises(CacheWriteError, match="File exists"):
            disk.publish(tmp_path, "a", b"second")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"first")]


def test_a_part_is_durable_before_it_is_published_and_its_name_before_it_counts(tmp_path):
    with Calls(tmp_path) as calls:
        disk.publish(tmp_path, "a", b"data")
    assert [event[0] for event in calls.trace] == ["create", "write", "fsync", "link", "fsync", "unlink"]
    assert calls.trace[2][1] == calls.trace[0][1]
    assert calls.trace[4][1] == str(tmp_path)


def test_replacing_leaves_the_old_or_the_new(tmp_path):
    disk.replace(tmp_path, "a", b"old")
    with (
        Calls(tmp_path, fail=lambda call, path: errno.ENOSPC if call == "fsync" else 0),
        pytest.raises(CacheWriteError, match="No space left on device"),
    ):
        disk.replace(tmp_path, "a", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_torn_and_altered_lines_of_the_ledger_are_ignored(tmp_path):
    with open_writer(tmp_path, rows_per_part=1) as writer:
        fill(writer, ["a.jpg", "b.jpg"])
    path = writer.folder / ledger.LEDGER_NAME
    names, data = ledger.read(writer.folder), path.read_bytes()
    assert names == {part.name for part in writer.folder.glob("part-*")}
    for damaged in (
        data[:-7],
        data[:60] + b"\0" * 30,
        b"\xff\xfe" + data[2:],
        data.replace(b"part-00000001", b"part-00000007"),
    ):
        path.write_bytes(damaged)
        assert ledger.read(writer.folder) <= names
        assert len(open_features(tmp_path / "cache")) == 2
    path.unlink()
    assert len(open_features(tmp_path / "cache")) == 2
    open_writer(tmp_path).close()
    assert ledger.read(writer.folder) == names
