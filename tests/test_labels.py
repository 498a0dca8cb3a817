import os
import subprocess
import sys

import numpy as np
import pytest

from embed.errors import InputError, LabelError, UsageError
from embed.labels import assign, chosen, groups


def test_the_folder_is_the_label_and_a_split_folder_above_it_the_split():
    found = assign(
        ["train/ants/1.jpg", "val/bees/2.jpg", "Valid/bees/3.jpg", "validation/a/b/4.jpg", "test/ants/5.jpg"]
    )
    assert found.labels.tolist() == ["ants", "bees", "bees", "a", "ants"]
    assert found.splits.tolist() == ["train", "validation", "validation", "validation", "test"]
    assert found.classes == ["a", "ants", "bees"]
    assert found.counts == {"a": 1, "ants": 2, "bees": 2}


def test_photographs_at_the_root_have_no_label():
    found = assign(["1.jpg", "ants/2.jpg", "train/bees/3.jpg", "train/4.jpg"])
    assert found.labels.tolist() == [None, "ants", "bees", None]
    assert found.unlabelled.tolist() == [0, 3]


def test_a_class_may_be_called_train_where_no_split_has_class_folders():
    found = assign(["train/1.jpg", "bus/2.jpg"])
    assert found.labels.tolist() == ["train", "bus"]
    assert found.splits.tolist() == [None, None]


def test_a_pattern_labels_by_file_name_with_or_without_a_slash_before_it():
    paths = ["Abyssinian_12.jpg", "great_pyrenees_3.jpg", "README.jpg", "sub/pug_1.jpg"]
    for pattern in (r"regex:([^/]+)_\d+\.jpg$", r"regex:/([^/]+)_\d+.jpg$"):
        assert assign(paths, pattern).labels.tolist() == ["Abyssinian", "great_pyrenees", None, "pug"]
    assert assign(["val/pug_1.jpg"], r"regex:([^/]+)_\d").splits.tolist() == ["validation"]


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        ("regex:([a-z", "no regular expression"),
        ("regex:[a-z]+", "0 groups"),
        ("regex:(a)(b)", "2 groups"),
        ("colour", "use folder"),
        ("regex:", "use folder"),
    ],
)
def test_a_rule_that_cannot_work_is_wrong_usage(rule, part):
    with pytest.raises(UsageError, match=part):
        assign(["a/1.jpg"], rule)


def test_a_pattern_that_would_run_for_ever_is_stopped():
    # In a process of its own: the alarm that stops it is also what a test's time limit is made of.
    code = (
        "from embed import labels; from embed.errors import UsageError\n"
        "labels.REGEX_SECONDS = 0.2\n"
        "try: labels.assign(['a' * 60 + '!'], 'regex:^((?:a+)+)$')\n"
        "except UsageError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert "not done after 0.2 s" in done.stdout


def test_a_csv_file_labels_by_path_and_may_hold_the_split(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text(
        "path,label,split\na/1.jpg,cat,train\n./2.jpg,dog,val\n3.jpg,,\ngone.jpg,cat,test\n", "utf-8-sig"
    )
    found = assign(["a/1.jpg", "2.jpg", "3.jpg", "train/x/4.jpg"], f"csv:{file}")
    assert found.labels.tolist() == ["cat", "dog", None, None]
    assert found.splits.tolist() == ["train", "validation", None, None]
    assert found.unknown == ("gone.jpg",)
    assert found.rule == f"csv:{file}"


def test_a_csv_file_may_use_semicolons_quoted_newlines_absolute_paths_and_any_bytes(tmp_path):
    odd = os.fsdecode(b"caf\xe9.jpg")
    file = tmp_path / "labels.csv"
    file.write_bytes(
        b'Label;Path\r\ncat;%s/1.jpg\r\ndog;caf\xe9.jpg\r\ncow;"two\nlines.jpg"\r\n' % os.fsencode(tmp_path)
    )
    found = assign(["1.jpg", odd, "two\nlines.jpg"], f"csv:{file}", root=tmp_path)
    assert found.labels.tolist() == ["cat", "dog", "cow"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "no column path and no column label"),
        ("file,label\n1.jpg,a\n", "no column path"),
        ("path,label\n1.jpg,a\n1.jpg,b\n", "line 3: 1.jpg is labelled 'b' here and 'a' before"),
        ("path,label,split\n1.jpg,a,dev\n", "line 2: the split 'dev'"),
        ("path,label\nelsewhere/1.jpg,a\n", "none of the 1 paths"),
    ],
)
def test_a_csv_file_that_cannot_be_used_says_where(tmp_path, text, part):
    file = tmp_path / "labels.csv"
    file.write_text(text)
    with pytest.raises(LabelError, match=part):
        assign(["1.jpg"], f"csv:{file}")


def test_a_missing_csv_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"labels\.csv: No such file"):
        assign(["1.jpg"], f"csv:{tmp_path / 'labels.csv'}")


def test_groups_are_what_the_pattern_captures():
    assert groups(["s1_a.jpg", "s1_b.jpg", "x.jpg"], r"regex:(s\d+)_").tolist() == ["s1", "s1", None]
    with pytest.raises(UsageError, match="cannot group"):
        groups(["s1_a.jpg"], "folder")


def test_labelling_imports_nothing_heavy():
    code = "import sys, embed.labels; print([m for m in ('pandas', 'sklearn', 'keras', 'h5py') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_paths_give_no_labels():
    found = assign([])
    assert found.classes == [] and isinstance(found.labels, np.ndarray)


def test_what_is_wanted_is_looked_for_within_the_split():
    labels = np.array(["a", "b", None, "a"], object)
    splits = np.array(["train", "test", "train", None], object)
    assert chosen(labels, splits, label=None, split=None).all()
    assert chosen(labels, splits, label=["a"], split=["train", "test"]).tolist() == [
        True,
        False,
        False,
        False,
    ]
    with pytest.raises(LabelError, match="No photograph in the split 'train' is labelled 'b'; there are 'a'"):
        chosen(labels, splits, label=["b"], split=["train"])
