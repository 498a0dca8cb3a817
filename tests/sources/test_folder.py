"""What a scan of a folder finds, in which order, and what it leaves alone."""

import errno
import os
import shutil
import subprocess
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


def found(folder: Path) -> list[str]:
    return [one.name for one in files(folder)]


def files(folder: Path) -> list[sources.Item]:
    return [one for one in sources.Folder(folder).find() if isinstance(one, sources.Item)]


def failed(folder: Path) -> dict[str, str]:
    return {one.place: one.reason for one in sources.Folder(folder).find() if isinstance(one, sources.Failed)}


def test_paths_come_in_the_order_of_their_bytes(folder):
    for name in ("b.jpg", "a/x.jpg", "a.jpg", "a!/x.jpg", "Z.jpg", "é.jpg", "a/b/x.jpg", "a-b.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    paths = [one.name for one in files(folder)]
    assert len(paths) == 8
    assert paths == sorted(paths, key=os.fsencode)


def test_names_of_any_bytes_round_trip(folder):
    name = b"caf\xe9 \n\xff.JPG"
    with open(os.fsencode(folder) + b"/" + name, "wb") as file:
        file.write(b"x")
    (only,) = files(folder)
    assert os.fsencode(only.name) == name
    assert only.size == 1


def test_an_image_without_its_extension_is_found_and_text_is_not(folder, photo):
    (folder / "photo").write_bytes(photo.read_bytes())
    (folder / "photo.txt").write_bytes(photo.read_bytes())
    (folder / "notes.txt").write_text("no image")
    (folder / "plan.txt").write_text("P5 is what we call the fifth meeting")
    (folder / ".DS_Store").write_bytes(b"\x00\x00\x00\x01Bud1")
    assert found(folder) == ["photo", "photo.txt"]


def test_links_to_files_and_folders_are_followed(folder, photo):
    elsewhere = photo.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "b.jpg").write_bytes(photo.read_bytes())
    (folder / "a.jpg").symlink_to(photo)
    (folder / "linked").symlink_to(elsewhere)
    assert found(folder) == ["a.jpg", "linked/b.jpg"]
    assert files(folder)[0].size == photo.stat().st_size


def test_a_link_back_to_a_folder_being_walked_ends_there(folder, photo):
    (folder / "deep").mkdir()
    (folder / "deep" / "a.jpg").write_bytes(photo.read_bytes())
    (folder / "deep" / "up").symlink_to(folder)
    (folder / "self").symlink_to(folder)
    assert found(folder) == ["deep/a.jpg"]


def test_what_cannot_be_a_photograph_is_named(folder, photo):
    (folder / "dangling.jpg").symlink_to(folder / "nowhere")
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    (folder / "folder.jpg").mkdir()
    (folder / "folder.jpg" / "inner.png").write_bytes(b"")
    with open(folder / "huge.jpg", "wb") as file:
        file.truncate((1 << 30) + 1)
    os.mkfifo(folder / "pipe.jpg")
    os.mkfifo(folder / "pipe")
    (folder / "device.png").symlink_to("/dev/zero")
    assert failed(folder) == {
        "dangling.jpg": "is a link to a file that does not exist",
        "device.png": "is a device, not a file",
        "folder.jpg": "is a folder, not a file",
        "huge.jpg": "is 1,073,741,825 bytes long, more than the limit of 1,073,741,824",
        "loop.jpg": "is a link that leads back to itself",
        "pipe.jpg": "is a named pipe, not a file",
    }
    assert found(folder) == ["folder.jpg/inner.png"]


def test_a_folder_that_is_missing_or_a_file_is_said_so(folder, photo):
    with pytest.raises(InputError, match="There is no folder"):
        list(sources.Folder(folder / "missing").find())
    with pytest.raises(InputError, match="is a file, not a folder"):
        list(sources.Folder(photo).find())


def test_a_folder_is_told_after_what_is_in_it(folder):
    for name in ("a/b/x.jpg", "a/c.jpg", "d/e.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    told = [
        one.place if isinstance(one, sources.Listed) else one.name for one in sources.Folder(folder).find()
    ]
    assert told == ["a/b/x.jpg", "a/b", "a/c.jpg", "a", "d", ""]


def test_folders_may_be_nested_deeper_than_python_calls(folder):
    place = os.open(folder, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=place)
        below = os.open("d", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(os.open("deepest.jpg", os.O_WRONLY | os.O_CREAT, dir_fd=place))
    os.close(place)
    try:
        assert found(folder) == ["d/" * 1500 + "deepest.jpg"]
    finally:
        subprocess.run(["rm", "-r", folder / "d"], check=True)  # deeper than the clean-up of Python 3.11 goes


def test_folders_that_link_to_one_another_are_walked_once_each(folder, photo):
    for one in range(7):
        (folder / f"{one}").mkdir()
        (folder / f"{one}" / "a.jpg").write_bytes(photo.read_bytes())
        for other in range(7):
            (folder / f"{one}" / f"to-{other}").symlink_to(folder / f"{other}")
    assert found(folder) == [f"{one}/a.jpg" for one in range(7)]


def test_a_link_to_the_folder_above_does_not_lead_back_into_the_one_that_is_walked(tmp_path, photo):
    for name in ("data/1.jpg", "data/a/2.jpg", "beside/3.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, tmp_path / name)
    (tmp_path / "data" / "up").symlink_to(tmp_path)
    assert found(tmp_path / "data") == ["1.jpg", "a/2.jpg", "up/beside/3.jpg", "up/photo.jpg"]


def test_a_folder_elsewhere_is_walked_under_the_first_link_that_leads_to_it(folder, photo):
    elsewhere = photo.parent / "elsewhere"
    (elsewhere / "inner").mkdir(parents=True)
    (elsewhere / "inner" / "b.jpg").write_bytes(photo.read_bytes())
    (elsewhere / "inner" / "back").symlink_to(elsewhere)
    (folder / "1").symlink_to(elsewhere / "inner")
    (folder / "2").symlink_to(elsewhere)
    assert found(folder) == ["1/b.jpg"]


def test_a_link_is_walked_as_the_folder_below_the_root_that_it_leads_to(folder, photo):
    (folder / "z").mkdir()
    (folder / "z" / "a.jpg").write_bytes(photo.read_bytes())
    (folder / "a").symlink_to("z")
    assert found(folder) == ["z/a.jpg"]


def test_what_cannot_be_looked_at_is_told_as_failed(folder, photo, monkeypatch):
    (folder / "a").mkdir()
    (folder / "a" / "b.jpg").write_bytes(photo.read_bytes())
    (folder / "c").write_bytes(photo.read_bytes())
    (folder / "gone").symlink_to("/nowhere/at/all")
    scandir, opened = os.scandir, os.open

    def refuse_folder(place):
        if os.fsencode(place).endswith(b"/a"):
            raise OSError(errno.EIO, "Input/output error")
        return scandir(place)

    def refuse_file(place, *arguments, **options):
        if os.fsencode(place).endswith(b"/c"):
            raise OSError(errno.EACCES, "Permission denied")
        return opened(place, *arguments, **options)

    monkeypatch.setattr(os, "scandir", refuse_folder)
    monkeypatch.setattr(os, "open", refuse_file)
    told = [one for one in sources.Folder(folder).find() if isinstance(one, sources.Failed)]
    assert told == [
        sources.Failed("a", "the folder cannot be read: input/output error"),
        sources.Failed("c", "cannot be read: permission denied", expected=False),
        sources.Failed("gone", "is a link to a file that does not exist", expected=False),
    ]


def test_an_error_while_the_folder_itself_is_listed_ends_the_search(folder, photo, monkeypatch):
    (folder / "a.jpg").write_bytes(photo.read_bytes())

    class Pulled:
        """A listing that breaks off after its first entry."""

        def __init__(self, place):
            self.entries = scandir(place)

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            self.entries.close()

        def __iter__(self):
            yield next(self.entries)
            raise OSError(errno.EIO, "Input/output error")

    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", Pulled)
    with pytest.raises(InputError, match=r"cannot be read: input/output error\.$"):
        list(sources.Folder(folder).find())


def test_a_folder_is_read_in_order_by_name(folder, photo):
    (folder / "a.jpg").write_bytes(photo.read_bytes())
    (folder / "b.jpg").write_bytes(b"b")
    source = sources.open(folder)
    items = files(folder)
    (folder / "a.jpg").unlink()
    (first, reason), (second, content) = source.read(items)
    assert [first, second] == items
    assert reason == "vanished"
    assert content.data == b"b"
    assert source.address("b.jpg") == folder / "b.jpg"
    assert (source.name, source.root) == ("data", folder.resolve())
