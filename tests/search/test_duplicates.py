"""What is there more than once: graded by the pixels, told with labels and splits, put aside and put back."""

import csv
import json
import os
import re
import shlex
import shutil
from importlib import import_module
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from cache_helpers import DIMENSION, open_writer, row_of
from edited import EDITS, page, scene
from PIL import Image, ImageOps
from search_helpers import put_all

from embed import api, learn, search
from embed.api import Features
from embed.backbones import Network
from embed.cache import FeatureCache, open_features
from embed.errors import UsageError
from embed.extract import FeatureOptions, extract_features
from embed.labels import assign
from embed.search import duplicates, pictures, verdicts
from embed.search.alignment import SIZE, same
from embed.search.likeness import likeness
from embed.search.vectors import normalised


def extract(folder):
    extract_features(folder / "photographs", folder / "cache", FeatureOptions(network=Network("tiny")))
    return open_features(folder / "cache")


def families(groups):
    """Return what belongs together, by the first part of the names of the files."""
    return [{Path(one.path).stem.split("-")[0] for one in group.photographs} for group in groups]


@pytest.fixture(scope="module")
def edited(tmp_path_factory):
    """Twelve pictures, eight edits of two of them, a copy, and eight pages of text."""
    folder = tmp_path_factory.mktemp("edited")
    photographs = folder / "photographs"
    for split in ("train", "test"):
        (photographs / split / "scenes").mkdir(parents=True)
    (photographs / "train/pages").mkdir()
    (photographs / "train/others").mkdir()
    for seed in range(12):
        scene(seed).save(photographs / f"train/scenes/s{seed}-original.png")
        if seed < 2:
            for name, (edit, quality) in EDITS.items():
                edited = edit(scene(seed))
                edited.save(photographs / f"test/scenes/s{seed}-{name}.jpg", quality=quality)
    for seed in range(8):
        page(seed).save(photographs / f"train/pages/p{seed}-page.png")
    shutil.copy(photographs / "train/scenes/s5-original.png", photographs / "train/others/s5-copy.png")
    extract(folder)
    return folder


def test_edited_copies_are_the_same_picture_and_nothing_else_is(edited):
    found = duplicates(open_features(edited / "cache"))
    assert sorted(map(sorted, families(found))) == [["s0"], ["s1"], ["s5"]]
    by_family = {min(names): group for names, group in zip(families(found), found, strict=True)}
    for family in ("s0", "s1"):
        names = {Path(one.path).stem.partition("-")[2] for one in by_family[family].photographs}
        assert names == {"original", *EDITS}
        assert {one.grade for one in by_family[family].photographs} == {search.Grade.SAME}
        assert by_family[family].across_splits
    copy = by_family["s5"]
    assert [one.grade for one in copy.photographs] == [search.Grade.IDENTICAL] * 2
    assert found[0] is not None and families(found)[0] == {"s5"} and copy.labels_disagree


def test_no_page_of_text_is_the_copy_of_another(edited):
    features = open_features(edited / "cache")
    similarity = normalised(features.X[[features.index_of(f"train/pages/p{i}-page.png") for i in range(8)]])
    assert np.median(similarity @ similarity.T) > 0.9  # what the network makes of pages says nothing
    for grade in search.Grade:
        assert not [one for one in families(duplicates(features, grade=grade)) if "p" in min(one)[0]]


def test_what_was_found_is_kept_and_nothing_is_decoded_again(edited, monkeypatch):
    features = open_features(edited / "cache")
    before = duplicates(features)
    asked = []
    monkeypatch.setattr(pictures._Pictures, "_decoded", lambda self, rows: asked.append(rows) or iter(()))
    assert duplicates(open_features(edited / "cache")) == before and not asked
    file = features.folder / verdicts.NAME
    good = file.read_bytes()
    for bad in (b"", good[:-1], good[:200] + bytes([good[200] ^ 1]) + good[201:], b"x" * 100):
        file.write_bytes(bad)
        asked.clear()
        duplicates(features)
        assert asked, bad[:20]  # what is damaged is not believed
        file.write_bytes(good)
    file.chmod(0o666)
    asked.clear()
    duplicates(features)
    assert asked  # somebody else may have written it
    assert duplicates(features) != before  # nothing was seen, so nothing is kept of it
    monkeypatch.undo()
    assert duplicates(features) == before


def test_memory_for_few_pictures_gives_the_same_answer(edited, monkeypatch):
    features = open_features(edited / "cache")
    before = duplicates(features)
    (features.folder / verdicts.NAME).unlink()
    monkeypatch.setattr(pictures, "_KEPT", 4)
    held = []
    get = pictures._Pictures.get

    def counted(self, rows):
        found = get(self, rows)
        held.append(len(self._kept))
        return found

    monkeypatch.setattr(pictures._Pictures, "get", counted)
    assert duplicates(features) == before
    assert max(held) <= 4 and len(held) > 3


def test_a_photograph_that_is_gone_or_changed_is_told_and_is_no_copy(edited, tmp_path):
    shutil.copytree(edited / "photographs", tmp_path / "photographs")
    features = extract(tmp_path)
    changed = tmp_path / "photographs/test/scenes/s0-brighter.jpg"
    scene(99).save(changed)
    (tmp_path / "photographs/test/scenes/s0-grey.jpg").unlink()
    told = []
    found = duplicates(features, notice=told.append)
    names = {Path(one.path).stem for group in found for one in group.photographs}
    assert "s0-flipped" in names and not {"s0-brighter", "s0-grey"} & names
    assert len(told) == 1 and told[0].startswith("2 of the photographs could not be compared")


def made(images):
    return np.stack([np.asarray(image.convert("RGB").resize((SIZE, SIZE))) for image in images])


def test_a_picture_is_the_same_as_its_edits_alone():
    originals = [scene(seed) for seed in range(6)]
    for image in originals[:2]:
        edits = made([edit(image) for edit, _ in EDITS.values()])
        whole = made([image] * len(edits))
        assert dict(zip(EDITS, same(whole, edits).tolist(), strict=True)) == dict.fromkeys(EDITS, True)
        assert dict(zip(EDITS, same(edits, whole).tolist(), strict=True)) == dict.fromkeys(EDITS, True)
    pairs = list(combinations(originals, 2))
    assert not same(made(a for a, _ in pairs), made(b for _, b in pairs)).any()


def test_a_picture_of_which_a_good_part_is_another_is_not_the_same():
    ground = scene(1)
    other = ground.copy()
    other.paste(scene(2).resize((150, 112)), (45, 34))
    slight = ground.copy()
    slight.paste(scene(2).resize((60, 45)), (90, 70))  # as under a watermark
    assert same(made([ground, ground]), made([other, slight])).tolist() == [False, True]


@pytest.mark.photographs
def test_another_shot_of_a_thing_and_another_thing_on_the_same_ground_are_other_pictures(clothing):
    pairs = {
        (
            "train/shorts/6075b4a5-5b1a-4ce0-aea0-9dbfbca7c35c.jpg",
            "train/skirt/637a56e4-7fa6-4f75-8859-0f8902461554.jpg",
        ): True,
        (
            "train/dress/b59e4d4a-a283-4868-8a81-2f24d8b9c8d8.jpg",
            "train/dress/e6a8b33f-279c-4072-8dba-229d94205e55.jpg",
        ): True,
        (
            "train/t-shirt/2475c540-ed7d-4d19-8c5c-171b7ab1d9af.jpg",
            "train/t-shirt/ff3f01d5-0524-4851-8bcc-a1eb4bc096e6.jpg",
        ): False,
        (
            "train/t-shirt/c614a09e-9683-4d53-8387-de6db3d5e306.jpg",
            "train/t-shirt/fa9757e7-2af6-4c50-a101-9750853638a0.jpg",
        ): False,
    }
    first, second = (
        made(Image.open(clothing / path) for path in paths) for paths in zip(*pairs, strict=True)
    )
    assert same(first, second).tolist() == [*pairs.values()]
    assert same(second, first).tolist() == [*pairs.values()]


def test_there_is_nothing_to_tell_a_blank_by_and_a_red_shirt_is_not_the_blue_one():
    blank = Image.new("RGB", (200, 200), "white")
    red = ImageOps.colorize(ImageOps.grayscale(scene(1)), "black", "#ffb0b0", "#b02020")
    blue = ImageOps.colorize(ImageOps.grayscale(scene(1)), "black", "#b0b0ff", "#2020b0")
    grey = ImageOps.grayscale(scene(1))
    assert same(made([blank, red, red, blue]), made([blank, blue, grey, grey])).tolist() == [
        False,
        False,
        True,
        True,
    ]


def test_what_is_usual_is_read_off_the_set_itself():
    generator = np.random.default_rng(0)
    pages = normalised(generator.random((500, 64)) + 8)
    things = normalised(generator.standard_normal((500, 64)))
    assert likeness(pages).alike > 0.99 and likeness(things).alike < 0.8
    assert likeness(things[:1]).alike == 1.0
    assert likeness(things[:10]).floor <= (things[:10] @ things[:10].T).min() + 1e-6


# ---- without photographs: grades by features alone


def put(writer, path, features, content=None):
    row = row_of(path)
    writer.put(path, content or row.sha256, row.size, row.mtime_ns, np.asarray(features, np.float32))


def unit(*values):
    return np.array([*values, *[0.0] * (DIMENSION - len(values))], np.float32)


def test_duplicates_are_copies_and_what_is_as_near_as_asked_for(tmp_path):
    with open_writer(tmp_path) as writer:
        put(writer, "train/a/1.jpg", unit(1, 0), b"same" * 8)
        put(writer, "test/a/copy.jpg", unit(1, 0), b"same" * 8)
        put(writer, "train/b/near.jpg", unit(0, 1))
        put(writer, "train/b/nearer.jpg", unit(0, 1, 0.1))
        put(writer, "train/c/alone.jpg", unit(0, 0, 0, 1))
    features = open_features(tmp_path / "cache")
    groups = [
        [(one.path, one.similarity, one.grade) for one in group.photographs]
        for group in duplicates(features, 0.92)
    ]
    assert groups == [
        [("test/a/copy.jpg", 1.0, "identical"), ("train/a/1.jpg", 1.0, "identical")],
        [
            ("train/b/near.jpg", 1.0, "alike"),
            ("train/b/nearer.jpg", pytest.approx(1 / np.sqrt(1.01), abs=1e-6), "alike"),
        ],
    ]
    (leak,) = duplicates(features, across_splits=True)
    assert [(one.path, one.split) for one in leak.photographs] == [
        ("test/a/copy.jpg", "test"),
        ("train/a/1.jpg", "train"),
    ]
    for found in (duplicates(features), duplicates(features, 1.0), duplicates(features, grade="identical")):
        assert len(found) == 1
    with pytest.raises(UsageError, match="threshold 3"):
        duplicates(features, 3)
    with pytest.raises(UsageError, match="grade 'sure' is not known"):
        duplicates(features, grade="sure")


def test_groups_whose_labels_disagree_come_first(tmp_path):
    with open_writer(tmp_path) as writer:
        for name, contents in (("a/1 b/1 c/2 c/3", "same"), ("a/4 a/5", "more"), ("c/8 d/9", "last")):
            for path in name.split():
                put(writer, f"{path}.jpg", unit(1), contents.encode() * 8)
    found = duplicates(open_features(tmp_path / "cache"))
    assert [(group.photographs[0].path, group.labels_disagree) for group in found] == [
        ("a/1.jpg", True),
        ("c/8.jpg", True),
        ("a/4.jpg", False),
    ]


def test_duplicates_of_a_set_that_memory_does_not_hold_are_the_same(tmp_path, monkeypatch):
    generator = np.random.default_rng(0)
    X = generator.random((80, 300), np.float32).repeat(4, axis=0)
    X += np.float32(0.1) * generator.standard_normal(X.shape, np.float32)
    features = put_all(tmp_path, X)
    expected = duplicates(features, 0.92)
    assert len(expected) > 50
    for module, name, value in (
        ("duplicates", "KEPT_VALUES", 0),
        ("pairs", "BLOCK", 64),
        ("pairs", "SAMPLE", 64),
        ("likeness", "SAMPLE", 64),
        ("vectors", "BLOCK_VALUES", 20_000),
    ):
        monkeypatch.setattr(import_module(f"embed.search.{module}"), name, value)
    asked, rows = [], FeatureCache.rows
    monkeypatch.setattr(FeatureCache, "rows", lambda self, some: asked.append(len(some)) or rows(self, some))
    assert duplicates(features, 0.92) == expected
    assert max(asked) <= 66
    monkeypatch.setattr(import_module("embed.search.duplicates"), "MOST_PAIRS", 100)
    with pytest.raises(UsageError, match=r"threshold 0\.92 is met by more than 100 pairs"):
        duplicates(features, 0.92)


def test_a_chain_of_likenesses_is_not_one_group(tmp_path):
    angles = np.arange(40) * np.pi / 40  # each is near the next, the ends are opposite
    with open_writer(tmp_path) as writer:
        for i, angle in enumerate(angles):
            put(writer, f"{i:02d}.jpg", unit(np.cos(angle), np.sin(angle)))
    groups = duplicates(open_features(tmp_path / "cache"), 0.98)
    assert len(groups) > 5
    assert all(one.similarity >= 0.98 for group in groups for one in group.photographs)
    paths = [one.path for group in groups for one in group.photographs]
    assert len(paths) == len(set(paths))


# ---- put aside


@pytest.fixture
def own(edited, tmp_path):
    """The same photographs and features, to do something to."""
    shutil.copytree(edited / "photographs", tmp_path / "photographs")
    shutil.copytree(edited / "cache", tmp_path / "cache")
    extract(tmp_path)
    return tmp_path


def left(folder):
    return {
        str(file.relative_to(folder / "photographs"))
        for file in (folder / "photographs").rglob("*.*")
        if file.suffix in (".png", ".jpg") and ".embed-bin" not in file.parts
    }


def test_the_command_puts_duplicates_aside_after_a_dry_run_and_puts_them_back(own, run_embed):
    before = left(own)
    shown = run_embed("duplicates", "--keep", "largest", "--json", cwd=own, check=True)
    rows = json.loads(shown.stdout)
    assert left(own) == before and "Nothing was done: --yes does it." in shown.stderr
    kept = {row["path"] for row in rows if row["keep"]}
    assert kept == {f"train/scenes/s{i}-original.png" for i in (0, 1)}
    assert {row["keep"] for row in rows if "s5" in row["path"]} == {None}  # its labels disagree
    done = run_embed("duplicates", "--keep", "largest", "--yes", "--csv", cwd=own, check=True)
    moved = {row["path"] for row in csv.DictReader(done.stdout.splitlines()) if row["keep"] == "no"}
    assert len(moved) == 16 and left(own) == before - moved
    assert "1 group left alone, whose labels disagree" in done.stderr
    again = run_embed("extract", "photographs", "--backbone", "tiny", cwd=own, check=True)
    assert f"{len(before) - 16} images" in again.stdout and "16 removed" in again.stdout
    undone = run_embed("duplicates", "--undo", cwd=own, check=True)
    assert set(undone.stdout.splitlines()) == moved and left(own) == before
    nothing = run_embed("duplicates", "--undo", "--json", cwd=own, check=True)
    assert json.loads(nothing.stdout)["restored"] == [] and "nothing" in nothing.stderr


def test_where_nothing_is_there_twice_the_two_that_look_most_alike_are_named(tmp_path, run_embed):
    (tmp_path / "photographs").mkdir()
    for seed in range(5):
        scene(seed).save(tmp_path / "photographs" / f"{seed}.png")
    extract(tmp_path)
    features = open_features(tmp_path / "cache")
    unit = normalised(features.X)
    pairs = list(combinations(range(5), 2))
    one, other = max(pairs, key=lambda pair: unit[pair[0]] @ unit[pair[1]])
    said = run_embed("duplicates", cwd=tmp_path, check=True).stderr
    assert "Nothing is there more than once among 5 photographs." in said
    told = re.search(r"(\d)\.png and (\d)\.png look most alike, with (\d\.\d{3})\.", said)
    assert {int(told[1]), int(told[2])} == {one, other}
    assert float(told[3]) == pytest.approx(unit[one] @ unit[other], abs=6e-4)


@pytest.mark.parametrize(
    ("keep", "name"),
    [("largest", "original"), ("first", "brighter"), ("sharpest", "brighter")],
    ids=["largest", "first", "sharpest"],
)
def test_one_of_each_group_is_kept(own, keep, name):
    known = Features(open_features(own / "cache"))
    found = [group for group in api.duplicates(known.cache) if not group.labels_disagree]
    done = api.put_aside(known, found, keep, own / "aside")
    stays = sorted(path for path, kept in done.kept.items() if kept)
    assert [Path(path).stem for path in stays] == [f"s0-{name}", f"s1-{name}"]
    assert len(done.moved.photographs) == 16 and done.moved.bin == own / "aside"
    assert {one.reason for one in api.bin_contents(known.cache, own / "aside")} == {
        f"a duplicate; {keep} kept"
    }
    assert len(api.restore(known.cache, own / "aside").photographs) == 16


def test_a_program_has_them_as_a_table_that_shows_its_photographs(own):
    known = Features(open_features(own / "cache"))
    table, groups = known.duplicates(), api.duplicates(known.cache)
    assert table["group"].nunique() == len(groups) > 1
    for number, group in enumerate(groups, 1):
        rows = table[table["group"] == number]
        assert rows["path"].tolist() == [one.path for one in group.photographs]
        assert rows["label"].tolist() == [one.label for one in group.photographs]
        assert rows["grade"].tolist() == [one.grade for one in group.photographs]
        assert rows["similarity"].tolist() == [one.similarity for one in group.photographs]
    assert table._repr_html_().count("<img") >= len(groups)


def test_what_only_looks_alike_is_never_put_aside(tmp_path):
    with open_writer(tmp_path) as writer:
        put(writer, "a/near.jpg", unit(0, 1))
        put(writer, "a/nearer.jpg", unit(0, 1, 0.1))
    known = Features(open_features(tmp_path / "cache"))
    found = api.duplicates(known.cache, 0.9)
    assert len(found) == 1
    assert api.put_aside(known, found, "first", dry_run=True).moved.photographs == ()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--yes"], "--yes is for --keep"),
        (["--move-to", "aside"], "--move-to is for --keep"),
        (["--undo", "--keep", "first"], "--undo stands alone"),
        (["--keep", "prettiest"], "--keep 'prettiest' is not known"),
        (["--grade", "sure"], "--grade 'sure' is not known"),
    ],
    ids=["yes", "move-to", "undo", "keep", "grade"],
)
def test_options_that_cannot_work_are_told(edited, run_embed, arguments, told):
    done = run_embed("duplicates", *arguments, cwd=edited)
    assert done.returncode == 2 and told in done.stderr and not done.stdout


def test_moving_a_photograph_that_changed_leaves_it(own):
    known = open_features(own / "cache")
    path = "train/scenes/s3-original.png"
    file = own / "photographs" / path
    os.utime(file)  # touched only
    assert [one.path for one in api.move_to_bin(known, [file], dry_run=True).photographs] == [path]
    scene(77).save(file)
    assert [one.path for one in api.move_to_bin(known, [path]).left] == [path] and file.exists()


def test_what_was_put_aside_elsewhere_comes_back_by_the_command_that_was_told(own, run_embed):
    before = left(own)
    done = run_embed("duplicates", "--keep", "first", "--move-to", "put aside", "--yes", cwd=own, check=True)
    assert left(own) != before
    told = re.search("`embed (.*)` puts them back", done.stderr)
    run_embed(*shlex.split(told[1]), cwd=own, check=True)
    assert left(own) == before


def test_similar_photographs_stay_on_one_side_of_every_split(edited):
    features = open_features(edited / "cache")
    labelled = assign(features.paths.tolist())
    group = learn.groups.of(features, labelled, learn.groups.SIMILAR)
    names = {family: set() for family in ("s0", "s1", "s5")}
    for path, name in zip(features.paths, group, strict=True):
        names.get(Path(path).stem.split("-")[0], set()).add(name)
    assert {len(of_family) for of_family in names.values()} == {1}
    assert len(set.union(*names.values()) - {None}) == 3
    keys = learn.splits.keys_of(features.sha256, group)
    for seed in range(5):
        fold = learn.splits.folds(labelled.labels, keys, 3, seed)
        assert all(len(set(fold[group == name])) == 1 for name in set(group) - {None})
