"""One read gives the bytes and their identity, or says why not."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from embed import sources
from embed.errors import ImageError


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"some bytes" * 1000)
    return file


def test_content_and_hash_are_of_the_same_bytes(file):
    content = sources.read(file)
    assert content.data == b"some bytes" * 1000
    assert content.sha256 == hashlib.sha256(content.data).digest()


def test_a_file_that_vanished_since_the_scan_is_told(file):
    found = sources.look(file)
    file.unlink()
    with pytest.raises(ImageError, match=r"^vanished$"):
        sources.read(file, found)


@pytest.mark.parametrize("after", [b"", b"some", b"some bytes" * 2000])
def test_a_file_that_changed_since_the_scan_is_told(file, after):
    found = sources.look(file)
    file.write_bytes(after)
    with pytest.raises(ImageError, match=r"^changed while reading$"):
        sources.read(file, found)


def test_a_change_of_time_alone_is_seen(file):
    found = sources.look(file)
    os.utime(file, ns=(1, 1))
    with pytest.raises(ImageError, match=r"^changed while reading$"):
        sources.read(file, found)


@pytest.mark.parametrize("change", ["grow", "shrink", "rewrite"])
def test_a_file_that_changes_under_the_reader_is_told(file, monkeypatch, change):
    found = sources.look(file)
    read = os.read

    def slow_read(descriptor, size):
        data = read(descriptor, min(size, 4096))
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
        sources.read(file, found)


def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="is a named pipe, not a file"):
        sources.read(tmp_path / "pipe.jpg")


def test_a_file_that_became_a_pipe_after_the_scan_is_not_waited_for(file):
    found = sources.look(file)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(ImageError, match="is a named pipe, not a file"):
        sources.read(file, found)


def test_a_problem_of_the_scan_is_repeated_without_a_look(file):
    with pytest.raises(ImageError, match=r"^is odd$"):
        sources.read(file, replace(sources.look(file), problem="is odd"))


def test_a_file_of_absurd_size_is_not_read(file):
    with open(file, "r+b") as stream:
        stream.truncate((1 << 30) + 1)
    with pytest.raises(ImageError, match="is 1,073,741,825 bytes long, more than the limit"):
        sources.read(file)


def test_a_file_without_permission_is_told(file):
    file.chmod(0)
    file.parent.chmod(0o755)
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom embed import sources\nfrom embed.errors import ImageError\n"
        "if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: sources.read(Path('photo.jpg'))\n"
        "except ImageError as error: print(error)\n"
    )
    for parent in file.parents:  # as another user the script must get here
        if parent.stat().st_uid == os.getuid() and str(parent) != "/":
            parent.chmod(parent.stat().st_mode | 0o011)
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=file.parent, capture_output=True, text=True, check=True
    )
    assert run.stdout == "cannot be read: permission denied\n"
