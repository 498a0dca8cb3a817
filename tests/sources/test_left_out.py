"""What is not taken for photographs: folders of programs, hidden ones, what embed draws, and what the user says."""

import os

import pytest
from PIL import Image

from embed import sources
from embed.errors import UsageError
from embed.sources import DRAWN, Filters, Folder, Item, LeftOut, Listed


@pytest.fixture
def folder(tmp_path):
    """A folder with two photographs, and all that programs put beside them."""
    for name in (
        "ants/1.jpg",
        "bees/2.jpg",
        ".ipynb_checkpoints/1-checkpoint.jpg",
        "ants/.thumbnails/1.jpg",
        "ants/@eaDir/1.jpg/SYNOPHOTO_THUMB_S.jpg",
        ".Trash-1000/files/old.jpg",
        "__MACOSX/ants/._1.jpg",
        "#recycle/3.jpg",
        "lost+found/4.jpg",
        "$RECYCLE.BIN/5.jpg",
        ".embed-bin/1/6.jpg",
        "bees/._2.jpg",
    ):
        file = tmp_path / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), "red").save(file)
    return tmp_path / "data"


def told(folder, **filters):
    return list(Folder(folder, Filters(**filters)).find())


def found(folder, **filters):
    return [one.name for one in told(folder, **filters) if isinstance(one, Item)]


def test_folders_of_programs_are_left_out_and_counted(folder):
    everything = told(folder)
    assert [one.name for one in everything if isinstance(one, Item)] == ["ants/1.jpg", "bees/2.jpg"]
    left_out = {one.place: one.images for one in everything if isinstance(one, LeftOut)}
    assert left_out == {  # what embed itself put aside is no news
        "#recycle": 1,
        "$RECYCLE.BIN": 1,
        ".Trash-1000": 1,
        ".ipynb_checkpoints": 1,
        "__MACOSX": 1,
        "ants/.thumbnails": 1,
        "ants/@eaDir": 1,
        "bees": 1,
        "lost+found": 1,
    }
    assert everything[-1] == Listed("")


def test_the_folder_itself_may_be_hidden(folder):
    assert found(folder / ".ipynb_checkpoints") == ["1-checkpoint.jpg"]


def test_a_link_into_a_folder_that_is_left_out_is_followed(folder):
    (folder / "linked").symlink_to(folder / ".Trash-1000" / "files")
    assert "linked/old.jpg" in found(folder)


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"exclude": ("ants/",)}, ["bees/2.jpg"]),
        ({"exclude": ("*.jpg",)}, []),
        ({"exclude": ("/2.jpg",)}, ["ants/1.jpg", "bees/2.jpg"]),
        ({"exclude": ("bees/*", "nothing")}, ["ants/1.jpg"]),
        ({"exclude": ("*",), "include": ("bees/*.jpg",)}, ["bees/._2.jpg", "bees/2.jpg"]),
        ({"include": (".thumbnails",)}, ["ants/.thumbnails/1.jpg", "ants/1.jpg", "bees/2.jpg"]),
        ({"include": ("@eaDir", "old.jpg")}, None),
    ],
)
def test_patterns_leave_out_and_take_in(folder, filters, names):
    if names is None:
        names = [
            ".Trash-1000/files/old.jpg",
            "ants/1.jpg",
            "ants/@eaDir/1.jpg/SYNOPHOTO_THUMB_S.jpg",
            "bees/2.jpg",
        ]
    assert found(folder, **filters) == names


@pytest.mark.parametrize("glob", ["", "!a", "#a", " "])
def test_what_is_no_pattern_is_wrong_usage(glob):
    with pytest.raises(UsageError, match="is no pattern") as error:
        Filters(exclude=(glob,))
    assert error.value.parameter == "exclude"


def test_a_folder_that_is_left_out_and_cannot_be_read_is_no_matter(folder, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if b"Trash" in os.fsencode(path):
            raise PermissionError
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert LeftOut(".Trash-1000", "a hidden folder", 0) in told(folder)


def test_what_embed_draws_is_known_by_what_is_in_it(folder):
    from embed.report import map_file
    from embed.report.overlay import _encoded

    drawn = {
        "map.png": map_file(_layout(), "png"),
        "map.svg": map_file(_layout(), "svg"),
        **{
            f"overlay.{kind.lower()}": _encoded(Image.new("RGB", (80, 80)), kind)
            for kind in ("PNG", "JPEG", "WEBP")
        },
    }
    for name, data in drawn.items():
        (folder / name).write_bytes(data)
    source = Folder(folder)
    items = [one for one in source.find() if isinstance(one, Item)]
    contents = {item.name: content for item, content in source.read(items)}
    assert {name for name, content in contents.items() if content == DRAWN} == drawn.keys()
    assert isinstance(contents["ants/1.jpg"], sources.Content)


def _layout():
    import numpy as np

    from embed.search import Layout

    return Layout(["a/1.jpg"], ["a"], np.zeros((1, 2), np.float32), 0)
