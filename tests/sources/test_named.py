"""Files that the user names."""

from pathlib import Path

import pytest
from PIL import Image

from embed import sources
from embed.errors import InputError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("b.jpg", "in/a.jpg", "in/c.txt"):
        Image.new("RGB", (8, 8)).save(tmp_path / name, "PNG")
    (tmp_path / "in" / "notes.txt").write_text("no photograph")
    return tmp_path


def test_a_folder_stands_for_the_photographs_below_it(folder):
    given = [folder / "b.jpg", folder / "in", folder / "missing.jpg"]
    assert list(sources.expand(given)) == [
        folder / "b.jpg",
        folder / "in" / "a.jpg",
        folder / "in" / "c.txt",
        folder / "missing.jpg",
    ]


def test_a_folder_without_photographs_is_refused(folder):
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match="no image in"):
        list(sources.expand([folder / "empty"]))


def test_single_files_are_read_in_the_order_given_or_say_why_not(folder):
    source = sources.Files([folder / "in" / "a.jpg", folder / "missing.jpg", folder / "in", folder / "b.jpg"])
    items = list(source.items())
    read = [content for _, content in source.read(items)]
    assert read[0].data == (folder / "in" / "a.jpg").read_bytes()
    assert read[1:3] == ["there is no such file", "is a folder, not a file"]
    assert read[3].sha256 == read[0].sha256
    assert list(source.find()) == [*items, sources.Listed("")]
    assert source.address(items[0].name) == folder / "in" / "a.jpg"


def test_a_url_is_called_one():
    source = sources.Files([Path("https://example.org/photo.jpg")])
    ((_, reason),) = source.read([*source.items()])
    assert reason == "is a URL, and nothing is downloaded here: save it as a file first"
