"""Layouts of folders as they are found on disks and in downloads, from the names of files to the report."""

import json
import shutil
import unicodedata
import zipfile
from collections import Counter

import pytest
from PIL import Image

from embed import cli
from embed.labels import assign


def paths_of(layout: str) -> list[str]:
    """Return paths: "folder:3" is three photographs in it, "x/{}_a.JPG:2" two of such names; # is a blank."""
    paths = []
    for part in layout.split():
        place, _, count = part.replace("#", " ").rpartition(":")
        pattern = place if "{}" in place else f"{place}/{{}}.jpg".lstrip("/")
        paths += [pattern.replace("{}", str(number)) for number in range(int(count))]
    return sorted(paths)


# Folders → photographs of each class, of each split, and a part of the note, empty where all is certain.
LAYOUTS = {
    "cats and dogs of a competition": (
        "train/cat.{}.jpg:6 train/dog.{}.jpg:6 test1/{}.jpg:4",
        {},
        {"train": 12, "test": 4},
        "'cat', 'dog': --labels 'regex:([^/]+)[ ._-]\\d+\\.[^./]+$'",
    ),
    "ImageNet": (
        "ILSVRC/Data/CLS-LOC/train/n01440764/n01440764_{}.JPEG:3 ILSVRC/Data/CLS-LOC/train/n01443537/n01443537_{}.JPEG:3"
        " ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_0000{}.JPEG:2 ILSVRC/Data/CLS-LOC/test/ILSVRC2012_test_0000{}.JPEG:2",
        {"n01440764": 3, "n01443537": 3},
        {"train": 6, "validation": 2, "test": 2},
        "",
    ),
    "alphabets": (
        "images_background/Greek/character01:2 images_background/Greek/character02:2 images_background/Latin/character01:2"
        " images_evaluation/Ge_ez/character01:2 images_evaluation/Ge_ez/character02:2 images_evaluation/Tibetan/character01:2",
        {"Greek": 4, "Latin": 2, "Ge_ez": 4, "Tibetan": 2},
        {"train": 6, "test": 6},
        "where they are the classes: --labels",
    ),
    "a letter after the split": (
        "Train-A/x:2 Train-A/y:2 Test-A/x:1 Test-A/y:1",
        {"x": 3, "y": 3},
        {"train": 4, "test": 2},
        "",
    ),
    "images to train and to test on, in a table": (
        "train_images:4 test_images:2",
        {},
        {"train": 4, "test": 2},
        "",
    ),
    "camel case": (
        "TrainingData/a:2 TrainingData/b:2 TestingData/a:1 TestingData/b:1",
        {"a": 3, "b": 3},
        {"train": 4, "test": 2},
        "",
    ),
    "train_data": (
        "train_data/a:2 train_data/b:2 val_data/a:1",
        {"a": 3, "b": 2},
        {"train": 4, "validation": 1},
        "",
    ),
    "scenes": (
        "seg_train/seg_train/forest:2 seg_train/seg_train/sea:2 seg_test/seg_test/forest:1 seg_test/seg_test/sea:1"
        " seg_pred/seg_pred:3",
        {"forest": 3, "sea": 3},
        {"train": 4, "test": 5},
        "",
    ),
    "chest x-rays": (
        "xray/chest_xray/train/NORMAL/IM-{}.jpeg:2 xray/chest_xray/train/PNEUMONIA/p{}.jpeg:3 xray/chest_xray/test/NORMAL/t{}.jpeg:1"
        " xray/chest_xray/val/NORMAL/v{}.jpeg:1 xray/chest_xray/chest_xray/train/NORMAL/IM-{}.jpeg:2",
        {"NORMAL": 6, "PNEUMONIA": 3},
        {"train": 7, "test": 1, "validation": 1},
        "",
    ),
    "folds": (" ".join(f"fold{k}/{name}:1" for k in range(1, 6) for name in "ab"), {"a": 5, "b": 5}, {}, ""),
    "breeds in file names": (
        "images/Abyssinian_{}.jpg:8 images/great_pyrenees_{}.jpg:8",
        {},
        {},
        "'Abyssinian', 'great_pyrenees': --labels 'regex:",
    ),
    "birds": (
        "CUB_200_2011/images/001.Black_footed_Albatross:2 CUB_200_2011/images/002.Laysan_Albatross:2",
        {"001.Black_footed_Albatross": 2, "002.Laysan_Albatross": 2},
        {},
        "",
    ),
    "plants": (
        "plantvillage/Apple___healthy:2 plantvillage/Apple___scab:2",
        {"Apple___healthy": 2, "Apple___scab": 2},
        {},
        "",
    ),
    "plants three times": (
        "plantvillage#dataset/color/Apple___healthy:2 plantvillage#dataset/color/Apple___scab:2"
        " plantvillage#dataset/grayscale/Apple___healthy:2 plantvillage#dataset/grayscale/Apple___scab:2"
        " plantvillage#dataset/segmented/Apple___healthy:2 plantvillage#dataset/segmented/Apple___scab:2",
        {"Apple___healthy": 6, "Apple___scab": 6},
        {},
        "are taken to group the photographs",
    ),
    "a taxonomy": (
        "Animalia/Chordata/Aves/Corvus#corax:2 Animalia/Arthropoda/Insecta/Apis#mellifera:2 Plantae/Tracheophyta/Rosa:2",
        {"Animalia": 4, "Plantae": 2},
        {},
        "folders lie in the classes, 'Animalia/Arthropoda', 'Animalia/Chordata'",
    ),
    "images and label files": (
        "images/train:3 images/val:1 labels/train:2",
        {},
        {"train": 3, "validation": 1},
        "",
    ),
    "images below the splits": (
        "train/images:3 valid/images:1 test/images:1",
        {},
        {"train": 3, "validation": 1, "test": 1},
        "",
    ),
    "a challenge with masks": (
        "VOC2012/JPEGImages:3 VOC2012/SegmentationClass:2 VOC2012/SegmentationObject:2",
        {},
        {},
        "",
    ),
    "German": (
        "Trainingsdaten/Hund:2 Trainingsdaten/Katze:2 Testdaten/Hund:1 Validierung/Katze:1",
        {"Hund": 3, "Katze": 3},
        {"train": 4, "test": 1, "validation": 1},
        "",
    ),
    "French": (
        "entraînement/chat:2 entraînement/chien:2 évaluation/chat:1",
        {"chat": 3, "chien": 2},
        {"train": 4, "test": 1},
        "",
    ),
    "French, as a Mac writes it": (
        unicodedata.normalize("NFD", "entraînement/chat:2 entraînement/chien:2 évaluation/chat:1"),
        {"chat": 3, "chien": 2},
        {"train": 4, "test": 1},
        "",
    ),
    "Spanish": (
        "entrenamiento/gato:2 entrenamiento/perro:2 prueba/gato:1",
        {"gato": 3, "perro": 2},
        {"train": 4, "test": 1},
        "",
    ),
    "Chinese": ("训练集/猫:2 训练集/狗:2 测试集/猫:1", {"猫": 3, "狗": 2}, {"train": 4, "test": 1}, ""),
    "blanks at the end": (
        "train#/cat#:2 train#/dog:2 test#/cat#:1",
        {"cat ": 3, "dog": 2},
        {"train": 4, "test": 1},
        "",
    ),
    "downloaded twice": (
        "cat:3 cat#(1):2 dog:3",
        {"cat": 3, "cat (1)": 2, "dog": 3},
        {},
        "'cat' and 'cat (1)'",
    ),
    "downloaded in parts": (
        "drive-download-001/cat:2 drive-download-001/dog:2 drive-download-002/cat:2 drive-download-002/dog:2",
        {"cat": 4, "dog": 4},
        {},
        "are taken to group the photographs",
    ),
    "another case in the test": (
        "Train/Cat:2 Train/Dog:2 Test/cat:1 Test/dog:1",
        {"Cat": 2, "Dog": 2, "cat": 1, "dog": 1},
        {"train": 4, "test": 2},
        "'Cat' and 'cat'; 'Dog' and 'dog'",
    ),
    "camera traps": (
        "site1/deer:2 site1/fox:2 site1/boar:2 site2/deer:2 site2/fox:2 site3/deer:2 site3/fox:1",
        {"deer": 6, "fox": 5, "boar": 2},
        {},
        "--group folders",
    ),
    "domains": (
        "PACS/photo/dog:2 PACS/photo/cat:2 PACS/sketch/dog:2 PACS/sketch/cat:2",
        {"dog": 4, "cat": 4},
        {},
        "'PACS/photo', 'PACS/sketch' are taken to group",
    ),
    "patients": (
        "benign/patient1:2 benign/patient2:2 malignant/patient3:2",
        {"benign": 4, "malignant": 2},
        {},
        "taken to group their photographs",
    ),
    "anomalies of several products": (
        "bottle/train/good:2 bottle/test/good:1 bottle/test/broken:1 bottle/ground_truth/broken:1"
        " cable/train/good:2 cable/test/good:1 cable/test/cut:1 cable/ground_truth/cut:1",
        {"good": 6, "broken": 1, "cut": 1},
        {"train": 4, "test": 4},
        "where the outer ones are the classes: --labels 'regex:^([^/]+)/'",
    ),
    "a phone": (
        "DCIM/100APPLE/IMG_{}.HEIC:3 DCIM/101APPLE/IMG_{}.HEIC:2",
        {},
        {},
        "names of dates, cameras or parts",
    ),
    "holidays by month": (
        "Photos/2019/07:3 Photos/2019/08:2 Photos/2020/07:2",
        {},
        {},
        "names of dates, cameras or parts",
    ),
    "parts of a large download": (
        "images_001/images:2 images_002/images:2",
        {},
        {},
        "names of dates, cameras or parts",
    ),
    "two tissues": (
        "set/colon_image_sets/colon_aca:2 set/colon_image_sets/colon_n:2 set/lung_image_sets/lung_aca:2",
        {"colon_image_sets": 4, "lung_image_sets": 2},
        {},
        "--labels 'regex:^(?:[^/]+/){2}([^/]+)/'",
    ),
    "fruits with a folder of many": (
        "fruits-360/Training/Apple:2 fruits-360/Training/Kiwi:2 fruits-360/Test/Apple:1 fruits-360/Test/Kiwi:1"
        " fruits-360/test-multiple_fruits:2",
        {"Apple": 3, "Kiwi": 3},
        {"train": 4, "test": 2},
        "",
    ),
    "a wrapper of a download": (
        "archive/data/train/a:2 archive/data/train/b:2 archive/data/test/a:1",
        {"a": 3, "b": 2},
        {"train": 4, "test": 1},
        "",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_has_the_classes_and_splits_of_a_person_or_says_how_to_decide(layout):
    names, classes, splits, note = LAYOUTS[layout]
    found = assign(paths_of(names))
    assert found.counts == classes
    assert Counter(found.splits.tolist()) == {
        **splits,
        **({None: n} if (n := len(found.splits) - sum(splits.values())) else {}),
    }
    assert any(note in one for one in found.notes) if note else found.notes == ()


@pytest.fixture
def embed(tmp_path, monkeypatch, capfd):
    """Run a command in a folder of its own; gives what was printed and what was said."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, code=0):
        assert cli.main(list(arguments)) == code, capfd.readouterr().err
        return capfd.readouterr()

    return run


def draw(file, kind: int, number: int) -> None:
    """Draw a photograph of a kind, unlike any other."""
    file.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new(
        "RGB", (32, 32), [(200, 40, 40), (40, 160, 60), (50, 70, 200), (210, 190, 60)][kind % 4]
    )
    picture.paste(
        (255 - 2 * number, 255, 255), (number % 24, kind * 4 % 24, number % 24 + 8, kind * 4 % 24 + 8)
    )
    picture.putpixel((31, 31), (number % 256, number // 256, kind))
    picture.save(file, "png" if file.suffix == ".png" else "jpeg", quality=95)


def lay_out(folder, layout: str) -> None:
    kinds: dict[str, int] = {}
    for number, path in enumerate(paths_of(layout)):
        parent = path.rpartition("/")[0].rpartition("/")[2]
        draw(folder / path, kinds.setdefault(parent, len(kinds)), number)


@pytest.mark.torture
@pytest.mark.parametrize("layout", [name for name, (names, *_) in LAYOUTS.items() if "HEIC" not in names])
def test_a_layout_goes_from_extraction_to_report(embed, tmp_path, layout):
    names, classes, splits, note = LAYOUTS[layout]
    lay_out(tmp_path / "data", names)
    done = embed("extract", "data", "--backbone", "tiny", "--strict")
    document = json.loads(embed("info", "--json").out)
    assert (document["classes"], document["splits"]) == (classes, splits)
    assert (note in done.err) if note else "Note" not in done.err
    found = assign(paths_of(names))
    roles = zip(found.labels, found.splits, strict=True)
    learned = {label for label, split in roles if split in (None, "train")} - {None}
    if len(learned) > 1 and splits.get("train", 8) > 3:
        fitted = embed("fit", "--json")
        assert json.loads(fitted.out)["classes"]
        assert note in fitted.err
    embed("report", "--no-maps", "--out", "report.html")
    assert (tmp_path / "report.html").stat().st_size


SITES = (
    "data/site1/deer:6 data/site1/fox:6 data/site2/deer:6 data/site2/fox:6 data/site3/deer:6 data/site3/fox:6"
)


def test_sites_are_groups_of_the_classes_that_they_hold(embed, tmp_path):
    lay_out(tmp_path, SITES)
    done = embed("extract", "data", "--backbone", "tiny")
    assert "understood as: 2 classes" in done.out and "site1/  group site1: 12" in done.out
    assert "are taken to group the photographs" in done.err
    fitted = embed("fit", "--clf", "knn", "--group", "folders", "--cv", "3", "--json")
    document = json.loads(fitted.out)
    assert document["classes"] == ["deer", "fox"] and document["n"] == 36
    assert document["groups"]["count"] == 3
    outer = json.loads(embed("fit", "--clf", "knn", "--labels", "regex:^([^/]+)/", "--json").out)
    assert outer["classes"] == ["site1", "site2", "site3"]


def test_a_report_without_a_model_says_what_is_doubtful(embed, tmp_path):
    lay_out(tmp_path, "data/train/Cat:3 data/train/dog:3 data/test/cat:3")
    shutil.copy(tmp_path / "data/train/Cat/0.jpg", tmp_path / "data/train/dog/copy.jpg")
    embed("extract", "data", "--backbone", "tiny")
    embed("report", "--out", "report.html")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "Notes on the labels" in page and "differ in spelling only" in page
    assert "in more than one class: train/Cat/0.jpg (Cat)" in page


def test_what_lies_beside_photographs_is_none_and_names_of_files_may_be_odd(embed, tmp_path):
    lay_out(
        tmp_path, "data/train/a/{}.JPG:3 data/train/b/{}.JPEG:3 data/TEST/a/{}.jpeg:2 data/TEST/b/{}.Jpg:2"
    )
    (tmp_path / "data/train/_annotations.csv").write_text("filename,class\n0.JPG,a\n")
    (tmp_path / "data/train/_classes.csv").write_text("filename, a, b\n0.JPG, 1, 0\n")
    (tmp_path / "data/train/labels.txt").write_text("0 0.5 0.5 1 1\n")
    with zipfile.ZipFile(tmp_path / "data/train.zip", "w") as archive:
        archive.write(tmp_path / "data/train/a/0.JPG", "train/a/0.JPG")
    done = embed("extract", "data", "--backbone", "tiny", "--strict")
    assert "10 images, 10 extracted" in done.out
    assert "understood as: 2 classes, test 4, train 6" in done.out and "Note" not in done.err


def test_a_sample_of_the_photographs_is_not_fitted_on_twice(embed, tmp_path):
    lay_out(tmp_path, "data/train/a:4 data/train/b:4 data/val/a:2 data/val/b:2")
    shutil.copytree(tmp_path / "data/train", tmp_path / "data/sample/train")
    assert "8 left out as copies" in embed("extract", "data", "--backbone", "tiny").out
    fitted = json.loads(embed("fit", "--clf", "knn", "--json").out)
    assert (fitted["n_train"], fitted["n_validation"], fitted["classes"]) == (8, 4, ["a", "b"])
    embed("report", "--no-maps")


def test_a_model_keeps_what_folders_meant_when_it_was_fitted(embed, tmp_path):
    from embed import learn
    from embed.cache import open_features

    lay_out(tmp_path, SITES)
    embed("extract", "data", "--backbone", "tiny")
    features = open_features(tmp_path / "cache")
    former = learn.fit(features, learn.FitOptions(classifier="knn", labels_version=2, name="former"))
    assert former.model.classes == ["site1", "site2", "site3"]
    assert learn.fit(features, learn.FitOptions(classifier="knn", name="today")).model.classes == [
        "deer",
        "fox",
    ]
    assert "former" in embed("report", "--model", "former", "--no-maps", "--out", "former.html").out
    assert "have changed since" not in (tmp_path / "former.html").read_text("utf-8")


def test_labels_by_hand_follow_photographs_and_are_taken_back(embed, tmp_path):
    for number in range(6):
        draw(tmp_path / f"data/{number}.jpg", number % 2, number)
    embed("extract", "data", "--backbone", "tiny")
    embed("label", "0.jpg", "2.jpg", "4.jpg", "red")
    embed("label", "1.jpg", "3.jpg", "5.jpg", "green")
    (tmp_path / "data/sea").mkdir()
    for number in range(6):
        (tmp_path / f"data/{number}.jpg").rename(tmp_path / f"data/{9 - number}.png.jpg")
    embed("extract", "data", "--backbone", "tiny")
    counts = {one["label"]: one["photographs"] for one in json.loads(embed("label", "--list", "--json").out)}
    assert counts == {"red": 3, "green": 3}
    assert json.loads(embed("fit", "--json").out)["classes"] == ["green", "red"]
    assert embed("label", "9.png.jpg", "blue").out == "1 photograph: blue (before: 1 red)\n"
    assert "taken back: 1 photograph, which had been named blue" in embed("label", "--undo").out
    counts = {one["label"]: one["photographs"] for one in json.loads(embed("label", "--list", "--json").out)}
    assert counts == {"red": 3, "green": 3}
    assert "There is no naming to take back" in embed("label", "--undo").err
    assert "--undo stands alone" in embed("label", "1", "--undo", code=2).err


def test_patterns_given_for_a_list_hold_until_others_are_given(embed, tmp_path):
    lay_out(tmp_path, "photos/a:3 photos/b:3")
    (tmp_path / "list.txt").write_text("photos\n")

    def extract(*options):
        return embed("extract", "--from-file", "list.txt", "--backbone", "tiny", *options)

    assert "3 images" in extract("--exclude", "b/").out
    again = extract()
    assert "3 images, 0 extracted, 3 reused in" in again.out and "--exclude b/" in again.err
    assert "6 images, 3 extracted, 3 reused" in extract("--exclude", "").out
    assert "6 images, 0 extracted, 6 reused in" in extract().out


def test_a_set_that_is_renamed_while_a_model_is_fitted_gets_the_model(embed, tmp_path, monkeypatch):
    from embed import learn
    from embed.cache import open_features
    from embed.learn import protocol

    lay_out(tmp_path, "data/a:6 data/b:6")
    embed("extract", "data", "--backbone", "tiny")
    features = open_features(tmp_path / "cache")
    saved = protocol.models.save

    def save(*arguments, **options):
        embed("extract", "data", "--backbone", "tiny", "--as", "other")
        return saved(*arguments, **options)

    monkeypatch.setattr(protocol.models, "save", save)
    fitted = learn.fit(features, learn.FitOptions(classifier="knn"))
    (folder,) = (path for path in (tmp_path / "cache").iterdir() if path.is_dir())
    assert folder.name.startswith("other--") and fitted.model.folder.parent.parent == folder
    assert "Model knn" in embed("predict", "data/a/0.jpg").err


def test_a_set_is_not_renamed_while_a_model_is_written(embed, tmp_path):
    from embed.cache import open_features
    from embed.cache.lock import Lock

    lay_out(tmp_path, "data/a:2 data/b:2")
    embed("extract", "data", "--backbone", "tiny")
    folder = open_features(tmp_path / "cache").folder
    (folder / "models").mkdir()
    lock = Lock(folder / "models")
    try:
        said = embed("extract", "data", "--backbone", "tiny", "--as", "other", code=1).err
    finally:
        lock.release()
    assert "is being written by process" in said and folder.exists()
    embed("extract", "data", "--backbone", "tiny", "--as", "other")
    assert not folder.exists()
