"""What a scan of a folder finds, in which order, and what it leaves alone."""

import os
from pathlib import Path

import pytest
from PIL import Image

from embed import sources
from embed.errors import InputError


@pytest.fixture
def photo(tmp_path) -> Path:
    """A photograph outside the folder that is scanned."""
    file = tmp_path / "photo.jpg"
    Image.new("RGB", (8, 8), "red").save(file)
    return file


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def found(folder: Path) -> dict[str, str | None]:
    return {one.path: one.problem for one in sources.find(folder)}


def test_paths_come_in_the_order_of_their_bytes(folder):
    for name in ("b.jpg", "a/x.jpg", "a.jpg", "a!/x.jpg", "Z.jpg", "é.jpg", "a/b/x.jpg", "a-b.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    paths = [one.path for one in sources.find(folder)]
    assert len(paths) == 8
    assert paths == sorted(paths, key=os.fsencode)


def test_names_of_any_bytes_round_trip(folder):
    name = b"caf\xe9 \n\xff.JPG"
    with open(os.fsencode(folder) + b"/" + name, "wb") as file:
        file.write(b"x")
    (only,) = sources.find(folder)
    assert os.fsencode(only.path) == name
    assert (only.size, only.problem) == (1, None)


def test_an_image_without_its_extension_is_found_and_text_is_not(folder, photo):
    (folder / "photo").write_bytes(photo.read_bytes())
    (folder / "photo.txt").write_bytes(photo.read_bytes())
    (folder / "notes.txt").write_text("no image")
    (folder / "plan.txt").write_text("P5 is what we call the fifth meeting")
    (folder / ".DS_Store").write_bytes(b"\x00\x00\x00\x01Bud1")
    assert found(folder) == {"photo": None, "photo.txt": None}


def test_links_to_files_and_folders_are_followed(folder, photo):
    elsewhere = photo.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "b.jpg").write_bytes(photo.read_bytes())
    (folder / "a.jpg").symlink_to(photo)
    (folder / "linked").symlink_to(elsewhere)
    assert found(folder) == {"a.jpg": None, "linked/b.jpg": None}
    assert next(sources.find(folder)).size == photo.stat().st_size


def test_a_link_back_to_a_folder_being_walked_ends_there(folder, photo):
    (folder / "deep").mkdir()
    (folder / "deep" / "a.jpg").write_bytes(photo.read_bytes())
    (folder / "deep" / "up").symlink_to(folder)
    (folder / "self").symlink_to(folder)
    assert found(folder) == {"deep/a.jpg": None}


def test_what_cannot_be_a_photograph_is_named(folder, photo):
    (folder / "dangling.jpg").symlink_to(folder / "nowhere")
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    (folder / "folder.jpg").mkdir()
    (folder / "folder.jpg" / "inner.png").write_bytes(b"")
    os.mkfifo(folder / "pipe.jpg")
    os.mkfifo(folder / "pipe")
    (folder / "device.png").symlink_to("/dev/zero")
    assert found(folder) == {
        "dangling.jpg": "is a link to a file that does not exist",
        "device.png": "is a device, not a file",
        "folder.jpg": "is a folder, not a file",
        "folder.jpg/inner.png": None,
        "loop.jpg": "is a link that leads back to itself",
        "pipe.jpg": "is a named pipe, not a file",
    }


def test_a_folder_that_is_missing_or_a_file_is_said_so(folder, photo):
    with pytest.raises(InputError, match="There is no folder"):
        list(sources.find(folder / "missing"))
    with pytest.raises(InputError, match="is a file, not a folder"):
        list(sources.find(photo))
