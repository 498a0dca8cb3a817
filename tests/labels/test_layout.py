"""What trees of folders are understood as: classes, splits, folds, and what has no label."""

from collections import Counter

import numpy as np
import pytest

from embed.errors import LabelError, UsageError
from embed.labels import assign, with_splits
from embed.labels.layout import read


class Photographs:
    """Photographs by name, each with a content."""

    root = exif = None

    def __init__(self, contents, places=()):
        self.paths = np.array(sorted(contents), object)
        self.sha256 = np.array([np.full(32, contents[path], np.uint8) for path in self.paths])
        self.places = places


def photographs(folders: str) -> list[str]:
    """Return two photographs for each folder."""
    return [f"{folder}/{number}.jpg".lstrip("/") for folder in folders.split() for number in range(2)]


def understood(folders: str, **options) -> set[str]:
    """Return "split/label" of each kind of photograph, and the fold where there is one."""
    found = assign(photographs(folders), **options)
    kinds = zip(found.splits, found.labels, found.folds, strict=True)
    return {f"{split or '-'}/{label or '-'}{' ' + fold if fold else ''}" for split, label, fold in kinds}


LAYOUTS = {
    "other names": ("training/a training/b testing/a testing/b", "train/a train/b test/a test/b"),
    "any case": ("TRAIN/a TRAIN/b Val/a Test/b", "train/a train/b validation/a test/b"),
    "suffixes": ("train_images/a train_images/b valset/a testData/b", "train/a train/b validation/a test/b"),
    "each in a folder of its own": (
        "training_set/training_set/a training_set/training_set/b test_set/test_set/a test_set/test_set/b",
        "train/a train/b test/a test/b",
    ),
    "years": ("train2017/a train2017/b val2017/a test2017", "train/a train/b validation/a test/-"),
    "eval is test": ("train/a train/b dev/a eval/b", "train/a train/b validation/a test/b"),
    "eval beside test": ("train/a train/b eval/a test/b", "train/a train/b validation/a test/b"),
    "hold out": ("train/a train/b hold-out/a held_out/b", "train/a train/b test/a test/b"),
    "trainval": ("trainval/a trainval/b test/a", "train/a train/b test/a"),
    "below images": ("images/train/a images/train/b images/val/a", "train/a train/b validation/a"),
    "below wrappers": (
        "data/images/train/a data/images/train/b data/images/val/b",
        "train/a train/b validation/b",
    ),
    "images below splits": ("train/images/a train/images/b test/images", "train/a train/b test/-"),
    "no classes": ("images/train images/val", "train/- validation/-"),
    "no classes below images": ("train/images valid/images", "train/- validation/-"),
    "unlabelled test": ("train/a train/b test1", "train/a train/b test/-"),
    "test of unknown classes": ("train/a train/b test/unknown", "train/a train/b test/-"),
    "loose files": ("train test1", "train/- test/-"),
    "splits below classes": ("a/train a/test b/train b/test", "train/a test/a train/b test/b"),
    "splits below some classes": ("a/train a/test b/train b/test c", "train/a test/a train/b test/b -/c"),
    "a split beside classes": ("a b val/a val/b", "-/a -/b validation/a validation/b"),
    "the class in the name": ("train_a test_a train_b test_b", "train/a test/a train/b test/b"),
    "a prefix": ("fruit_train/a fruit_train/b fruit_test/a", "train/a train/b test/a"),
    "two collections": (
        "x/train/a x/train/b x/val/a y/train/a y/val/b",
        "train/a train/b validation/a validation/b",
    ),
    "the collection once more": (
        "x/train/a x/train/b x/test/a x/x/train/a x/x/test/a",
        "train/a train/b test/a",
    ),
    "classes once more": ("x/a x/b x/x/a x/x/b", "-/a -/b"),
    "a class in one split": ("train/good test/good test/bad", "train/good test/good test/bad"),
    "a class called train": ("car bus train", "-/car -/bus -/train"),
    "a class called train in splits": (
        "train/train train/car test/train test/car",
        "train/train train/car test/train test/car",
    ),
    "a class called train with folders": ("train/steam train/diesel car/suv car/van", "-/train -/car"),
    "a class called valid": ("valid invalid", "-/valid -/invalid"),
    "test against control": ("test control", "-/test -/control"),
    "test beside classes": ("a b test", "-/a -/b test/-"),
    "loose files beside splits": (
        "train/a train/b val/a stuff unlabelled",
        "train/a train/b validation/a -/-",
    ),
    "masks": ("images/a images/b masks/a masks/b", "-/a -/b -/-"),
    "masks in classes": ("a/images a/masks b/images b/masks", "-/a -/b -/-"),
    "masks beside splits": (
        "train/good test/good test/bad ground_truth/bad",
        "train/good test/good test/bad -/-",
    ),
    "two levels": (
        "train/animal/cat train/plant/rose test/animal/dog",
        "train/animal train/plant test/animal",
    ),
    "a wrapper": ("one/two/a one/two/b", "-/a -/b"),
    "a wrapper called test": ("test_data/a test_data/b", "-/a -/b"),
    "photographs at the top": ("/ images/a images/b", "-/- -/a -/b"),
    "one class": ("cats", "-/cats"),
    "folds": ("fold_0/a fold_0/b fold_1/a", "-/a fold_0|-/b fold_0|-/a fold_1"),
    "folds to train on": ("train/fold1/a train/fold2/b test/a", "train/a fold1|train/b fold2|test/a"),
    "folds below classes": ("a/fold1 a/fold2 b/fold1 b/fold2", "-/a fold1|-/a fold2|-/b fold1|-/b fold2"),
    "parts of splits": (
        "Training/a Training/b PublicTest/a PublicTest/b PrivateTest/a PrivateTest/b",
        "train/a train/b test/a test/b",
    ),
    "parts of splits and one without classes": (
        "train_mini/a train_mini/b val/a val/b public_test",
        "train/a train/b validation/a validation/b -/-",
    ),
    "parts of a test with other classes": (
        "train/a train/b test_seen/a test_unseen/c",
        "train/a train/b test/a test/c",
    ),
    "parts of splits beside the whole": (
        "train/a train/b id_val/a id_val/b val/a val/b id_test/a id_test/b test/a test/b",
        "train/a train/b validation/a validation/b test/a test/b",
    ),
    "a class with the word of a split in it": (
        "train/car train/test#tube test/car test/test#tube",
        "train/car train/test#tube test/car test/test#tube",
    ),
    "splits below images in classes": (
        "cat/images/train cat/images/test dog/images/train dog/images/test",
        "train/cat test/cat train/dog test/dog",
    ),
    "folds below images in classes": (
        "a/data/fold1 a/data/fold2 b/data/fold1 b/data/fold2",
        "-/a fold1|-/a fold2|-/b fold1|-/b fold2",
    ),
    "classes beside what is unlabelled": ("labelled/a labelled/b unlabelled", "-/a -/b -/-"),
    "a class beside what is unlabelled": ("cats unsorted", "-/cats -/-"),
    "splits within a split": (
        "training/train/a training/train/b training/val/a testing/a",
        "train/a train/b validation/a test/a",
    ),
}  # folders → kinds of photographs


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_understood_as_a_person_would(layout):
    folders, kinds = LAYOUTS[layout]
    assert understood(folders) == set(kinds.split("|" if "|" in kinds or "fold" in kinds else " "))


@pytest.mark.parametrize(
    ("folders", "part"),
    [
        ("car bus train", "'train' has the name of a split and is taken as a class"),
        ("test control", "where it is a split: --splits test=test"),
        ("a b test", "where it is a class: --splits none"),
        ("train/a train/b other/a other/b", "'other' lies beside the splits and has their classes"),
        ("alice/a alice/b bob/a bob/b", "label|the classes are taken to be the outer ones"),
    ],
)
def test_what_could_be_read_otherwise_is_said(folders, part):
    (note,) = assign(photographs(folders)).notes
    assert part.rpartition("|")[2] in note


@pytest.mark.parametrize("layout", ["other names", "splits below classes", "folds", "a wrapper", "masks"])
def test_what_is_certain_needs_no_note(layout):
    assert assign(photographs(LAYOUTS[layout][0])).notes == ()


def test_a_sample_is_left_out_where_all_of_it_is_elsewhere():
    copies = {
        "train/a/1.jpg": 1,
        "train/b/2.jpg": 2,
        "val/a/3.jpg": 3,
        "sample/train/a/1.jpg": 1,
        "sample/val/a/3.jpg": 3,
    }
    paths = sorted(copies)
    found = assign(paths, contents=Photographs(copies))
    assert [path for path, copy in zip(paths, found.copies, strict=True) if copy] == paths[:2]
    assert found.labels.tolist() == [None, None, "a", "b", "a"]
    assert not len(found.unlabelled)
    other = {**copies, "sample/train/a/1.jpg": 9}
    found = assign(paths, contents=Photographs(other))
    assert not found.copies.any()
    assert found.labels.tolist() == ["a", "a", "a", "b", "a"]


def test_parts_to_train_on_within_folds_are_copies_of_what_other_folds_score():
    names = {
        f"fold_{k}/{'val' if i % 2 == k else 'train'}/{'ab'[i // 2]}/{i}.jpg": i
        for k in (0, 1)
        for i in range(4)
    }
    found = assign(sorted(names), contents=Photographs(names))
    assert Counter(found.folds.tolist()) == {None: 4, "fold_0": 2, "fold_1": 2}
    assert found.copies.sum() == 4
    assert set(found.splits.tolist()) == {None}


def test_splits_that_are_named_are_the_splits_and_no_others():
    folders = "spring/a spring/b autumn/a autumn/b train/a"
    rule = with_splits("folder", "train=spring,test=autumn")
    assert understood(folders, rule=rule) == {"train/a", "train/b", "test/a", "test/b", "-/-"}
    assert understood("car bus train", rule=with_splits("folder", "none")) == {"-/car", "-/bus", "-/train"}
    assert understood("train/a test/a", rule=with_splits("folder", {})) == {"-/train", "-/test"}
    named = {"train": ["x/one", "two"], "holdout": "three"}
    found = understood("x/one/a x/one/b x/two/a x/three/a", rule=with_splits("folder", named))
    assert found == {"train/a", "train/b", "test/a"}
    pattern = with_splits("regex:([ab])/", "test=autumn")
    assert understood(folders, rule=pattern) == {"-/a", "-/b", "test/a", "test/b"}
    assert with_splits(pattern, "train=spring") == "splits:train=spring;regex:([ab])/"


def test_a_rule_with_splits_says_itself_again():
    odd = "train=a=b c;d,test=%C3%A9"
    rule = with_splits("folder", odd)
    found = assign(photographs("a=b"), "folder")
    assert found.rule == "folder"
    paths = ["a=b c;d/x/1.jpg", "a=b c;d/y/1.jpg", "%C3%A9/x/1.jpg"]
    found = assign(paths, rule)
    assert found.splits.tolist() == ["train", "train", "test"]
    assert assign(paths, found.rule).splits.tolist() == ["train", "train", "test"]


def test_a_folder_is_in_one_split():
    with pytest.raises(UsageError, match="splits names the folder 'a/' as train and as test"):
        with_splits("folder", "train=a,test=a/")
    assert with_splits("folder", "train=a,train=a") == "splits:train=a,train=a;folder"


@pytest.mark.parametrize("splits", ["training", "first=a", "train=", "=a"])
def test_splits_that_are_not_understood_are_wrong_usage(splits):
    with pytest.raises(UsageError, match="say which folder each split is"):
        with_splits("folder", splits)


def test_a_split_without_its_folder_is_an_error():
    with pytest.raises(
        LabelError, match="no folder is called 'trainig'; the first folders are: test, training"
    ):
        understood("training/a test/b", rule=with_splits("folder", "train=trainig"))


@pytest.mark.parametrize(
    ("folders", "labels"),
    [
        ("spring/a spring/b autumn/a autumn/b", {"a", "b"}),
        ("spring autumn", {"spring", "autumn"}),
        ("train/a train/b test/a", {"a", "b"}),
    ],
)
def test_several_folders_that_were_given_are_classes_or_hold_them(folders, labels):
    paths = photographs(folders)
    given = tuple({path.partition("/")[0] for path in paths})
    found = assign(paths, contents=Photographs(dict(zip(paths, range(len(paths)), strict=True)), given))
    assert set(found.labels.tolist()) == labels


def test_the_tree_says_what_was_understood():
    assert read(photographs("data/train/a data/train/b data/test1")).lines == (
        "  data/  6",
        "    test1/  test, no label: 2",
        "    train/  train: 4",
        "      a/  class a: 2",
        "      b/  class b: 2",
    )
    many = read(photographs(" ".join(f"class{i:03}" for i in range(100)))).lines
    assert len(many) == 7 and many[-1] == "  ... 94 more folders"


def test_trees_deeper_than_python_calls_are_read():
    assert assign(["d/" * 1200 + "deepest.jpg", "top.jpg"]).labels.tolist() == ["d", None]
    # It would be for ever where every level were looked at from each one above.
    assign([f"{'train/' * depth}{end}/1.jpg" for depth in range(200) for end in ("x", "test/y")])
    assign([f"{'x/' * depth}{end}/1.jpg" for depth in range(200) for end in ("y", "train/y", "z/b")])
