import os
import sys
import unicodedata
from urllib.parse import quote

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embed.errors import InputError, LabelError, UsageError
from embed.labels import assign, groups, reading

PATHS = ["a/1.jpg", "a/2.jpg", "b/3.jpg", "b/été 4.JPG"]
LABELS = ["cat", "dog", "cat", "dog"]


@pytest.fixture
def labelled(tmp_path):
    """Write a table and label by it: ``labelled("path,label\\n1.jpg,cat\\n")``."""

    def label(text, options="", *, paths=PATHS, encoding="utf-8", root="/photos"):
        file = tmp_path / "table.csv"
        file.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return assign(paths, f"csv:{file}{options}", root)

    return label


def lines(spell, head="path,label", between=",", end="\n"):
    return end.join(
        [head, *(f"{spell(path)}{between}{label}" for path, label in zip(PATHS, LABELS, strict=True)), ""]
    )


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
        ("", "is empty"),
        ("path,label\n", "a heading and no rows"),
        ("path,label,label\n1.jpg,a,b\n", "two columns 'label'"),
        (
            "path,label\n1.jpg,a\n1.jpg,b\n",
            "line 3: '1.jpg' is labelled 'b' here and 'a' in line 2, by the column 'label'",
        ),
        ('path,label,split\n0.jpg,"a\n\nb",\n1.jpg,a,first\n', "line 5: the split 'first'"),
        (
            "\npath,label\nelsewhere/2.jpg,a\n",
            "none of its 1 paths is .*the file says 'elsewhere/2.jpg' .column 'path', line 3., the cache '1.jpg'",
        ),
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
    with pytest.raises(InputError, match=r"labels\.csv cannot be read: No such file"):
        assign(["1.jpg"], f"csv:{tmp_path / 'labels.csv'}")


def test_what_is_no_regular_file_is_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    os.truncate(os.open(tmp_path / "huge", os.O_CREAT | os.O_RDWR), reading.MOST_BYTES + 1)
    for file, part in (("pipe", "no regular file"), ("huge", "larger than 1 GB")):
        with pytest.raises(InputError, match=part):
            assign(["1.jpg"], f"csv:{tmp_path / file}")
    for file, part in (("/dev/zero", "no regular file"), (str(tmp_path), "it is a folder")):
        with pytest.raises(InputError, match=part):
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


@pytest.mark.parametrize(
    ("spell", "way"),
    [
        (str, "the path "),
        (lambda path: f"/photos/{path}", "the path "),
        (lambda path: path.replace("/", "\\"), "the path, with backslashes for / "),
        (quote, "the path, with %XX decoded "),
        (lambda path: unicodedata.normalize("NFD", path), "the path, in another Unicode form "),
        (str.swapcase, "the path, in another case "),
        (lambda path: path[:-4], "the path, in another case, without extension "),
        (lambda path: path[:-3] + "png", "the path, in another case, without extension "),
        (lambda path: f"/home/me/link/photos/{path}", "the end of the path "),
        (
            lambda path: f"D:\\Photos\\{path}".replace("/", "\\"),
            "the end of the path, with backslashes for / ",
        ),
        (lambda path: path[2:], "the end of the path "),
        (lambda path: path[2:-4], "the end of the path, in another case, without extension "),
        (lambda path: f"gs://bucket/{path}", "the end of the path "),
        (lambda path: f"https://host/x/{quote(path)}?width=9#top", "the end of the path, with %XX decoded "),
        (lambda path: f"/data/local-files/?d=photos/{quote(path)}", "the end of the path "),
        (lambda path: f"https://host/elsewhere/{path[2:]}", "the last part of the path "),
    ],
)
def test_names_are_understood_in_every_spelling_and_the_way_is_told(labelled, spell, way):
    found = labelled(lines(spell))
    assert found.labels.tolist() == LABELS
    assert f"4 of 4 rows are photographs of the cache, matched by {way}" in found.notes[0]


def test_one_way_is_taken_for_the_whole_table_and_the_first_name_without_a_photograph_is_told(labelled):
    found = labelled("path,label\nA/1.JPG,cat\na/2.jpg,dog\na/gone.jpg,dog\nb/gone.jpg,dog\n")
    assert found.labels.tolist() == ["cat", "dog", None, None]
    assert found.unknown == ("a/gone.jpg", "b/gone.jpg")
    assert "2 of 4 rows are photographs of the cache, matched by the path, in another case" in found.notes[0]
    assert "the first that is none is 'a/gone.jpg' in line 4" in found.notes[0]
    assert "2 of 4 photographs have no row, the first is b/3.jpg" in found.notes[0]


def test_a_photograph_that_is_gone_is_not_taken_for_another_of_its_name(labelled):
    paths = [f"{folder}/{i}.jpg" for folder in "ab" for i in range(10)]
    text = "path,label\n" + "".join(f"{path},{path[0]}\n" for path in paths)
    there = [path for path in paths if path != "a/3.jpg"]
    found = labelled(text, paths=there)
    assert found.labels.tolist() == [path[0] for path in there]
    assert found.unknown == ("a/3.jpg",)


@pytest.mark.parametrize(
    ("paths", "name"),
    [(["a/1.jpg", "b/1.jpg"], "1.jpg"), (["x.jpg", "x.png"], "x"), (["y.jpg", "Y.jpg"], "Y.JPG")],
)
def test_a_name_of_several_photographs_is_an_error(labelled, paths, name):
    with pytest.raises(LabelError, match=f"line 2: '{name}' may be {paths[0]} or {paths[1]}"):
        labelled(f"path,label\n{name},cat\n", paths=paths)


@pytest.mark.parametrize(
    "text",
    [
        lines(lambda path: path[2:-4], "id,label"),  # Kaggle
        lines(lambda path: path[2:-4], "id,breed"),
        lines(lambda path: path[2:], "filename;class", ";", "\r\n"),  # Excel
        lines(lambda path: f"img/{path}", "4\nimage_name  category_label", "    ").replace(
            "été 4", "été_4"
        ),  # DeepFashion
        "".join(f"{path} {label}\n" for path, label in zip(PATHS, LABELS, strict=True)),  # ImageNet
        "".join(
            f"TRAIN,gs://x/{path},{label}\n" for path, label in zip(PATHS, LABELS, strict=True)
        ),  # AutoML
        "filename, cat, dog\n1.jpg, 1, 0\n2.jpg, 0, 1\n3.jpg, 1, 0\nété 4.jpg, 0, 1\n",  # Roboflow
        "url_gcp,url_aws,image_id,location_id,scientific_name\n"  # LILA
        + "".join(
            f"https://g/{path[2:]},s3://{path[2:]},{number}-x,L{number},{label}\n"
            for number, (path, label) in enumerate(zip(PATHS, LABELS, strict=True))
        ),
        lines(lambda path: f"7,{path[2:]}", "annotation_id,image,choice"),  # Label Studio
        lines(lambda path: f"0,{path[2:]}", ",image,label"),  # pandas with its index
        lines(
            lambda path: f"{PATHS.index(path) % 3 + 1},{path[2:]}", "Unnamed: 0,fname,label"
        ),  # the same, saved twice
        lines(
            lambda path: f"{PATHS.index(path) % 3 + 1},{path[2:]}", "id,fname,label"
        ),  # numbers beside names
        lines(lambda path: path[2:], "Bild;Klasse", ";"),
        lines(lambda path: f"{path[2:]};x", "Bild;Ort;Étiquette", ";"),
        lines(lambda path: path[2:], "path|label", "|"),
        lines(lambda path: f'"{path[2:]}", "a, b"', 'path, "a, ""note""", label'),
        "".join(
            f"{label};{path}\n" for path, label in zip(["Bild", *PATHS], ["Klasse", *LABELS], strict=True)
        ),
        "file,cat,dog\n1.jpg,True,False\n2.jpg,False,True\n3.jpg,True,False\nété 4.jpg,False,True\n",  # get_dummies
    ],
)
def test_tables_that_people_have_are_understood(labelled, text):
    paths = [path.replace(" ", "_") for path in PATHS] if "été_4" in text else PATHS
    assert labelled(text, paths=paths).labels.tolist() == LABELS


def test_splits_of_a_table_without_a_heading_are_found(labelled):
    text = "TRAIN,gs://x/a/1.jpg,cat\nTEST,gs://x/a/2.jpg,dog\nUNASSIGNED,gs://x/b/3.jpg,cat\nVALIDATION,gs://x/4.jpg,x\n"
    assert labelled(text).splits.tolist() == ["train", "test", None, None]


def test_parts_of_splits_are_splits_in_a_table(labelled):
    text = "path,label,Usage\n1.jpg,a,Training\n2.jpg,b,PublicTest\n3.jpg,a,private test\nété 4.jpg,b,\n"
    assert labelled(text, ",split=Usage").splits.tolist() == ["train", "test", "test", None]


def test_columns_may_be_named(labelled):
    text = "photo,species,class,part\n1.jpg,NA,x,train\n2.jpg,null,x,test\n3.jpg,01,x,\n"
    found = labelled(text, ",path=photo,label=Species,split=part")
    assert found.labels.tolist() == ["NA", "null", "01", None]
    assert found.splits.tolist() == ["train", "test", None, None]
    assert found.rule.endswith("table.csv,path=photo,label=Species,split=part")
    assert assign(PATHS, found.rule).labels.tolist() == found.labels.tolist()


@pytest.mark.parametrize(
    ("text", "options", "part"),
    [
        ("a,b,c\n1.jpg,x,y\n", "", "no column label; its columns are 'a', 'b', 'c'.*first line is 'a,b,c'"),
        ("path,species,class\n1.jpg,x,y\n", "", "several columns that may be the label, 'species', 'class'"),
        ("path,Label,label\n1.jpg,x,y\n", "", "several columns that may be the label, 'Label', 'label'"),
        ("path,label\n1.jpg,x\n", ",label=breed", "no column 'breed'; its columns are 'path', 'label'"),
        ("path,label\n1.jpg,cat;dog\n", "", "line 2: 'cat;dog' in the column 'label' is several labels"),
        ("path,breed\n1.jpg,cat|dog\n", "", "in the column 'breed' is several labels .'cat', 'dog'."),
        (
            'path,label\n1.jpg,"[""cat"", ""dog""]"\n',
            "",
            "the column 'label' is several labels .'cat', 'dog'.",
        ),
        ("path,label\n1.jpg,['cat'; 'dog']\n", "", "the column 'label' is several labels"),
        (
            'path,label\n1.jpg,"a,b"\n2.jpg,a\n3.jpg,b\n',
            "",
            "line 2: 'a,b' in the column 'label' is several labels",
        ),
        (
            "path,label\na/1.jpg,cat\n/photos/a/1.jpg,dog\n",
            "",
            "line 3: .* 'cat' in line 2 .as 'a/1.jpg'., by the column 'label'",
        ),
        ("file,cat,dog\n1.jpg,1,1\n", "", "line 2: the columns 'cat', 'dog' are all 1"),
        (
            "path,label,split\n1.jpg,a,train\n1.jpg,a,test\n",
            "",
            "line 3: its photograph is in the split 'test' here and 'train' in line 2",
        ),
        (b"path,label\n1.jpg,c\0t\n", "", "line 2: it holds a zero byte"),
        (b"PK\x03\x04rest", "", "an Excel workbook"),
        (b"\x1f\x8brest", "", "it is compressed"),
        ('[{"path": "1.jpg"}]', "", "it is JSON"),
        (b"PAR1 and no more", "", "cannot be read as Parquet"),
        ("path,label\n,cat\n", "", "no row has anything in the column 'path'"),
    ],
)
def test_what_cannot_be_understood_is_one_sentence_that_quotes_the_file(labelled, text, options, part):
    with pytest.raises(LabelError, match=part) as error:
        labelled(text, options)
    assert str(error.value).startswith("labels csv:") and "\n" not in str(error.value)


def test_rows_that_say_the_same_twice_are_no_matter(labelled):
    assert labelled("path,label\n1.jpg,cat\n1.jpg,cat\n1.jpg,\n2.jpg,dog\n").labels.tolist()[:2] == [
        "cat",
        "dog",
    ]


def test_utf_16_without_a_mark_is_understood(labelled):
    for encoding in ("utf-16-le", "utf-16-be"):
        assert labelled(lines(str), encoding=encoding).labels.tolist() == LABELS


def test_parquet_is_read_as_the_same_text(tmp_path):
    file = tmp_path / "table.parquet"
    table = {
        "image": PATHS,
        "label": ["NA", "01", "x", None],
        "site": [1, 2, None, 4],
        "box": [[1], [2], [3], [4]],
    }
    pd.DataFrame(table).to_parquet(file)
    found = assign(PATHS, f"csv:{file}")
    assert found.labels.tolist() == ["NA", "01", "x", None]
    assert groups(found, PATHS, "site").tolist() == ["1", "2", None, "4"]
    pd.DataFrame({"path": PATHS, "label": [["a", "b"]] * 4}).to_parquet(file)
    with pytest.raises(LabelError, match="the column 'label' has several values in each cell"):
        assign(PATHS, f"csv:{file}")


def test_moments_that_python_cannot_hold_are_read_from_parquet(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    file = tmp_path / "table.parquet"
    moments = [pa.timestamp("us"), pa.timestamp("ms", "Mars/Base"), pa.timestamp("us", "UTC")]
    columns = {f"t{i}": pa.array([-(10**17)] * 4, kind) for i, kind in enumerate(moments)}
    parquet.write_table(pa.table({"path": PATHS, "label": LABELS, **columns}), file)
    found = assign(PATHS, f"csv:{file}")
    assert found.labels.tolist() == LABELS
    assert all(len(set(found.columns[name])) == 1 for name in columns)


def test_parquet_with_two_columns_of_a_name_is_refused(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.Table.from_arrays([pa.array(PATHS), *[pa.array(LABELS)] * 2], names=["path", "label", "label"])
    parquet.write_table(table, tmp_path / "table.parquet")
    with pytest.raises(LabelError, match="has two columns 'label'"):
        assign(PATHS, f"csv:{tmp_path / 'table.parquet'}")


def test_parquet_without_its_library_says_how_to_install_it(tmp_path, monkeypatch):
    pd.DataFrame({"path": PATHS, "label": LABELS}).to_parquet(tmp_path / "table.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"needs pyarrow: pip install 'embed-images\[parquet\]'"):
        assign(PATHS, f"csv:{tmp_path / 'table.parquet'}")


def test_a_list_of_one_label_is_that_label_and_a_name_in_brackets_stays(labelled):
    found = labelled('path,label\n1.jpg,"[""cat""]"\n2.jpg,[\'dog\']\n3.jpg,[unknown]\nété 4.jpg,[]\n')
    assert found.labels.tolist() == ["cat", "dog", "[unknown]", None]


def test_a_column_split_that_holds_numbers_is_said_to_be_none(labelled):
    found = labelled("path,label,split\n1.jpg,cat,0\n2.jpg,dog,1\n3.jpg,cat,\n")
    assert set(found.splits.tolist()) == {None} and found.labels.tolist()[:2] == ["cat", "dog"]
    assert "the column 'split' holds numbers and is taken for no split (--group split keeps" in found.notes[0]
    assert groups(found, PATHS, "split").tolist() == ["0", "1", None, None]


def test_an_encoding_that_is_guessed_is_said(labelled):
    assert "its text is no UTF-8 and was read as cp1252" in labelled(lines(str), encoding="cp1252").notes[0]
    assert "was read as" not in labelled(lines(str), encoding="utf-16").notes[0]


def test_a_table_in_the_home_folder_may_be_called_so(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "table.csv").write_text(lines(str))
    found = assign(PATHS, "csv:~/table.csv")
    assert found.labels.tolist() == LABELS and found.rule == f"csv:{tmp_path / 'table.csv'}"


def test_a_table_that_changed_is_read_again(labelled):
    assert labelled("path,label\n1.jpg,cat\n").labels[0] == "cat"
    assert labelled("path,label\n1.jpg,a dog\n").labels[0] == "a dog"


def test_a_column_groups_photographs(labelled):
    found = labelled("path,label,site\n1.jpg,cat,A\n2.jpg,dog,\n3.jpg,dog,A\n")
    assert groups(found, PATHS, "site").tolist() == ["A", None, "A", None]
    with pytest.raises(
        UsageError, match=r"group 'camera' is not known; .* which are 'path', 'label', 'site'"
    ):
        groups(found, PATHS, "camera")
