"""Sites, years and the like that hold the classes; dates and parts that are none; what the names of files say."""

import numpy as np
import pytest

from embed.errors import UsageError
from embed.labels import assign, groupings, groups
from embed.labels.groupings import Grouping
from embed.labels.words import plain


def photographs(folders: str, each: int = 2) -> list[str]:
    """Return photographs for each folder, whose names have # for a blank."""
    return [
        f"{folder.replace('#', ' ')}/{number}.jpg" for folder in folders.split() for number in range(each)
    ]


def understood(folders: str, **options) -> str:
    """Return "split/label" of each kind of photograph, with its group."""
    found = assign(photographs(folders), **options)
    kinds = zip(found.splits, found.labels, found.grouping, strict=True)
    said = {f"{split or '-'}/{label or '-'}{f'<{group}>' if group else ''}" for split, label, group in kinds}
    return " ".join(sorted(said))


OUTER = [
    "2019 2020",
    "part1 part2",
    "site1 site2",
    "batch_01 batch_02",
    "camera#A camera#B",
    "100CANON 101CANON",
    "2019-05-01 2019-06-02",
    "spring2020 autumn2020",
    "January February",
    "day1 day2",
    "person1 person2",
    "Subject#01 Subject#02",
    "sub-01 sub-02",
    "hospital_north hospital_south",
    "Teil1 Teil2",
    "fox1 fox2",
    "s1 s2",
    "0 1",
    "1-500 501-1000",
    "photo sketch",
    "amazon dslr",
    "original augmented",
    "color grayscale",
    "左1 左2",
]


@pytest.mark.parametrize("outer", OUTER)
@pytest.mark.parametrize("place", ["", "data/", "train/"])
def test_folders_that_hold_the_same_folders_group_photographs(outer, place):
    first, second = outer.split()
    found = assign(
        photographs(" ".join(f"{place}{one}/{name}" for one in (first, second) for name in ("cat", "dog")))
    )
    assert found.counts == {"cat": 4, "dog": 4}
    assert set(found.grouping) == {first.replace("#", " "), second.replace("#", " ")}
    (note,) = found.notes
    assert (
        "are taken to group the photographs" in note
        and "where the outer ones are the classes: --labels" in note
    )
    rule = note.rpartition("--labels '")[2].rstrip("'")
    paths = photographs(" ".join(f"{place}{one}/cat" for one in (first, second)))
    assert set(assign(paths, rule).labels) == set(found.grouping)


LAYOUTS = {
    "one site lacks a class": (
        "site1/deer site1/fox site1/boar site2/deer site2/fox site3/deer",
        "-/boar<site1> -/deer<site1> -/deer<site2> -/deer<site3> -/fox<site1> -/fox<site2>",
    ),
    "classes spread over parts": (
        "part1/cat part1/dog part2/elk part2/fox",
        "-/cat<part1> -/dog<part1> -/elk<part2> -/fox<part2>",
    ),
    "years and months": (
        "2019/01/cat 2019/01/dog 2019/02/cat 2019/02/dog 2020/01/cat 2020/01/dog 2020/05/cat",
        "-/cat<2019/01> -/cat<2019/02> -/cat<2020/01> -/cat<2020/05> -/dog<2019/01> -/dog<2019/02> -/dog<2020/01>",
    ),
    "sites within splits": (
        "train/site1/cat train/site1/dog train/site2/cat train/site2/dog test/site3/cat test/site3/dog",
        "test/cat test/dog train/cat<site1> train/cat<site2> train/dog<site1> train/dog<site2>",
    ),
    "splits within sites": (
        "site1/train/a site1/train/b site1/test/a site2/train/a site2/test/b",
        "test/a<site1> test/b<site2> train/a<site1> train/a<site2> train/b<site1>",
    ),
    "one collection to train on, one to test": (
        "public/train/a public/train/b private/test/a private/test/b",
        "test/a test/b train/a train/b",
    ),
    "one collection to train on, two to test": (
        "public/train/a public/train/b one/test/a two/test/b",
        "test/a test/b train/a train/b",
    ),
    "patients in classes in sites": (
        "site1/ill/p1 site1/ill/p2 site1/well/p3 site1/well/p4 site2/ill/p5 site2/ill/p6 site2/well/p7 site2/well/p8",
        "-/ill<site1> -/ill<site2> -/well<site1> -/well<site2>",
    ),
    "images between": (
        "office/amazon/images/mug office/amazon/images/bike office/dslr/images/mug office/dslr/images/bike",
        "-/bike<amazon> -/bike<dslr> -/mug<amazon> -/mug<dslr>",
    ),
    "sites in classes": (
        "pos/site1 pos/site2 neg/site1 neg/site2",
        "-/neg<site1> -/neg<site2> -/pos<site1> -/pos<site2>",
    ),
    "patients in classes": (
        "benign/p001 benign/p002 malignant/p003",
        "-/benign<p001> -/benign<p002> -/malignant<p003>",
    ),
    "conditions in classes": (
        "cat/day cat/night dog/day dog/night",
        "-/cat<day> -/cat<night> -/dog<day> -/dog<night>",
    ),
    "conditions in sites": (
        "site1/day site1/night site2/day site2/night",
        "-/day<site1> -/day<site2> -/night<site1> -/night<site2>",
    ),
    "classes that are words for groups": (
        "site1/person site1/box site2/person site2/box",
        "-/box<site1> -/box<site2> -/person<site1> -/person<site2>",
    ),
    "names that may be either": ("alice/happy alice/sad bob/happy bob/sad", "-/alice -/bob"),
    "classes with numbers": ("class1/x class1/y class2/x class2/y", "-/class1 -/class2"),
    "letters in letters": ("a/x a/y b/x b/y", "-/a -/b"),
    "digits": ("0 1 2", "-/0 -/1 -/2"),
    "faces": ("s1 s2 s3", "-/s1 -/s2 -/s3"),
    "seasons": ("spring summer", "-/spring -/summer"),
    "day and night": ("day night", "-/day -/night"),
    "years": ("2019 2020", "-/-"),
    "years and months of photographs": ("2019/01 2019/02 2020/01", "-/-"),
    "years, months and days": ("2019/01/01 2019/01/31 2019/12/24 2020/05/01", "-/-"),
    "classes in days": (
        "2019/05/01/cat 2019/05/01/dog 2019/05/02/cat 2019/06/01/dog 2020/05/01/cat 2020/05/01/dog 2020/06/02/cat",
        "-/cat<2019/05/01> -/cat<2019/05/02> -/cat<2020/05> -/cat<2020/06> -/dog<2019/05/01> -/dog<2019/06> -/dog<2020/05>",
    ),
    "dates": ("2019-05-01 2019-06-02", "-/-"),
    "a camera's folders": ("DCIM/100CANON DCIM/101CANON", "-/-"),
    "parts of one folder": ("HAM10000_images_part_1 HAM10000_images_part_2", "-/-"),
    "numbered images": ("images_001/images images_002/images", "-/-"),
    "photographs of years": ("Google#Photos/Photos#from#2019 Google#Photos/Photos#from#2020", "-/-"),
    "photographs of years in German": ("Fotos#von#2019 Fotos#von#2020", "-/-"),
    "cars by their year": ("model#2019 model#2020", "-/model 2019 -/model 2020"),
    "a phone": ("DCIM/Camera WhatsApp#Images/Sent Screenshots", "-/-"),
    "what is private": ("private sent", "-/private -/sent"),
    "years that are classes": (
        "train/1990 train/2000 test/1990 test/2000",
        "test/1990 test/2000 train/1990 train/2000",
    ),
    "a year beside a class": ("2019 cats", "-/2019 -/cats"),
}  # folders → kinds of photographs


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_groups_and_what_is_a_class_is_read_as_a_person_would(layout):
    folders, kinds = LAYOUTS[layout]
    assert understood(folders) == kinds


@pytest.mark.parametrize(
    ("folders", "parts"),
    [
        (
            "alice/happy alice/sad bob/happy bob/sad",
            ["the classes are taken to be the outer ones", "--labels 'regex:^[^/]+/([^/]+)/'"],
        ),
        ("pos/site1 pos/site2 neg/site1 neg/site2", ["to group their photographs (--group folders)"]),
        (
            "benign/p001 benign/p002 malignant/p003",
            ["taken to group their photographs", "where they are the classes"],
        ),
        (
            "colon/colon_aca colon/colon_n lung/lung_aca lung/lung_n",
            ["4 folders lie in the classes", "as parts of them"],
        ),
        (
            "2019 2020",
            ["names of dates, cameras or parts", "where they are classes: --labels 'regex:^([^/]+)/'"],
        ),
        ("x/train/a x/train/b y/train/a y/test/b", ["each of 'x', 'y' has splits of its own", "'a', 'b'"]),
        ("x/train/a x/test/b other/c", ["'other' lies beside folders with splits of their own and has none"]),
        (
            "Training/cat Training/dog Rest/cat Rest/dog Test/cat",
            ["--splits train=Training,test=Test,test=Rest"],
        ),
    ],
)
def test_how_to_decide_otherwise_is_said_in_one_sentence(folders, parts):
    (note,) = assign(photographs(folders)).notes
    assert all(part in note for part in parts), note


def test_folders_group_a_fit():
    paths = photographs("site1/deer site1/fox site2/deer site2/fox")
    found = groups(assign(paths), paths, "folders")
    assert found.tolist() == ["site1"] * 4 + ["site2"] * 4
    with pytest.raises(UsageError, match="no folders group the photographs"):
        groups(assign(["a/1.jpg", "b/2.jpg"]), ["a/1.jpg", "b/2.jpg"], "folders")


def test_what_the_second_version_of_the_rule_means_stays():
    kinds = {
        "2019/cat 2019/dog 2020/cat 2020/dog": "-/2019 -/2020",
        "2019 2020": "-/2019 -/2020",
        "Training/a Training/b Prüfung/a Prüfung/b": "-/- train/a train/b",
        "seg_train/a seg_train/b seg_test/a seg_pred": "-/seg_pred -/seg_test -/seg_train",
        "training/a training/b testing/a": "test/a train/a train/b",
    }
    for folders, kind in kinds.items():
        assert understood(folders, version=2) == kind


def test_what_the_third_version_of_the_rule_means_stays():
    kinds = {
        "Training/a Training/b PublicTest/a PublicTest/b": "-/- train/a train/b",
        "cat/images/train cat/images/test dog/images/train dog/images/test": "-/cat -/dog",
        "labelled/a labelled/b unlabelled": "-/- -/labelled",
        "Photos#from#2019 Photos#from#2020": "-/Photos from 2019 -/Photos from 2020",
    }
    for folders, kind in kinds.items():
        assert understood(folders, version=3) == kind


LANGUAGES = {
    "German": "Trainingsdaten Validierung Prüfung",
    "German, decomposed": "Training Validierungsdaten Pru\u0308fdaten",
    "French": "entraînement validation essai",
    "French sentences": "données_d'entraînement jeu_de_validation jeu_de_test",
    "Spanish": "entrenamiento validación prueba",
    "Portuguese": "treino validação teste",
    "Italian": "addestramento validazione prova",
    "Dutch": "trainen validatie testen",
    "Russian": "обучение валидация тест",
    "Chinese": "训练集 验证集 测试集",
    "Japanese": "学習データ 検証データ テストデータ",
    "Korean": "훈련 검증 시험",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_splits_are_read_in_other_languages(language):
    train, validation, test = (name.replace("_", "#") for name in LANGUAGES[language].split())
    found = understood(f"{train}/a {train}/b {validation}/a {test}/b")
    assert found == "test/b train/a train/b validation/a"


def test_every_word_is_known_as_it_is_looked_up():
    for text in ("Prüfung", "データ", "обучающий", "ł"):
        assert len(plain(text)) == len(text) and plain(plain(text)) == plain(text)


@pytest.mark.parametrize(
    ("classes", "pairs"),
    [
        (("Cat", "cat", "dog"), "'Cat' and 'cat'"),
        (("grizzly bear", "grizzly_bear"), "'grizzly bear' and 'grizzly_bear'"),
        (("caf\u00e9", "cafe\u0301"), "(with combining accents)"),
        (("cat", "cat (1)"), "'cat' and 'cat (1)'"),
        (("dog", "dog - Copy"), "'dog' and 'dog - Copy'"),
        (("dog", "dog "), "'dog' and 'dog '"),
    ],
)
def test_classes_that_differ_in_spelling_only_are_said(classes, pairs):
    for folders in (classes, [f"train/{name}" for name in classes]):
        paths = sorted(f"{folder}/{i}.jpg" for folder in folders for i in range(2))
        notes = assign([*paths, "test/bee/1.jpg"] if folders is not classes else paths).notes
        assert any("differ in spelling only" in note and pairs in note for note in notes), notes
    split = assign([f"{part}/{name}/1.jpg" for part, name in zip(("train", "test"), classes, strict=False)])
    assert any("differ in spelling only" in note for note in split.notes)


@pytest.mark.parametrize(
    "classes", [("cat", "dog"), ("c", "c++"), ("1.5", "15"), ("a (1)", "a (2)"), ("x1", "x2")]
)
def test_other_classes_are_not_taken_for_each_other(classes):
    assert assign([f"{name}/1.jpg" for name in classes]).notes == ()


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        ("train/cat.{}.jpg train/dog.{}.jpg test1/{}.jpg", {"cat", "dog"}),
        ("images/Abyssinian_{}.jpg images/great_pyrenees_{}.jpg", {"Abyssinian", "great_pyrenees"}),
        ("n01440764_{}.JPEG n01443537_{}.JPEG", {"n01440764", "n01443537"}),
        ("ship{}.png plane{}.png", {"ship", "plane"}),
        ("x/{}-ship.png x/{}-plane.png", {"ship", "plane"}),
        ("cat#({}).jpg dog#({}).jpg", {"cat", "dog"}),
    ],
)
def test_classes_in_the_names_of_files_are_suggested(names, classes):
    paths = [name.replace("#", " ").format(number) for name in names.split() for number in range(100, 112)]
    (note,) = assign(paths).notes
    rule = note.partition("--labels '")[2].partition("' takes")[0]
    assert set(assign(paths, rule).counts) == classes


@pytest.mark.parametrize(
    "names",
    [
        "IMG_{}.jpg DSC0{}.JPG",
        "{}.jpg",
        "2019_{}.jpg 2020_{}.jpg",
        "train_{}.jpg test_{}.jpg",
        "a{}b.jpg c{}d.jpg",
    ],
)
def test_names_that_say_no_class_suggest_none(names):
    paths = [name.format(number) for name in names.split() for number in range(100, 112)]
    assert assign(paths).notes == ()


def test_names_say_how_surely_they_group():
    assert groupings.of(["2019", "2020"]) is Grouping.CERTAIN
    assert groupings.of(["01", "02"]) is Grouping.LIKELY
    assert groupings.of(["01", "02"], above=["2019"]) is Grouping.CERTAIN
    assert groupings.of(["cat", "dog"]) is groupings.of([]) is Grouping.NO


def test_grouping_is_an_array_beside_the_labels():
    found = assign(["a/1.jpg", "b/2.jpg"])
    assert isinstance(found.grouping, np.ndarray) and found.grouping.tolist() == [None, None]
