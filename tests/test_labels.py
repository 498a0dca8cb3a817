import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embed.errors import InputError, LabelError, UsageError
from embed.labels import RULE_VERSION, assign, chosen, groups, patterns, tables


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
        ("colour", "it is folder, regex"),
        ("regex:", "it is folder, regex"),
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


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("encoding", "newline"),
    [("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("utf-16", "\r\n"), ("utf-16-le", "\n"), ("cp1252", "\r\n")],
)
def test_tables_of_every_spelling_are_understood(tmp_path, delimiter, encoding, newline):
    rows = [("Label", "Path"), ("naïve", "café/1.jpg"), ("NA", "2.jpg"), ("null", "3.jpg"), ("01", "4.jpg")]
    text = newline.join(delimiter.join(row) for row in rows) + newline
    mark = b"\xff\xfe" if encoding == "utf-16-le" else b""
    (tmp_path / "labels.csv").write_bytes(mark + text.encode(encoding))
    found = assign(["café/1.jpg", "2.jpg", "3.jpg", "4.jpg"], f"csv:{tmp_path / 'labels.csv'}")
    assert found.labels.tolist() == ["naïve", "NA", "null", "01"]


def test_blank_lines_short_rows_and_the_line_that_excel_writes_are_no_matter(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text("\nsep=;\npath;label;note\n\n1.jpg;a, b\n 2.jpg ; c ;x\n")
    assert assign(["1.jpg", "2.jpg"], f"csv:{file}").labels.tolist() == ["a, b", "c"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "no column path and no column label"),
        ("file,label\n1.jpg,a\n", "no column path"),
        ("path,label,Label\n1.jpg,a,b\n", "two columns 'label'"),
        ("path,label\n1.jpg,a\n1.jpg,b\n", "line 3: 1.jpg is labelled 'b' here and 'a' before"),
        ('path,label,split\n0.jpg,"a\n\nb",\n1.jpg,a,first\n', "line 5: the split 'first'"),
        ("\npath,label\nelsewhere/1.jpg,a\n", "none of the 1 paths"),
        ('path,label\n0.jpg,"a\nb"\n1.jpg,"a\n2.jpg,b\n', "line 4: a quotation mark is opened here"),
        ('\n\npath,"label\n0.jpg,a\n', "line 3: a quotation mark is opened here"),
        ('path,label\n0.jpg,"a\nb"\n1.jpg,a, b\n', "line 4: 3 cells where the first line has 2"),
    ],
)
def test_a_table_that_cannot_be_used_says_where(tmp_path, text, part):
    file = tmp_path / "labels.csv"
    file.write_text(text)
    with pytest.raises(LabelError, match=part):
        assign(["1.jpg"], f"csv:{file}")


def test_a_table_of_another_encoding_than_it_says_is_refused(tmp_path):
    (tmp_path / "labels.csv").write_bytes(b"\xef\xbb\xbfpath,label\ncaf\xe9.jpg,a\n")
    with pytest.raises(LabelError, match="its first bytes say utf-8"):
        assign(["1.jpg"], f"csv:{tmp_path / 'labels.csv'}")


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(InputError, match=r"labels\.csv: No such file"):
        assign(["1.jpg"], f"csv:{tmp_path / 'labels.csv'}")


def test_what_is_no_regular_file_is_never_waited_for(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    os.truncate(os.open(tmp_path / "huge", os.O_CREAT | os.O_RDWR), tables.MOST_BYTES + 1)
    for file, part in (("pipe", "no regular file"), ("huge", "larger than 1 GB")):
        with pytest.raises(InputError, match=part):
            assign(["1.jpg"], f"csv:{tmp_path / file}")
    for file in ("/dev/zero", str(tmp_path)):
        with pytest.raises(InputError, match="no regular file"):
            assign(["1.jpg"], f"csv:{file}")


CUTTINGS = b'path label split , ; \t \n \r\n \r " a.jpg train \xe9 \xc3\xa9 \xff\xfe \xef\xbb\xbf \x00 \x81 sep=;\n path,label\n'


@given(st.lists(st.sampled_from(CUTTINGS.split(b" ")), max_size=12).map(b"".join))
@settings(deadline=None)
def test_whatever_a_table_holds_it_is_understood_or_refused(tmp_path_factory, data):
    file = tmp_path_factory.getbasetemp() / "any.csv"
    file.write_bytes(data)
    try:
        found = assign(["a.jpg"], f"csv:{file}")
    except LabelError as error:
        assert "any.csv" in str(error)
    else:
        assert found.classes in ([], found.labels.tolist())


def test_groups_are_what_the_pattern_captures():
    assert groups(["s1_a.jpg", "s1_b.jpg", "x.jpg"], r"regex:(s\d+)_").tolist() == ["s1", "s1", None]
    with pytest.raises(UsageError, match="group 'folder' is not known"):
        groups(["s1_a.jpg"], "folder")


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
