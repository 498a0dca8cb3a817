"""Selections of a feature set: rows, labels and features stay together."""

import os

import numpy as np
import pytest
from cache_helpers import DIMENSION, fill, open_writer, row_of

from embed.api.features import Features
from embed.cache import open_features
from embed.errors import InputError, LabelError, UsageError

PATHS = [
    f"{split}/{label}/{number}.jpg"
    for split in ("train", "valid")
    for label in ("ants", "bees", "é")
    for number in range(3)
]


@pytest.fixture
def features(tmp_path):
    with open_writer(tmp_path) as writer:
        fill(writer, [*PATHS, "loose.jpg"])
        writer.commit()
    return Features(open_features(tmp_path / "cache"))


def test_rows_labels_and_splits_belong_together(features):
    assert features.X.shape == (19, DIMENSION)
    for i, path in enumerate(features.paths):
        np.testing.assert_array_equal(features.X[i], row_of(path).features)
        assert features.sha256[i].tobytes() == row_of(path).sha256
        expected = (None, None) if path == "loose.jpg" else (path.split("/")[1], path.split("/")[0])
        split = {"valid": "validation"}.get(features.splits[i], features.splits[i])
        assert (features.y[i], split) == (expected[0], {"valid": "validation"}.get(expected[1], expected[1]))


def test_a_selection_has_the_rows_of_its_paths(features):
    chosen = features.select(label=["bees", "é"], split="validation")
    assert chosen.paths.tolist() == [path for path in PATHS if path.startswith(("valid/bees", "valid/é"))]
    np.testing.assert_array_equal(chosen.X, [row_of(path).features for path in chosen.paths])
    assert chosen.classes == ["bees", "é"]
    assert set(chosen.splits) == {"validation"}


def test_selections_can_be_narrowed(features):
    narrowed = features.select(split="train").select(label="ants").take([2, 0])
    assert narrowed.paths.tolist() == ["train/ants/2.jpg", "train/ants/0.jpg"]
    np.testing.assert_array_equal(narrowed.X, [row_of(path).features for path in narrowed.paths])


def test_nothing_asked_for_selects_everything_with_a_label_or_without(features):
    assert len(features.select()) == 19


def test_blocks_are_the_matrix_in_pieces(features):
    for photographs in (features, features.select(label="ants")):
        pieces = list(photographs.blocks(rows=4))
        assert [first for first, _ in pieces] == list(range(0, len(photographs), 4))
        np.testing.assert_array_equal(np.concatenate([block for _, block in pieces]), photographs.X)


def test_a_table_has_one_row_for_each_photograph(features):
    table = features.to_dataframe(features=True)
    assert table.columns.tolist()[:6] == ["path", "label", "split", "sha256", "bytes", "modified"]
    assert table["path"].tolist() == features.paths.tolist()
    assert table["sha256"][0] == row_of(features.paths[0]).sha256.hex()
    np.testing.assert_array_equal(table[[f"f{i}" for i in range(DIMENSION)]].to_numpy(), features.X)
    assert len(features.select(label="ants").to_dataframe()) == 6


def test_a_table_holds_names_of_any_bytes(tmp_path):
    odd = [
        os.fsdecode(name)
        for name in (b"train/b\xe9e/caf\xe9.jpg", b"train/b\xe9e/\xff\n.jpg", "train/é/中.jpg".encode())
    ]
    with open_writer(tmp_path) as writer:
        fill(writer, odd)
    photographs = Features(open_features(tmp_path / "cache"))
    table = photographs.to_dataframe(features=True)
    assert table["path"].tolist() == sorted(odd, key=os.fsencode)
    assert set(table["label"]) == {os.fsdecode(b"b\xe9e"), "é"}
    for path, x in zip(table["path"], table[[f"f{i}" for i in range(DIMENSION)]].to_numpy(), strict=True):
        np.testing.assert_array_equal(x, row_of(path).features)


def test_other_labels_need_no_other_features(features):
    relabelled = Features(features.cache, r"regex:(\d)\.jpg$")
    assert relabelled.classes == ["0", "1", "2"]
    assert len(relabelled.select(label="1", split="train")) == 3


def test_the_matrix_is_kept(features):
    assert features.X is features.X


@pytest.mark.parametrize(
    ("wanted", "error", "words"),
    [
        (dict(label="cats"), LabelError, "labelled 'cats'; there are 'ants', 'bees', 'é'"),
        (dict(split="test"), LabelError, "in the split 'test'; there are 'train', 'validation'"),
        (
            dict(split="holdout"),
            UsageError,
            "split 'holdout' is not known; it is one of train, validation, test",
        ),
    ],
)
def test_a_selection_of_nothing_is_an_error(features, wanted, error, words):
    with pytest.raises(error, match=words):
        features.select(**wanted)


def test_a_mask_of_another_length_is_refused(features):
    with pytest.raises(UsageError, match="or a mask of 19"):
        features.take(np.ones(3, bool))


@pytest.mark.parametrize("rows", [[99], [-99], [True, False], [0.5], ["a"], [[0, 1]]])
def test_rows_that_are_not_there_are_refused_with_what_was_given(features, rows):
    with pytest.raises(UsageError, match=r"^rows must be positions below 19, or a mask of 19"):
        features.take(rows)


def test_rows_may_be_counted_from_the_end(features):
    assert features.take([-1]).paths.tolist() == [features.paths[-1]]


@pytest.mark.parametrize("files", [b"a.jpg", None, 3, [b"a.jpg"], [None]])
def test_what_is_no_path_is_refused_in_one_sentence(features, files):
    with pytest.raises(UsageError, match="files must be a path or several, not "):
        features.explain(files)


@pytest.mark.parametrize(
    "files", [None, 3, [None], "https://example.org/a.jpg", np.zeros((3, 8, 8), np.uint8)]
)
def test_what_is_no_photograph_is_refused_in_one_sentence(features, files):
    for call in (features.predict, features.similar):
        with pytest.raises(InputError, match=r"^(photograph 0|None|3) is [^\n]*\.$"):
            call(files)


def test_a_rule_that_is_no_text_is_refused(features):
    with pytest.raises(UsageError, match="labels None is not known"):
        _ = Features(features.cache, None).y
