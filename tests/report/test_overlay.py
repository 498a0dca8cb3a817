"""Pictures of class-activation maps in files."""

import numpy as np
import pytest
from PIL import Image

from embed.errors import UsageError
from embed.explain import ClassMap, Explained
from embed.report import write_pictures

MAP = ClassMap("caf\udce9\u202e", 0.9, "b", np.eye(3), exact=True)  # a label that no font draws


@pytest.fixture
def explained(tmp_path):
    file = tmp_path / "photo.png"
    Image.new("RGB", (400, 300), (200, 30, 30)).save(file)
    return Explained(file, (MAP,))


@pytest.mark.parametrize(("name", "kind"), [("why.png", "PNG"), ("why.JPG", "JPEG"), ("why.webp", "WEBP")])
def test_a_picture_is_what_its_name_says(name, kind, explained, tmp_path):
    (written,) = write_pictures([explained], tmp_path / name, "stretch", "logistic")
    assert written == (explained, tmp_path / name)
    with Image.open(tmp_path / name) as picture:
        assert picture.format == kind and picture.width > picture.height


def test_several_photographs_need_a_folder(explained, tmp_path):
    with pytest.raises(UsageError, match="name a folder"):
        list(write_pictures([explained] * 2, tmp_path / "why.jpg", "stretch", "logistic"))
    written = [file for _, file in write_pictures([explained] * 2, tmp_path / "why", "stretch", "logistic")]
    assert [file.name for file in written] == ["photo.explained.png", "photo-2.explained.png"]


def test_a_photograph_without_a_map_has_no_picture(tmp_path):
    one = Explained(tmp_path / "gone.jpg", problem="it is gone")
    assert list(write_pictures([one], tmp_path / "why", "stretch", "logistic")) == [(one, None)]
