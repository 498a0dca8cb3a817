"""The manifest of a set, and Ctrl-C while a part is written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cache_helpers import fill, open_writer

from embed.cache import list_features, manifest, open_features, verify
from embed.errors import CacheDamagedError

SUPPORT = Path(__file__).parents[1] / "support"


def test_ctrl_c_at_any_write_ends_the_command_and_not_the_process(tmp_path):
    # HDF5 crashes where an exception passes through it: a process of its own shows that none does.
    code = f"""
import os, signal, sys; sys.path.insert(0, {str(SUPPORT)!r})
from pathlib import Path; from cache_helpers import *; from embed.cache import open_features
pwrite, folder = os.pwrite, Path({str(tmp_path)!r})
def interrupt_at(number):
    def counted(*arguments):
        nonlocal number
        number -= 1
        if number == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return pwrite(*arguments)
    return counted
for number in range(1, 1000):
    writer = open_writer(folder / str(number))
    fill(writer, ["a.jpg"])
    os.pwrite = interrupt_at(number)
    try:
        writer.commit()
        break
    except KeyboardInterrupt:
        pass
    finally:
        os.pwrite = pwrite
        writer.close()
    with open_writer(folder / str(number)) as writer:
        fill(writer, ["a.jpg"])
    assert list(open_features(folder / str(number) / "cache").keys) == [b"a.jpg"]
print(number)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10


def test_the_manifest_says_what_each_part_holds(tmp_path):
    with open_writer(tmp_path, rows_per_part=2) as writer:
        fill(writer, ["a.jpg", "b.jpg", "caf\udce9.jpg"])
        writer.commit()
        writer.remove("b.jpg")
    entries, torn = manifest.read(writer.folder)
    parts = sorted(writer.folder.glob("part-*"))
    assert [entry.name for entry in entries.values()] == [part.name for part in parts]
    assert [entry.bytes for entry in entries.values()] == [part.stat().st_size for part in parts]
    facts = [(entry.rows, entry.removed, entry.first, entry.last) for entry in entries.values()]
    assert facts == [
        (2, 0, "a.jpg", "b.jpg"),
        (1, 0, "caf\udce9.jpg", "caf\udce9.jpg"),
        (0, 1, None, None),
    ]
    assert torn == 0


def test_a_set_is_opened_without_reading_a_part(tmp_path, monkeypatch):
    with open_writer(tmp_path, rows_per_part=1) as writer:
        fill(writer, ["a.jpg", "b.jpg"])
        writer.write_failures([])
    monkeypatch.setattr(os, "preadv", lambda *_: pytest.fail("a part was read"))
    cache = open_features(tmp_path / "cache")
    assert (len(cache), len(cache.parts), cache.bytes_on_disk > 0) == (2, 2, True)


def test_a_part_that_the_manifest_does_not_know_is_committed_all_the_same(tmp_path):
    # As after a crash between the two: what it holds is read from itself.
    with open_writer(tmp_path, rows_per_part=1) as writer:
        fill(writer, ["a.jpg", "b.jpg"])
    path = writer.folder / manifest.MANIFEST_NAME
    data, entries = path.read_bytes(), manifest.read(writer.folder)
    lines = data.splitlines(keepends=True)
    for left in (b"", b"".join(lines[:2]), data[:-7], data[:60] + b"\0" * 30):
        path.write_bytes(left)
        assert open_features(tmp_path / "cache").paths.tolist() == ["a.jpg", "b.jpg"]
    path.unlink()
    assert len(open_features(tmp_path / "cache")) == 2
    open_writer(tmp_path).close()
    assert manifest.read(writer.folder) == entries


def test_a_damaged_line_is_ignored_named_and_mended(tmp_path):
    with open_writer(tmp_path, rows_per_part=1) as writer:
        fill(writer, ["a.jpg", "b.jpg"])
        writer.write_failures([])
    path = writer.folder / manifest.MANIFEST_NAME
    data, entries = path.read_bytes(), manifest.read(writer.folder)
    (found,) = list_features(tmp_path / "cache")
    for position in range(1, len(data) - 1, 29):
        damaged = bytearray(data)
        damaged[position] ^= 1
        path.write_bytes(damaged)
        assert len(open_features(tmp_path / "cache")) == 2
        assert list(verify(found).damaged) == ["parts.txt"], position
    open_writer(tmp_path).close()
    assert manifest.read(writer.folder) == entries


def test_a_part_that_has_another_size_than_the_manifest_knows_is_damaged(tmp_path):
    with open_writer(tmp_path) as writer:
        fill(writer, ["a.jpg"])
    (part,) = writer.folder.glob("part-*")
    with part.open("ab") as file:
        file.write(b"x")
    with pytest.raises(CacheDamagedError, match=rf"{part.name} is damaged: it has \d+ bytes instead of \d+"):
        open_features(tmp_path / "cache")
