"""One read gives the bytes and their identity, or says why not."""

import hashlib
import os
import subprocess
import sys

import pytest

from embed.errors import ImageError
from embed.sources import Item
from embed.sources.file import read, stamp


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"some bytes" * 1000)
    return file


def item_of(file):
    status = file.stat()
    return Item(file.name, status.st_size, stamp(status))


def test_content_and_hash_are_of_the_same_bytes(file):
    content = read(file)
    assert content.data == b"some bytes" * 1000
    assert content.sha256 == hashlib.sha256(content.data).digest()


def test_a_file_that_vanished_since_the_scan_is_told(file):
    item = item_of(file)
    file.unlink()
    with pytest.raises(ImageError, match=r"^vanished$"):
        read(file, item)


@pytest.mark.parametrize("after", [b"", b"some", b"some bytes" * 2000])
def test_a_file_that_changed_since_the_scan_is_told(file, after):
    item = item_of(file)
    file.write_bytes(after)
    with pytest.raises(ImageError, match=r"^changed while reading$"):
        read(file, item)


def test_a_change_of_time_alone_is_seen(file):
    item = item_of(file)
    os.utime(file, ns=(1, 1))
    with pytest.raises(ImageError, match=r"^changed while reading$"):
        read(file, item)


@pytest.mark.parametrize("change", ["grow", "shrink", "rewrite"])
def test_a_file_that_changes_under_the_reader_is_told(file, monkeypatch, change):
    item = item_of(file)
    read_some = os.read

    def slow_read(descriptor, size):
        data = read_some(descriptor, min(size, 4096))
        if change == "grow":
            with open(file, "ab") as stream:
                stream.write(b"more")
        elif change == "shrink":
            os.truncate(file, 5000)
        else:
            with open(file, "r+b") as stream:
                stream.write(b"S")
            os.utime(file, ns=(5, 5))
        return data

    monkeypatch.setattr(os, "read", slow_read)
    with pytest.raises(ImageError, match=r"^changed while reading$"):
        read(file, item)


def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="is a named pipe, not a file"):
        read(tmp_path / "pipe.jpg")


def test_a_file_that_became_a_pipe_after_the_scan_is_not_waited_for(file):
    item = item_of(file)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(ImageError, match="is a named pipe, not a file"):
        read(file, item)


def test_a_file_of_absurd_size_is_not_read(file):
    with open(file, "r+b") as stream:
        stream.truncate((1 << 30) + 1)
    with pytest.raises(ImageError, match="is 1,073,741,825 bytes long, more than the limit"):
        read(file)


def test_a_file_without_permission_is_told(file):
    file.chmod(0)
    file.parent.chmod(0o755)
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom embed.sources.file import read\nfrom embed.errors import ImageError\n"
        "if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: read(Path('photo.jpg'))\n"
        "except ImageError as error: print(error)\n"
    )
    for parent in file.parents:  # as another user the script must get here
        if parent.stat().st_uid == os.getuid() and str(parent) != "/":
            parent.chmod(parent.stat().st_mode | 0o011)
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=file.parent, capture_output=True, text=True, check=True
    )
    assert run.stdout == "cannot be read: permission denied\n"


def test_a_date_beyond_an_int64_is_the_nearest_that_it_holds(file):
    os.utime(file, (13_569_465_600, 13_569_465_600))
    assert item_of(file).stamp == 2**63 - 1
    assert read(file, item_of(file)).data
