"""Files and folders that are whole or not there."""

import errno
import os
import subprocess
import sys

import pytest
from cache_faults import Calls

from embed import files
from embed.errors import CacheWriteError, InputError


def test_a_file_is_written_with_its_folder_and_replaces_the_former_one(tmp_path):
    file = tmp_path / "new" / "page.html"
    for content in ("one · two", b"\x89PNG"):
        files.write(file, content)
        assert file.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert os.listdir(file.parent) == ["page.html"]


def test_a_write_that_fails_leaves_the_former_file_and_nothing_else(tmp_path):
    file = tmp_path / "page.html"
    file.write_text("former")
    with pytest.raises(ZeroDivisionError), files.replacing(file) as temporary:
        temporary.write_text("half")
        1 / 0  # noqa: B018
    assert file.read_text() == "former" and os.listdir(tmp_path) == ["page.html"]


def test_a_write_takes_what_a_killed_one_left_beside_it_and_nothing_else(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; from embed import files;"
        "writing = files.replacing(Path(sys.argv[1])); writing.__enter__(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    file = tmp_path / "page.html"
    subprocess.run([sys.executable, "-c", code, file], check=False)
    (left,) = os.listdir(tmp_path)
    assert left.startswith(".tmp-")
    others = [".tmp-", ".tmp-notes", f"{left}.txt", left.replace(".tmp-", ".tmp-another")]
    for name in others:
        (tmp_path / name).touch()
    with files.replacing(tmp_path / "other.html") as being_written:
        files.write(file, "whole")
        assert sorted(os.listdir(tmp_path)) == sorted([*others, "page.html", being_written.name])


def test_what_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        InputError, match=f"cannot write {tmp_path}/file/page.html: (Not a directory|File exists)"
    ):
        files.write(tmp_path / "file" / "page.html", "")


def publish(folder, name, data):
    with files.Draft(folder) as draft:
        draft.write(data)
        draft.publish(name)


def test_publishing_never_replaces_a_file(tmp_path):
    publish(tmp_path, "a", b"first")
    with pytest.raises(CacheWriteError, match="File exists"):
        publish(tmp_path, "a", b"second")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"first")]


def test_publishing_does_without_hard_links(tmp_path):
    with Calls(tmp_path, fail=lambda call, path: errno.EPERM if call == "link" else 0):
        publish(tmp_path, "a", b"first")
        with pytest.raises(CacheWriteError, match="File exists"):
            publish(tmp_path, "a", b"second")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"first")]


def test_a_file_is_durable_before_it_is_published_and_its_name_before_it_counts(tmp_path):
    with Calls(tmp_path) as calls:
        publish(tmp_path, "a", b"data")
    assert [event[0] for event in calls.trace] == ["create", "pwrite", "fsync", "link", "fsync", "unlink"]
    assert calls.trace[2][1] == calls.trace[0][1]
    assert calls.trace[4][1] == str(tmp_path)


def test_replacing_leaves_the_old_or_the_new(tmp_path):
    files.replace(tmp_path, "a", b"old")
    with (
        Calls(tmp_path, fail=lambda call, path: errno.ENOSPC if call == "fsync" else 0),
        pytest.raises(CacheWriteError, match="No space left on device"),
    ):
        files.replace(tmp_path, "a", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_new_files_and_folders_have_the_access_rights_of_the_umask(tmp_path):
    former = os.umask(0o027)
    try:
        files.replace(tmp_path, "a", b"")
        with files.replacing(tmp_path / "b") as temporary:
            temporary.touch()
        with files.temporary_folder(tmp_path) as temporary:
            assert files.publish_folder(temporary, tmp_path / "c")
    finally:
        os.umask(former)
    assert [oct((tmp_path / name).stat().st_mode & 0o777) for name in "abc"] == ["0o640", "0o640", "0o750"]


def test_a_folder_is_published_whole_and_never_over_another(tmp_path):
    for content, first in (("one", True), ("two", False)):
        with files.temporary_folder(tmp_path) as temporary:
            (temporary / "below").mkdir()
            (temporary / "below" / "file").write_text(content)
            assert files.publish_folder(temporary, tmp_path / "final") is first
    assert (tmp_path / "final" / "below" / "file").read_text() == "one"
    assert os.listdir(tmp_path) == ["final"]


def test_a_sweep_takes_what_dead_processes_left_and_nothing_that_is_being_written(tmp_path):
    code = """
import os, sys; from embed import files; from pathlib import Path
folder = Path(sys.argv[1]); draft = files.Draft(folder); inside = files.temporary_folder(folder)
(inside.__enter__() / "file").touch(); os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", code, tmp_path], check=False)
    (tmp_path / ".tmp-link").symlink_to("nowhere")
    assert len(os.listdir(tmp_path)) == 3
    with files.Draft(tmp_path) as draft, files.temporary_folder(tmp_path) as folder:
        files.sweep(tmp_path)
        assert sorted(os.listdir(tmp_path)) == sorted([draft.path.name, folder.name])
        draft.publish("kept")
    assert os.listdir(tmp_path) == ["kept"]


def test_a_file_that_need_not_be_durable_is_not_waited_for(tmp_path):
    with Calls(tmp_path) as calls:
        files.replace(tmp_path, "a", b"data", durable=False)
    assert [event[0] for event in calls.trace] == ["create", "pwrite", "replace"]
    assert (tmp_path / "a").read_bytes() == b"data"
