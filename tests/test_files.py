"""Files for the user: whole or not at all."""

import os

import pytest

from embed import files
from embed.errors import InputError


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


def test_what_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        InputError, match=f"cannot write {tmp_path}/file/page.html: Not a directory|File exists"
    ):
        files.write(tmp_path / "file" / "page.html", "")
