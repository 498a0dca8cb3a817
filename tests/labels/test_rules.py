import subprocess
import sys
import threading

import numpy as np
import pytest

from embed.errors import LabelError, UsageError
from embed.labels import RULE_VERSION, assign, chosen, groups, patterns


def test_the_folder_is_the_label_and_a_split_folder_above_it_the_split():
    found = assign(
        ["train/ants/1.jpg", "val/bees/2.jpg", "Valid/bees/3.jpg", "validation/a/b/4.jpg", "test/ants/5.jpg"]
    )
    assert found.labels.tolist() == ["ants", "bees", "bees", "a", "ants"]
    assert found.splits.tolist() == ["train", "validation", "validation", "validation", "test"]
    assert found.classes == ["a", "ants", "bees"]
    assert found.counts == {"a": 1, "ants": 2, "bees": 2}


def test_photographs_at_the_root_have_no_label():
    found = assign(["1.jpg", "train/ants/2.jpg", "train/bees/3.jpg", "train/4.jpg"])
    assert found.labels.tolist() == [None, "ants", "bees", None]
    assert found.unlabelled.tolist() == [0, 3]


def test_what_the_first_version_of_the_rule_means_stays():
    paths = ["1.jpg", "ants/2.jpg", "train/bees/3.jpg", "train/4.jpg", "training/bees/5.jpg"]
    found = assign(paths, version=1)
    assert found.labels.tolist() == [None, "ants", "bees", None, "training"]
    assert found.splits.tolist() == [None, None, "train", "train", None]
    assert found.version == 1
    assert assign(["training/bees/5.jpg"], "regex:(bees)", version=1).splits.tolist() == [None]


def test_a_class_may_be_called_train_where_no_split_has_class_folders():
    found = assign(["train/1.jpg", "bus/2.jpg"])
    assert found.labels.tolist() == ["train", "bus"]
    assert found.splits.tolist() == [None, None]


def test_a_pattern_labels_by_file_name_with_or_without_a_slash_before_it():
    paths = ["Abyssinian_12.jpg", "great_pyrenees_3.jpg", "README.jpg", "sub/pug_1.jpg"]
    for pattern in (r"regex:([^/]+)_\d+\.jpg$", r"regex:/([^/]+)_\d+.jpg$"):
        assert assign(paths, pattern).labels.tolist() == ["Abyssinian", "great_pyrenees", None, "pug"]
    splits = assign(["train/pug_2.jpg", "val/pug_1.jpg"], r"regex:([^/]+)_\d").splits
    assert splits.tolist() == ["train", "validation"]


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        ("regex:([a-z", "no regular expression"),
        ("regex:[a-z]+", "0 groups"),
        ("regex:(a)(b)", "2 groups"),
        ("colour", "it is folder, hand, source, regex"),
        ("regex:", "it is folder, hand, source, regex"),
    ],
)
def test_a_rule_that_cannot_work_is_wrong_usage(rule, part):
    with pytest.raises(UsageError, match=part) as error:
        assign(["a/1.jpg"], rule)
    assert error.value.parameter == "labels"


@pytest.mark.parametrize("thread", ["main", "other"])
def test_a_pattern_that_would_run_for_ever_is_stopped_in_every_thread(monkeypatch, thread):
    monkeypatch.setattr(patterns, "SECONDS", 0.2)
    answers = []

    def run():
        try:
            assign(["a" * 60 + "!"] * 1000, r"regex:^((?:a|aa)+)$")
        except UsageError as error:
            answers.append(str(error))

    if thread == "main":
        run()
    else:
        other = threading.Thread(target=run)
        other.start()
        other.join(60)
    assert len(answers) == 1 and "not done after 0.2 s" in answers[0]


@pytest.mark.parametrize(
    "pattern",
    [
        "(a{1,4294967296})",
        "(a{4294967296})",
        "(a{4000000000})",
        "((?:(?:a{60000}){60000}){60000})",
        "(" + "(?:" * 60 + "a" + "+)" * 60 + ")",
        "(" + "(?:" * 30 + "a" + "{4,})" * 30 + ")",
        "(?x)((?:(?:a{9 9 9 9 9}){9 9 9 9 9}))",
        "(" * 50_000 + ")" * 50_000,
        "(?:" * 5000 + "(a)" + ")*" * 5000,
    ],
    ids=lambda pattern: pattern[:20],
)
def test_a_pattern_that_would_fill_the_memory_is_refused_in_one_sentence(pattern):
    code = (
        "import resource, sys; from embed import labels; from embed.errors import UsageError\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "before = peak()\n"  # a process starts with the peak of the one that started it
        "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "try: labels.assign(['a' * 60], 'regex:' + sys.stdin.read())\n"
        "except UsageError as error: print(error)\n"
        "else: print('matched')\n"
        "print(peak() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=pattern, capture_output=True, text=True, check=True, timeout=120
    )
    told, megabytes = done.stdout.splitlines()
    assert told.startswith("labels has a pattern that cannot be used: ")
    assert len(told) < 200
    assert int(megabytes) < 300


def test_counts_that_people_write_are_no_hazard():
    pattern = r"regex:([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}_\d{4}.jpg"
    path = "0123abcd-0000-1111-2222-0123456789ab_2026.jpg"
    assert assign([path], pattern).labels.tolist() == ["0123abcd"]


def test_a_rule_of_another_version_is_refused():
    assert assign(["a/1.jpg"], "folder", version=RULE_VERSION).version == RULE_VERSION
    with pytest.raises(LabelError, match="version 99 of the rule 'folder'"):
        assign(["a/1.jpg"], "folder", version=99)


def test_groups_are_what_the_pattern_captures():
    paths = ["s1_a.jpg", "s1_b.jpg", "x.jpg"]
    found = groups(assign(paths), paths, r"regex:(s\d+)_")
    assert found is not None and found.tolist() == ["s1", "s1", None]
    assert groups(assign(paths), paths, None) is None
    with pytest.raises(
        UsageError, match=r"group 'folder' is not known.* none, for the labels are of no table"
    ):
        groups(assign(paths), paths, "folder")


def test_labelling_imports_nothing_heavy():
    code = (
        "import sys; from embed.labels import assign; assign(['a/1.jpg']); "
        "print([m for m in ('pandas', 'regex', 'sklearn', 'keras', 'h5py') if m in sys.modules])"
    )
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
