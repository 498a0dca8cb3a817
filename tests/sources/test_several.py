"""Several folders as one source."""

from pathlib import Path

import pytest
from PIL import Image

from embed import sources
from embed.errors import InputError
from embed.sources import Item, Listed


@pytest.fixture
def place(tmp_path, monkeypatch):
    for name in ("x/photos/a/1.jpg", "y/photos/a/1.jpg", "y/photos/b/2.jpg"):
        file = tmp_path / name
        file.parent.mkdir(parents=True)
        Image.new("RGB", (8, 8), "red").save(file)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_folders_of_one_name_are_told_apart_in_any_order(place):
    for folders in ([Path("x/photos"), Path("y/photos")], [Path("y/photos/"), place / "x" / "photos"]):
        source = sources.open(folders)
        told = list(source.find())
        names = ["x/photos/a/1.jpg", "y/photos/a/1.jpg", "y/photos/b/2.jpg"]
        assert [one.name for one in told if isinstance(one, Item)] == names
        places = [one.place for one in told if isinstance(one, Listed)]
        assert places == ["x/photos/a", "x/photos", "y/photos/a", "y/photos/b", "y/photos", ""]
        assert source.root == place and source.name == "x-photos+y-photos"
        assert source.places == ("x/photos", "y/photos")
        assert all(source.address(name).exists() for name in names)
        items = [one for one in told if isinstance(one, Item)]
        assert all(isinstance(content, sources.Content) for _, content in source.read(items))


def test_a_folder_that_is_given_twice_or_lies_in_another_counts_once(place):
    (place / "link").symlink_to("x")
    folders = [Path("x"), Path("./x"), Path("x/photos"), Path("link"), Path("y")]
    assert sources.apart(folders) == ([Path("x"), Path("y")], folders[1:4])
    assert isinstance(sources.open([Path("x"), Path("x/photos")]), sources.Folder)


def test_a_folder_that_is_not_there_ends_the_search(place):
    with pytest.raises(InputError, match=r"There is no folder .*nowhere"):
        list(sources.open([Path("x"), Path("nowhere")]).find())


def test_an_empty_name_is_not_the_working_folder(place):
    with pytest.raises(InputError, match="An empty name leads to no photographs"):
        sources.open("")
