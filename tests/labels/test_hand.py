"""Labels given by hand: one format, old or new after a crash, and no edit is ever lost."""

import os
import subprocess
import sys

import pytest

from embed.errors import CacheDamagedError, CacheWriteError, LabelError, UsageError
from embed.files import draft
from embed.labels import assign, hand

ODD = ["=cmd.jpg", 'a,"b".jpg', "line\nbreak.jpg", "caf\udce9.jpg", "é/<script>.jpg", "x" * 250 + ".jpg"]


def labels_in(file):
    return {row.path: row.label for row in hand.read(file)}


def test_what_was_given_is_read_back_whatever_a_file_is_called(tmp_path):
    file = tmp_path / "labels.csv"
    assert hand.read(file) == []
    given = {path: f"=label {number}" for number, path in enumerate(ODD)}
    assert hand.set(file, given) == dict.fromkeys(ODD)
    assert labels_in(file) == given
    assert file.read_text("utf-8").splitlines()[0] == "path,label,split,when,content"
    assert not [line for line in file.read_text("utf-8").splitlines() if line.startswith("=")]


def test_a_change_returns_what_undoes_it(tmp_path):
    file = tmp_path / "labels.csv"
    hand.set(file, {"a.jpg": "sea", "b.jpg": "sea"})
    before = labels_in(file)
    former = hand.set(file, {"a.jpg": "sea", "b.jpg": " town ", "c.jpg": "town"})
    assert former == {"b.jpg": "sea", "c.jpg": None}
    hand.set(file, former)
    assert labels_in(file) == before
    assert hand.set(file, {"a.jpg": None}) == {"a.jpg": "sea"}
    assert labels_in(file) == {"b.jpg": "sea"}


def test_a_split_stays_when_the_label_changes_and_is_that_of_the_folder_otherwise(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text("path,label,split,when\na.jpg,sea,test,2026-01-01T00:00:00+00:00\n")
    hand.set(file, {"a.jpg": "town", "train/b.jpg": "sea"})
    assigned = assign(["a.jpg", "train/b.jpg", "c.jpg"], f"hand:{file}")
    assert assigned.labels.tolist() == ["town", "sea", None]
    assert assigned.splits.tolist() == ["test", "train", None]
    assert assigned.rule == "hand"
    assert assign(["c.jpg"], f"hand:{file}").unknown == ("a.jpg", "train/b.jpg")


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\u202egpj", "x" * 201])
def test_a_name_that_cannot_be_read_is_refused_and_nothing_is_written(name, tmp_path):
    with pytest.raises(UsageError, match="name"):
        hand.set(tmp_path / "labels.csv", {"a.jpg": "sea", "b.jpg": name})
    assert not (tmp_path / "labels.csv").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"path,label\na,b\n", "the first line"),
        (b"path,label,split,when\na.jpg,sea\n", "line 2: 2 cells instead of 4"),
        (b"path,label,split,when\na.jpg,,,\n", "line 2: a path and a label"),
        (b"path,label,split,when\na.jpg,sea,holdout,\n", "line 2: the split 'holdout'"),
        (b"path,label,split,when\n\\q.jpg,sea,,\n", "line 2: unknown escape"),
        (b'path,label,split,when\n"a.jpg,sea,,\n', "line 2"),
        (b"path,label,split,when\n\xff,sea,,\n", "not UTF-8"),
    ],
)
def test_a_file_that_was_spoilt_is_told_with_its_line_and_not_written_over(content, words, tmp_path):
    file = tmp_path / "labels.csv"
    file.write_bytes(content)
    for call in (lambda: hand.read(file), lambda: hand.set(file, {"b.jpg": "town"})):
        with pytest.raises(LabelError, match=words):
            call()
    assert file.read_bytes() == content


def test_a_table_that_a_spreadsheet_saved_again_is_read(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_bytes(b"\xef\xbb\xbfpath,label,split,when\r\nb.jpg,sea,,\r\na.jpg,town,train,\r\n")
    assert labels_in(file) == {"a.jpg": "town", "b.jpg": "sea"}


def test_what_is_no_ordinary_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "labels.csv")
    with pytest.raises(CacheDamagedError, match="no ordinary file"):
        hand.read(tmp_path / "labels.csv")


def test_a_full_disk_leaves_the_former_labels(tmp_path, monkeypatch):
    file = tmp_path / "labels.csv"
    hand.set(file, {"a.jpg": "sea"})

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(draft.os, "fsync", refuse)
    with pytest.raises(CacheWriteError, match=r"labels"):
        hand.set(file, {"a.jpg": "town"})
    assert labels_in(file) == {"a.jpg": "sea"}
    there = sorted(path.name for path in tmp_path.iterdir())
    assert there == [".labels.csv.lock", "labels-undo.json", "labels.csv"]


WRITER = """
import sys
from pathlib import Path
from embed.labels import hand
for number in range(40):
    hand.set(Path(sys.argv[1]), {f"{sys.argv[2]}-{number}.jpg": sys.argv[2], "both.jpg": sys.argv[2]})
"""


def test_processes_that_write_at_once_lose_nothing(tmp_path):
    file = tmp_path / "labels.csv"
    names = ["one", "two", "three"]
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, file, name]) for name in names]
    while any(writer.poll() is None for writer in writers):
        hand.read(file)  # whole at any moment
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0]
    given = labels_in(file)
    assert given.pop("both.jpg") in names
    assert given == {f"{name}-{number}.jpg": name for name in names for number in range(40)}
