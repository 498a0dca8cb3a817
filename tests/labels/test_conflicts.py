"""What is said of one photograph in several classes, in several splits, or under several names."""

import numpy as np

from embed.labels import conflicts, of


class Photographs:
    """Photographs by name, each with a content."""

    root, places, labels_of_source, exif = None, (), None, None

    def __init__(self, contents):
        self.paths = np.array(sorted(contents), object)
        self.sha256 = np.array([np.full(32, contents[path], np.uint8) for path in self.paths])


def said(contents) -> list[str]:
    photographs = Photographs(contents)
    return conflicts(of(photographs), photographs)


def test_one_photograph_in_two_classes_two_splits_and_under_two_names_is_said_with_the_first():
    contents = {
        "train/a/1.jpg": 1,
        "train/b/1.jpg": 1,
        "train/a/2.jpg": 2,
        "test/a/2.jpg": 2,
        "test/b/3.jpg": 3,
        "x.jpg": 2,
    }
    assert said(contents) == [
        "1 photograph is in more than one class: train/a/1.jpg (a) and train/b/1.jpg (b)",
        "1 photograph is in more than one split, so that what is scored was trained on: test/a/2.jpg (test) and"
        " train/a/2.jpg (train)",
        "2 photographs are there under more than one name (5 in all): test/a/2.jpg and train/a/2.jpg",
    ]


def test_nothing_is_said_where_every_photograph_is_there_once():
    assert said({"a/1.jpg": 1, "b/2.jpg": 2}) == []


def test_what_is_left_out_as_a_copy_contradicts_nothing():
    assert said({"train/a/1.jpg": 1, "test/b/2.jpg": 2, "sample/c/1.jpg": 1}) == []
