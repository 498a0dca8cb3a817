"""Folders as people have them, from the photographs to the report."""

import colorsys
import json
import shutil

import pytest
from fitting_samples import make_features
from PIL import Image

from embed import cli


@pytest.fixture
def embed(tmp_path, monkeypatch, capfd):
    """Run a command in a folder of its own; gives the exit code, what was printed, and what was said."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, code=0):
        assert cli.main(list(arguments)) == code, capfd.readouterr().err
        return capfd.readouterr()

    return run


@pytest.fixture
def put(tmp_path):
    """Draw photographs of a class of their own, all different."""

    def put_photographs(folders, each=6):
        for folder, kind in folders.items():
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            for number in range(each):
                shade = 0.3 + 0.7 * number / each + sum(folder.encode()) % 97 / 1000
                colour = colorsys.hsv_to_rgb(kind / 5, 0.8, min(shade, 1))
                picture = Image.new("RGB", (32, 32), tuple(round(255 * part) for part in colour))
                picture.paste((255, 255, 255), (number * 4, kind * 4, number * 4 + 6, kind * 4 + 6))
                picture.save(tmp_path / folder / f"{number}.png")

    return put_photographs


LAYOUTS = {
    "fruit": (
        "data/Training/apple data/Training/plum data/Test/apple data/Test/plum",
        (12, 0, 12),
        "apple plum",
    ),
    "digits": ("data/training/0 data/training/1 data/testing/0 data/testing/1", (12, 0, 12), "0 1"),
    "cats and dogs": (
        "data/training_set/training_set/cats data/training_set/training_set/dogs data/test_set/test_set/cats",
        (12, 0, 6),
        "cats dogs",
    ),
    "dev and eval": ("data/train/a data/train/b data/dev/a data/eval/b", (12, 6, 6), "a b"),
    "images": ("data/data/images/train/a data/data/images/train/b data/data/images/val/a", (12, 6, 0), "a b"),
    "below classes": ("data/a/train data/a/test data/b/train data/b/test", (12, 0, 12), "a b"),
    "unlabelled test": ("data/train2017/a data/train2017/b data/val2017/b data/test1", (12, 6, 0), "a b"),
}  # folders → photographs to train on, to validate, to test; classes


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_extracted_fitted_and_reported_as_a_person_would_expect(embed, put, tmp_path, layout):
    folders, counts, classes = LAYOUTS[layout]
    put({folder: ord(folder[-1]) % 5 for folder in folders.split()})
    printed = embed("extract", "data", "--backbone", "tiny").out
    assert f"understood as: {len(classes.split())} classes" in printed
    fitted = json.loads(embed("fit", "--json").out)
    assert fitted["classes"] == classes.split()
    assert (fitted["n_train"], fitted["n_validation"], fitted["n_test"]) == counts
    report = embed("report", "--no-maps", "--out", "report.html").out.strip()
    assert "a classifier" not in report and (tmp_path / "report.html").stat().st_size


def test_a_class_that_looks_like_a_split_is_said_before_anything_is_fitted(embed, put):
    put({"data/train": 0, "data/boat": 1})
    said = embed("extract", "data", "--backbone", "tiny").err
    assert "'train' has the name of a split and is taken as a class" in said
    fitted = embed("fit", "--json")
    assert fitted.err.index("'train' has the name of a split") < fitted.err.index("too few")
    assert fitted.err.count("'train' has the name of a split") == 1
    assert json.loads(fitted.out)["classes"] == ["boat", "train"]
    assert "the name of a split" not in embed("fit", "--splits", "none").err


def test_splits_are_named_and_a_model_remembers_them(embed, put):
    put({"data/spring/a": 0, "data/spring/b": 1, "data/autumn/a": 0, "data/autumn/b": 1})
    assert "the outer" in embed("extract", "data", "--backbone", "tiny").err
    splits = "train=spring,test=autumn"
    assert json.loads(embed("fit", "--splits", splits, "--json").out)["n_test"] == 12
    assert "test 12, train 12" in embed("info", "--splits", splits).out
    assert "test 12" in embed("extract", "data", "--backbone", "tiny", "--splits", splits).out
    embed("report", "--no-maps")
    said = embed("fit", "--splits", "train=sprung", code=1).err
    assert "no folder is called 'sprung'" in said
    assert "--splits spring= is not understood" in embed("fit", "--splits", "spring", code=2).err


def test_folds_of_folders_are_cross_validated(embed, put):
    put({f"data/fold_{number}/{name}": kind for number in (1, 2, 10) for kind, name in enumerate("ab")})
    assert "2 classes, 3 folds" in embed("extract", "data", "--backbone", "tiny").out
    assert "With --cv folders every photograph is scored." in embed("fit").err
    fitted = json.loads(embed("fit", "--cv", "folders", "--json").out)
    assert fitted["split"] == "3-fold cross-validation by folders: fold_1 to fold_10"
    assert fitted["n"] == 36
    rows = json.loads(embed("compare", "--cv", "folders", "--clf", "knn", "--json").out)
    assert [row["n"] for row in rows] == [36]
    assert "--cv must be a number of folds" in embed("fit", "--cv", "folder", code=2).err


def test_cross_validation_over_folders_needs_folds(embed, put):
    put({"data/a": 0, "data/b": 1})
    embed("extract", "data", "--backbone", "tiny")
    assert "such as fold_1/, fold_2/; there are none" in embed("fit", "--cv", "folders", code=2).err


def test_photographs_without_labels_are_told_what_can_be_done(embed, put):
    put({"data": 0})
    assert "--labels" in embed("extract", "data", "--backbone", "tiny").err


def test_one_photograph_in_two_classes_is_said_by_fit_info_and_duplicates(embed, put, tmp_path):
    put({"data/a": 0, "data/b": 1})
    shutil.copy(tmp_path / "data/a/1.png", tmp_path / "data/b/copy.png")
    embed("extract", "data", "--backbone", "tiny")
    sentence = "1 photograph is in more than one class: a/1.png (a) and b/copy.png (b)"
    assert sentence in embed("fit").err
    assert sentence in embed("info").out
    rows = json.loads(embed("duplicates", "--threshold", "1", "--json").out)
    assert [(row["path"], row["label"]) for row in rows] == [("a/1.png", "a"), ("b/copy.png", "b")]
    embed("report", "--no-maps", "--out", "report.html")
    assert "in more than one class: a/1.png (a)" in (tmp_path / "report.html").read_text("utf-8")


def test_what_is_left_out_is_counted_and_listed_and_never_a_failure(embed, put):
    put({"data/a": 0, "data/b": 1, "data/.thumbnails": 0, "data/a/@eaDir/1.jpg": 2}, each=3)
    done = embed("extract", "data", "--backbone", "tiny", "--strict")
    assert "6 images, 6 extracted" in done.out and "2 classes" in done.out
    assert "Left out: 6 images in .thumbnails, a/@eaDir" in done.err
    listed = json.loads(embed("info", "--json").out)["left_out"]
    assert [(one["place"], one["images"]) for one in listed] == [(".thumbnails", 3), ("a/@eaDir", 3)]


def test_a_drawing_of_embed_beside_the_photographs_is_no_photograph(embed, put):
    put({"data/a": 0, "data/b": 1})
    embed("extract", "data", "--backbone", "tiny")
    embed("map", "--out", "data/map.png")
    embed("matrix", "--out", "data/a/matrix.png")
    done = embed("extract", "data", "--backbone", "tiny", "--strict")
    assert "12 images, 0 extracted, 12 reused" in done.out
    assert "Left out: 2 images in a/matrix.png, map.png" in done.err


def test_patterns_hold_until_others_are_given(embed, put):
    put({"data/a": 0, "data/b": 1, "data/.more": 2}, each=3)

    def extract(*options):
        return embed("extract", "data", "--backbone", "tiny", *options)

    assert "3 images" in extract("--exclude", "b/").out
    again = extract()
    assert "3 images, 0 extracted, 3 reused in" in again.out and "--exclude b/" in again.err
    assert "9 images, 6 extracted" in extract("--include", ".more").out
    assert "9 images, 0 extracted, 9 reused in" in extract().out
    forgotten = extract("--exclude", "")
    assert "6 images, 0 extracted, 6 reused, 3 removed" in forgotten.out
    assert "Patterns" not in forgotten.err


def test_patterns_move_with_their_folder(embed, put, tmp_path):
    put({"data/a": 0, "data/b": 1, "data/.more": 2}, each=3)
    embed("extract", "data", "--backbone", "tiny", "--include", ".more")
    (tmp_path / "data").rename(tmp_path / "moved")
    assert "9 images, 0 extracted, 9 reused in" in embed("extract", "moved", "--backbone", "tiny").out


def test_several_folders_are_one_set_apart_from_that_of_the_folder_above(embed, put):
    put({"all/x/a": 0, "all/x/b": 1, "all/y/a": 0, "all/y/b": 1, "all/z/a": 2}, each=3)
    done = embed("extract", "all/x", "all/y", "all/x/a", "--backbone", "tiny")
    assert "x+y--tiny" in done.out and "12 images" in done.out and "2 classes" in done.out
    assert "all/x/a is given twice, or lies in another folder" in done.err
    assert "15 images, 0 extracted" not in embed("extract", "all", "--backbone", "tiny").out
    again = embed("extract", "all/y/", "all/x", "--backbone", "tiny").out
    assert "x+y--tiny" in again and "12 images, 0 extracted, 12 reused in" in again
    assert len(json.loads(embed("info", "--json").out)["classes"]) == 2


def test_a_list_is_a_set_and_what_it_names_no_more_leaves(embed, put, tmp_path):
    put({"photos/a": 0, "photos/b": 1}, each=3)
    names = sorted(str(file) for file in (tmp_path / "photos").rglob("*.png"))
    (tmp_path / "list.txt").write_text("\n".join(names))
    assert "6 images, 6 extracted" in embed("extract", "--from-file", "list.txt", "--backbone", "tiny").out
    (tmp_path / "list.txt").write_text("\n".join([*names[1:], str(tmp_path / "photos/b/gone.png")]))
    done = embed("extract", "--from-file", "list.txt", "--backbone", "tiny").out
    assert "6 images, 0 extracted, 5 reused, 1 removed, 1 failed" in done
    assert "2 classes" in done


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "name a folder of photographs, or a list of them: --from-file LIST"),
        (["data", "--from-file", "list.txt"], "--from-file is given beside folders"),
        (["data", "-0"], "--null is for a list"),
        (["data", "--exclude", "!x"], "--exclude '!x' is no pattern"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(embed, put, arguments, part):
    assert part in embed("extract", *arguments, code=2).err


def test_info_lists_the_first_of_very_many_classes(tmp_path, capsys):
    make_features(tmp_path, [f"class {i:03}/1.jpg" for i in range(250)])
    assert cli.main(["info", "--cache", str(tmp_path / "cache")]) == 0
    said = capsys.readouterr().out
    assert "class 199 1, and 50 more" in said and "class 200" not in said
