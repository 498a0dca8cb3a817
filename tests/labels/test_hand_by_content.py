"""Labels given by hand stay with the content of a photograph, and the last change is taken back."""

from types import SimpleNamespace

import numpy as np
import pytest

from embed import files
from embed.errors import CacheDamagedError
from embed.labels import hand


def photographs(**contents):
    """Photographs by name (a for a.jpg), each with a content."""
    paths = np.array([f"{name}.jpg" for name in contents], object)
    return SimpleNamespace(
        paths=paths, sha256=np.array([np.full(32, one, np.uint8) for one in contents.values()])
    )


def labels_of(file, there):
    labels, _, unknown = hand.by_hand(there.paths.tolist(), file, there)
    assert set(unknown).isdisjoint(there.paths)
    return {path[0]: label for path, label in zip(there.paths, labels, strict=True) if label}


@pytest.fixture
def file(tmp_path):
    """Photographs a and b, named sea and town."""
    hand.set(tmp_path / hand.NAME, {"a.jpg": "sea", "b.jpg": "town"}, None, photographs(a=1, b=2, c=3))
    return tmp_path / hand.NAME


@pytest.mark.parametrize(
    ("there", "labels"),
    [
        ({"a": 1, "b": 2, "c": 3}, {"a": "sea", "b": "town"}),
        ({"x": 1, "y": 2, "c": 3}, {"x": "sea", "y": "town"}),
        ({"a": 2, "b": 1}, {"a": "town", "b": "sea"}),
        ({"a": 1, "z": 1, "b": 2}, {"a": "sea", "b": "town"}),
        ({"a": 9, "b": 2}, {"a": "sea", "b": "town"}),  # edited in its place
        ({"a": 9, "x": 1}, {"x": "sea"}),  # another one has taken its name
        ({"c": 3}, {}),
    ],
    ids=["as they were", "renamed", "exchanged", "copied", "edited", "replaced", "gone"],
)
def test_a_label_stays_with_its_photograph(file, there, labels):
    assert labels_of(file, photographs(**there)) == labels


def test_a_photograph_that_was_renamed_has_one_line_after_it_is_named_again(file):
    there = photographs(x=1, b=2)
    assert hand.set(file, {"x.jpg": "lake"}, None, there) == {"x.jpg": "sea"}
    assert labels_of(file, there) == {"x": "lake", "b": "town"}
    assert [row.path for row in hand.read(file)] == ["b.jpg", "x.jpg"]
    assert hand.set(file, {"x.jpg": None}, None, there) == {"x.jpg": "lake"}
    assert labels_of(file, there) == {"b": "town"}


def test_two_labels_of_one_content_say_nothing_of_a_third_name(file):
    both = photographs(a=1, z=1)
    hand.set(file, {"z.jpg": "lake"}, None, both)
    assert labels_of(file, both) == {"a": "sea", "z": "lake"}
    assert labels_of(file, photographs(q=1)) == {}


def test_a_file_without_contents_goes_by_paths_until_something_is_named(tmp_path):
    file = tmp_path / hand.NAME
    file.write_text("path,label,split,when\na.jpg,sea,test,\n")
    there = photographs(a=1, b=2)
    assert labels_of(file, there) == {"a": "sea"}
    assert hand.set(file, {"a.jpg": "sea"}, None, there) == {}
    assert labels_of(file, photographs(x=1)) == {"x": "sea"}
    assert hand.read(file)[0].split == "test"


def test_the_last_change_is_taken_back_once(file):
    before = file.read_bytes()
    hand.set(file, {"a.jpg": "lake", "c.jpg": "lake", "b.jpg": None}, None, photographs(a=1, b=2, c=3))
    assert hand.undo(file) == ("lake", 3, 0)
    assert file.read_bytes() == before
    assert hand.undo(file) is None
    assert file.read_bytes() == before


def test_what_was_named_since_by_another_program_stays(file):
    hand.set(file, {"a.jpg": "lake", "c.jpg": "lake"}, None, photographs(a=1, b=2, c=3))
    file.write_text(file.read_text().replace("c.jpg,lake", "c.jpg,river"))
    assert hand.undo(file) == ("lake", 1, 1)
    assert {row.path: row.label for row in hand.read(file)} == {
        "a.jpg": "sea",
        "b.jpg": "town",
        "c.jpg": "river",
    }


def test_a_damaged_memory_of_the_change_is_told_and_changes_nothing(file):
    before = file.read_bytes()
    memory = file.with_name(hand.UNDO_NAME)
    for content in (b"{}", b"\xff", files.seal({"format_version": 1, "rows": [[1]]})):
        memory.write_bytes(content)
        with pytest.raises(CacheDamagedError, match=r"labels-undo\.json"):
            hand.undo(file)
    assert file.read_bytes() == before
