"""A raw photograph and the picture of the same shot."""

import os

import pytest

from embed.sources import shots


@pytest.mark.parametrize(
    ("raw", "picture", "same"),
    [
        ("IMG_1.CR2", "IMG_1.JPG", True),
        ("IMG_1.nef", "IMG_1.jpg", True),
        ("a.b.ARW", "a.b.HEIC", True),
        ("IMG_1.DNG", "IMG_1.tif", True),
        ("IMG_1.CR2", "IMG_2.JPG", False),
        ("IMG_1.JPG", "IMG_1.PNG", False),
        ("IMG_1.CR2", "IMG_1.xmp", False),
        ("IMG_1.CR2", "IMG_1.NEF", False),
    ],
)
def test_a_raw_file_goes_by_the_picture_of_the_same_name(tmp_path, raw, picture, same):
    (tmp_path / picture).touch()
    assert shots.is_taken_as_picture(os.fsencode(tmp_path / raw)) == same


def test_a_picture_in_another_folder_is_another_shot(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "IMG_1.JPG").touch()
    (tmp_path / "IMG_1.JPG").mkdir()
    assert not shots.is_taken_as_picture(os.fsencode(tmp_path / "IMG_1.CR2"))
