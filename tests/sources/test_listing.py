"""A list of photographs as a source."""

from pathlib import Path

import pytest
from PIL import Image

from embed.errors import InputError
from embed.sources import Failed, Filters, Item, LeftOut, Listed, Listing, read_list


@pytest.fixture
def place(tmp_path, monkeypatch):
    for name in ("a/1.jpg", "a/2.jpg", "b/3.jpg", "b/.hidden/4.jpg"):
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), "red").save(file)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def items(source):
    return [one.name for one in source.find() if isinstance(one, Item)]


@pytest.mark.parametrize(
    "data",
    [
        b"photos/b/3.jpg\nphotos/a/1.jpg\n",
        b"photos/b/3.jpg\r\n./photos/a/1.jpg\r\n\r\n",
        b"photos/b/3.jpg\r\nphotos/a/1.jpg\n",
        b"photos/b/3.jpg\nphotos/a/1.jpg\r\n",
        b"\xef\xbb\xbfphotos/a/1.jpg\nphotos/a/1.jpg\nphotos//b/3.jpg",
        "photos/a/1.jpg\r\nphotos/b/3.jpg\r\n".encode("utf-16"),
    ],
)
def test_lists_of_every_spelling_are_understood(place, data):
    source = Listing(Path("list.txt"), data)
    assert items(source) == ["photos/a/1.jpg", "photos/b/3.jpg"]
    assert source.root == place


def test_paths_may_end_in_zero_bytes_and_hold_line_ends(place):
    (place / "odd\n.jpg").write_bytes(b"x")
    assert items(Listing(None, b"odd\n.jpg\0photos/a/1.jpg\0", zero=True)) == ["odd\n.jpg", "photos/a/1.jpg"]


def test_paths_are_relative_to_the_working_folder_or_else_to_the_list(place):
    (place / "photos" / "list.txt").write_bytes(b"a/1.jpg\n")
    source = Listing(Path("photos/list.txt"), read_list(Path("photos/list.txt")))
    assert source.root == place / "photos" and items(source) == ["a/1.jpg"]


def test_absolute_paths_are_below_the_top(place):
    source = Listing(Path("list.txt"), f"{place}/photos/a/1.jpg\n".encode())
    (name,) = items(source)
    assert source.address(name) == place / "photos/a/1.jpg"


def test_two_lists_of_one_name_are_two_sources(place):
    names = {
        Listing(Path(file), b"photos/a/1.jpg").name for file in ("list.txt", "photos/list.txt", "list.txt")
    }
    assert len(names) == 2


def test_folders_in_a_list_are_walked_once_and_hidden_ones_left_out(place):
    source = Listing(Path("list.txt"), b"photos/b/3.jpg\nphotos/b\nphotos/a/1.jpg\n")
    told = list(source.find())
    assert [one.name for one in told if isinstance(one, Item)] == ["photos/a/1.jpg", "photos/b/3.jpg"]
    assert [one.place for one in told if isinstance(one, LeftOut)] == ["photos/b/.hidden"]
    assert told[-1] == Listed("")


def test_what_is_named_and_missing_is_a_failure_and_gone_only_where_its_folder_is_there(place):
    source = Listing(Path("list.txt"), b"photos/a/9.jpg\ndisk/1.jpg\nphotos/a/1.jpg\n")
    failed = {one.place: one.gone for one in source.find() if isinstance(one, Failed)}
    assert failed == {"photos/a/9.jpg": True, "disk/1.jpg": False}


def test_patterns_are_about_files_in_a_list_too(place):
    (place / "photos" / "a" / "._1.jpg").write_bytes(b"x")
    data = b"photos/a/._1.jpg\nphotos/a/1.jpg\nphotos/a/2.jpg\nphotos/b/.hidden/4.jpg\n"
    source = Listing(None, data, filters=Filters(exclude=("2.jpg",)))
    assert items(source) == ["photos/a/1.jpg", "photos/b/.hidden/4.jpg"]


def test_a_list_that_names_nothing_or_is_not_there_is_an_error(place):
    with pytest.raises(InputError, match=r"list\.txt names no photographs"):
        Listing(Path("list.txt"), b"\n \n")
    with pytest.raises(InputError, match=r"The list nowhere\.txt cannot be read: no such file"):
        read_list(Path("nowhere.txt"))


def test_a_line_with_a_zero_byte_is_told_with_the_way_out(place):
    with pytest.raises(InputError, match=r"Line 2 of the list holds a zero byte.*UTF-8.*-0"):
        Listing(place / "list.txt", b"photos/a/1.jpg\n" + "b.jpg\n".encode("utf-16-le"))
