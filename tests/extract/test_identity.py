"""A photograph is computed once, and a data folder keeps its set, wherever they lie: counted by what the backbone saw."""

import json
import logging
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from embed import images
from embed.backbones import Network
from embed.cache import Lock, Moved, list_features, open_features
from embed.cli import main
from embed.errors import CacheLockedError, UsageError
from embed.extract import FeatureOptions, RunOptions, extract_features

TINY = FeatureOptions(network=Network("tiny"))


def draw(folder, count=12, seed=0, size=8):
    """Draw photographs in two classes, no two alike."""
    for i in range(count):
        place = folder / "train" / ("ants" if i % 2 else "bees")
        place.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(1000 * seed + i).integers(0, 256, (size, size, 3), np.uint8)
        Image.fromarray(noise).save(place / f"{i}.png")
    return folder


@pytest.fixture
def world(tmp_path, backbone):
    """Extract into the cache of the test, and count what was computed for each extraction."""

    class World:
        cache = tmp_path / "cache"

        def extract(self, folder, features=TINY, ask=None, **run):
            before = backbone.seen
            summary = extract_features(folder, self.cache, features, RunOptions(**run), ask=ask)
            assert backbone.seen - before == summary.extracted
            self.check(folder, summary.features)
            return summary

        def check(self, folder, name):
            """Every row is what its photograph gives."""
            features = open_features(self.cache, name)
            for path, row in zip(features.paths, features.X, strict=True):
                if (folder / path).exists():
                    pixels = np.asarray(Image.open(folder / path)).mean(axis=(0, 1))
                    np.testing.assert_allclose(row, pixels, atol=1.0)

        def sets(self):
            return sorted(found.name.partition("--")[0] for found in list_features(self.cache))

        def put_model(self, name):
            """Put a file where models are; it goes wherever the set goes."""
            model = self.cache / name / "models" / "logistic" / "model.json"
            model.parent.mkdir(parents=True)
            model.touch()

        def has_model(self, name):
            return (self.cache / name / "models" / "logistic" / "model.json").exists()

    return World()


def copy_without_dates(source, target):
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    return target


def test_a_renamed_folder_keeps_its_set_and_its_models(world, tmp_path):
    first = world.extract(draw(tmp_path / "data"))
    world.put_model(first.features)
    (tmp_path / "data").rename(tmp_path / "data2")
    again = world.extract(tmp_path / "data2")
    assert (again.extracted, again.reused, again.copied) == (0, 12, 0)
    assert (again.features, again.moved_from) == (first.features, str(tmp_path / "data"))
    assert world.has_model(again.features) and world.sets() == ["data"]
    assert open_features(world.cache).root == tmp_path / "data2"


def test_a_renamed_folder_that_has_lost_photographs_is_the_same(world, tmp_path):
    first = world.extract(draw(tmp_path / "data"))
    moved = (tmp_path / "data").rename(tmp_path / "data2")
    (moved / "train" / "ants" / "1.png").unlink()
    assert (world.extract(moved).features, world.sets()) == (first.features, ["data"])


def test_a_folder_of_other_photographs_may_take_the_name_of_one_that_was_renamed(world, tmp_path):
    first = world.extract(draw(tmp_path / "data"))
    (tmp_path / "data").rename(tmp_path / "data2")
    draw(tmp_path / "data", seed=1, size=9)
    other = world.extract(tmp_path / "data")
    assert (other.extracted, other.removed) == (12, 0)
    assert world.extract(tmp_path / "data2").features == first.features
    assert world.extract(tmp_path / "data").features == other.features
    assert world.sets() == ["data", "data-2"]


def test_a_copy_has_a_set_of_its_own_and_nothing_is_computed_for_it(world, tmp_path):
    world.extract(draw(tmp_path / "data"))
    copy = world.extract(copy_without_dates(tmp_path / "data", tmp_path / "copy"))
    assert (copy.extracted, copy.reused, copy.copied) == (0, 12, 12)
    assert (world.sets(), copy.moved_from, copy.likely) == (["copy", "data"], None, None)
    assert world.extract(tmp_path / "data").reused == 12


def test_a_part_and_a_folder_above_are_copied_by_content(world, tmp_path):
    world.extract(draw(tmp_path / "all" / "data"))
    part = world.extract(tmp_path / "all" / "data" / "train")
    above = world.extract(tmp_path / "all")
    assert (part.extracted, part.copied, above.extracted, above.copied) == (0, 12, 0, 12)
    assert world.sets() == ["all", "data", "train"]


def test_the_same_photographs_in_another_order_and_under_other_names_are_copied(world, tmp_path):
    world.extract(draw(tmp_path / "data"))
    flat = tmp_path / "flat"
    flat.mkdir()
    for i, file in enumerate(sorted((tmp_path / "data").rglob("*.png"), reverse=True)):
        shutil.copyfile(file, flat / f"{i}.png")
    draw(flat, 3, seed=1)
    summary = world.extract(flat)
    assert (summary.extracted, summary.copied) == (3, 12)


def test_a_link_to_a_folder_is_the_folder(world, tmp_path):
    first = world.extract(draw(tmp_path / "data"))
    (tmp_path / "link").symlink_to(tmp_path / "data")
    again = world.extract(tmp_path / "link")
    assert (again.features, again.reused, again.copied, world.sets()) == (first.features, 12, 0, ["data"])


def test_a_folder_that_was_moved_to_another_disk_is_known_by_its_contents(world, tmp_path):
    first = world.extract(draw(tmp_path / "data"))
    moved = copy_without_dates(tmp_path / "data", tmp_path / "disk" / "data")
    shutil.rmtree(tmp_path / "data")
    again = world.extract(moved)
    assert (again.features, again.extracted, again.moved_from) == (
        first.features,
        0,
        str(tmp_path / "data"),
    )


def test_photographs_of_the_same_names_and_sizes_are_not_the_same(world, tmp_path):
    first = world.extract(draw_bitmaps(tmp_path / "1" / "data", seed=0))
    other = draw_bitmaps(tmp_path / "2" / "data", seed=1)
    shutil.rmtree(tmp_path / "1")
    again = world.extract(other)
    assert again.features != first.features and (again.extracted, again.likely) == (12, None)
    assert len(open_features(world.cache, first.features)) == 12


def draw_bitmaps(folder, seed):
    folder.mkdir(parents=True)
    for i in range(12):
        noise = np.random.default_rng(1000 * seed + i).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{i}.bmp")
    return folder


def test_a_partial_backup_takes_nothing_from_a_folder_that_is_away(world, tmp_path):
    disk = draw(tmp_path / "disk" / "photos", 30)
    first = world.extract(disk)
    world.put_model(first.features)
    backup = shutil.copytree(disk, tmp_path / "backup" / "photos")
    (backup / "train" / "ants" / "1.png").unlink()
    (tmp_path / "disk").rename(tmp_path / "away")
    second = world.extract(backup)
    assert (second.extracted, second.copied, second.removed) == (0, 29, 0)
    assert second.likely == Moved(first.features, str(disk), 30, 29)
    (tmp_path / "away").rename(tmp_path / "disk")
    third = world.extract(disk)
    assert (third.features, third.extracted, third.removed) == (first.features, 0, 0)
    assert world.has_model(first.features) and world.sets() == ["photos", "photos-2"]
    assert world.extract(backup).features == second.features


def test_a_whole_backup_has_the_set_no_longer_once_the_folder_is_back(world, tmp_path):
    disk = draw(tmp_path / "disk" / "photos")
    first = world.extract(disk)
    backup = shutil.copytree(disk, tmp_path / "backup" / "photos")
    (tmp_path / "disk").rename(tmp_path / "away")
    assert world.extract(backup).features == first.features
    (tmp_path / "away").rename(tmp_path / "disk")
    for _ in range(2):
        assert world.extract(disk).features == first.features
        assert world.extract(backup).features != first.features
    assert world.extract(backup).extracted == 0


def test_a_folder_that_moves_back_and_forth_keeps_its_set(world, tmp_path):
    place = draw(tmp_path / "usb0" / "photos")
    name = world.extract(place).features
    for day in range(4):
        (tmp_path / f"usb{day % 2}").rename(tmp_path / f"usb{(day + 1) % 2}")
        summary = world.extract(tmp_path / f"usb{(day + 1) % 2}" / "photos")
        assert (summary.features, summary.extracted, summary.copied) == (name, 0, 0)


def rename(source, target):
    source.rename(target)


def carry(source, target):
    """Move a folder to another disk."""
    copy_without_dates(source, target)
    shutil.rmtree(source)


@pytest.mark.parametrize("move", [rename, carry])
def test_disks_that_change_places_keep_their_sets(world, tmp_path, move):
    names = [
        world.extract(draw(tmp_path / f"usb{i}" / "photos", seed=i, size=8 + i)).features for i in (0, 1)
    ]
    for _ in range(2):
        for source, target in (("usb0", "aside"), ("usb1", "usb0"), ("aside", "usb1")):
            move(tmp_path / source, tmp_path / target)
        names.reverse()
        for i in (0, 1):
            summary = world.extract(tmp_path / f"usb{i}" / "photos", move=True)
            assert (summary.features, summary.extracted, summary.copied, summary.removed) == (
                names[i],
                0,
                0,
                0,
            )


def test_another_disk_at_the_same_path_takes_no_set(world, tmp_path):
    place = draw(tmp_path / "usb" / "photos", 30)
    first = world.extract(place)
    place.rename(tmp_path / "unplugged")
    draw(place, 30, seed=1, size=9)
    second = world.extract(place)
    assert (second.extracted, second.removed) == (30, 0) and second.features != first.features
    assert second.likely == Moved(first.features, str(place), 30, 0)
    assert world.extract(place, move=True).features == second.features
    shutil.rmtree(place)
    (tmp_path / "unplugged").rename(place)
    assert world.extract(place).features == first.features


def test_what_took_the_place_of_a_folder_has_its_set_on_request(world, tmp_path):
    first = world.extract(draw(tmp_path / "data"))
    shutil.rmtree(tmp_path / "data")
    (tmp_path / "in between").mkdir()
    draw(tmp_path / "data", seed=1, size=9)
    summary = world.extract(tmp_path / "data", move=True)
    assert (summary.features, summary.extracted, summary.removed, summary.moved_from) == (
        first.features,
        12,
        0,
        None,
    )


def test_photographs_that_were_moved_into_another_folder_take_their_set_along(world, tmp_path):
    first = world.extract(draw(tmp_path / "data"))
    (tmp_path / "data2").mkdir()
    (tmp_path / "data" / "train").rename(tmp_path / "data2" / "train")
    assert world.extract(tmp_path / "data2").features == first.features


def test_a_folder_that_another_one_replaced_is_told_from_it(world, tmp_path):
    old = world.extract(draw(tmp_path / "data", 20))
    copy_without_dates(tmp_path / "data", tmp_path / "next")
    draw(tmp_path / "next", 22)
    new = world.extract(tmp_path / "next")
    (tmp_path / "data").rename(tmp_path / "old")
    (tmp_path / "next").rename(tmp_path / "data")
    assert world.extract(tmp_path / "data").features == new.features
    assert world.extract(tmp_path / "old").features == old.features


def test_a_folder_whose_photographs_were_all_replaced_in_place_is_the_same(world, tmp_path):
    first = world.extract(draw(tmp_path / "data"))
    shutil.rmtree(tmp_path / "data" / "train")
    draw(tmp_path / "data", seed=1, size=9)
    again = world.extract(tmp_path / "data")
    assert (again.features, again.extracted, world.sets()) == (first.features, 12, ["data"])


def test_a_cache_that_was_copied_with_its_folder_keeps_set_and_models(world, tmp_path):
    first = world.extract(draw(tmp_path / "data"))
    world.put_model(first.features)
    shutil.copytree(tmp_path, tmp_path / "project", ignore=shutil.ignore_patterns("project"))
    world.cache = tmp_path / "project" / "cache"
    again = world.extract(tmp_path / "project" / "data")
    assert (again.features, again.extracted, again.copied) == (first.features, 0, 0)
    assert world.sets() == ["data"] and world.has_model(again.features)


@pytest.mark.parametrize("agreed", [False, True])
def test_the_user_is_asked_once_where_it_is_not_certain(world, tmp_path, agreed):
    first = world.extract(draw(tmp_path / "data"))
    moved = copy_without_dates(tmp_path / "data", tmp_path / "data2")
    shutil.rmtree(tmp_path / "data")
    (moved / "train" / "ants" / "1.png").unlink()
    asked = []
    summary = world.extract(moved, ask=lambda found: asked.append(found) or agreed)
    assert asked == [Moved(first.features, str(tmp_path / "data"), 12, 11)]
    assert (summary.features == first.features, summary.removed) == (agreed, int(agreed))
    assert (summary.extracted, summary.likely) == (0, None)
    assert world.extract(moved, ask=asked.append).features == summary.features and len(asked) == 1


def test_a_set_is_moved_on_request_also_after_another_was_begun(world, tmp_path):
    first = world.extract(draw(tmp_path / "data"))
    world.put_model(first.features)
    moved = copy_without_dates(tmp_path / "data", tmp_path / "data2")
    shutil.rmtree(tmp_path / "data")
    (moved / "train" / "ants" / "1.png").unlink()
    assert world.extract(moved).features != first.features
    for move in (True, False, True):
        assert world.extract(moved, move=move).features == first.features
    with pytest.raises(UsageError, match=r"^move has nothing to move"):
        world.extract(draw(tmp_path / "new", seed=1), move=True)


def test_a_set_has_the_name_that_was_asked_for_and_keeps_it(world, tmp_path):
    first = world.extract(draw(tmp_path / "data"), name="pets")
    world.put_model(first.features)
    assert (world.sets(), open_features(world.cache).meta.dataset) == (["pets"], "pets")
    assert world.extract(tmp_path / "data").features == first.features
    assert world.extract(tmp_path / "data", name=first.features).features == first.features
    renamed = world.extract(tmp_path / "data", name="animals")
    assert (world.sets(), renamed.reused, renamed.copied) == (["animals"], 12, 0)
    assert world.has_model(renamed.features)
    assert world.extract(tmp_path / "data").features == renamed.features


@pytest.mark.parametrize("name", ["pets", "PETS"])
def test_a_name_that_is_taken_is_refused_unless_the_set_is_to_be_moved(world, tmp_path, name):
    first = world.extract(draw(tmp_path / "data"), name="pets")
    other = copy_without_dates(tmp_path / "data", tmp_path / "other")
    with pytest.raises(UsageError, match=rf"^name '{name}' is taken by .*the features of {tmp_path}/data"):
        world.extract(other, name=name)
    assert world.sets() == ["pets"]
    assert world.extract(other, name=name, move=True).features == first.features


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("../x", "contains '/'"),
        ("a/b", "contains '/'"),
        ("a\\b", r"contains '\\\\'"),
        ("a\nb", r"contains '\\n'"),
        ("caf\udce9", "contains"),
        ("..", "begins with"),
        (".hidden", "begins with"),
        ("-x", "begins with"),
        ("x ", "begins with"),
        ("con", "is reserved"),
        ("LPT1.photos", "is reserved"),
        ("é" * 61, "has 122 bytes"),
    ],
)
def test_a_name_that_no_folder_can_have_everywhere_is_refused(name, why):
    with pytest.raises(UsageError, match=why) as caught:
        RunOptions(name=name)
    assert caught.value.parameter == "name"


@pytest.mark.parametrize("names", [("photos", "Photos"), ("STRASSE", "straße"), ("caf\u00e9", "cafe\u0301")])
def test_names_that_some_file_system_takes_for_one_make_two_sets(world, tmp_path, names):
    for i, name in enumerate(names):
        world.extract(draw(tmp_path / str(i) / name, seed=i, size=8 + i))
    assert world.sets() == sorted([names[0], f"{names[1]}-2"])


def test_a_damaged_or_locked_set_stops_no_other(world, tmp_path, caplog):
    first = world.extract(draw(tmp_path / "data"))
    second = world.extract(draw(tmp_path / "more", seed=1))
    part = next((world.cache / first.features).glob("part-*"))
    part.write_bytes(bytes(len(part.read_bytes())))
    both = copy_without_dates(tmp_path / "data", tmp_path / "both" / "data").parent
    copy_without_dates(tmp_path / "more", both / "more")
    lock = Lock(world.cache / second.features)
    with caplog.at_level(logging.WARNING):
        summary = world.extract(both)
    lock.release()
    assert (summary.extracted, summary.copied) == (12, 12)
    assert str(part) in caplog.text


@pytest.mark.parametrize("where", [0.1, 0.5, 0.9])
def test_a_damaged_row_is_computed_and_not_copied(world, tmp_path, where):
    first = world.extract(draw(tmp_path / "data", 40))
    part = next((world.cache / first.features).glob("part-*"))
    damaged = bytearray(part.read_bytes())
    damaged[int(len(damaged) * where)] ^= 1
    part.write_bytes(damaged)
    copy = world.extract(copy_without_dates(tmp_path / "data", tmp_path / "copy"))
    assert copy.extracted + copy.copied == 40 and copy.failed == 0


def test_a_set_without_meta_json_still_gives_its_rows(world, tmp_path):
    first = world.extract(draw(tmp_path / "data"))
    (world.cache / first.features / "meta.json").unlink()
    copy = world.extract(copy_without_dates(tmp_path / "data", tmp_path / "copy"))
    assert (copy.extracted, copy.copied) == (0, 12)


def test_rows_of_another_recipe_or_another_decoder_are_not_copied(world, tmp_path, monkeypatch):
    world.extract(draw(tmp_path / "data"))
    copy = copy_without_dates(tmp_path / "data", tmp_path / "copy")
    other = FeatureOptions(network=Network("tiny", size=64))
    assert world.extract(copy, other).extracted == 12
    monkeypatch.setitem(images.formats.DECODER_VERSIONS, "PNG", 99)
    assert world.extract(copy).extracted == 12


def test_what_is_known_opens_no_other_set(world, tmp_path, monkeypatch):
    for i in (0, 1):
        world.extract(draw(tmp_path / str(i) / "data", seed=i))
    monkeypatch.setattr("embed.cache.others.Part", None)
    assert world.extract(tmp_path / "0" / "data").reused == 12


def test_views_are_copied_too(world, tmp_path):
    features = FeatureOptions(network=Network("tiny"), views=3, dtype="float16")
    first = extract_features(draw(tmp_path / "data"), world.cache, features)
    extract_features(copy_without_dates(tmp_path / "data", tmp_path / "copy"), world.cache, features)
    one, two = open_features(world.cache, first.features), open_features(world.cache)
    assert one.folder != two.folder
    np.testing.assert_array_equal(one.X, two.X)
    np.testing.assert_array_equal(one.views, two.views)
    assert one.decoders.tolist() == two.decoders.tolist()


def test_a_set_that_is_being_written_is_not_moved(world, tmp_path):
    first = world.extract(draw(tmp_path / "data"))
    (tmp_path / "data").rename(tmp_path / "data2")
    lock = Lock(world.cache / first.features)
    with pytest.raises(CacheLockedError, match=first.features):
        world.extract(tmp_path / "data2")
    lock.release()
    assert world.extract(tmp_path / "data2").features == first.features


def test_the_command_line_tells_what_became_of_a_folder(world, tmp_path, capfd):
    def run(*arguments):
        code = main(["extract", *map(str, arguments), "--backbone", "tiny", "--cache", str(world.cache)])
        return code, *capfd.readouterr()

    draw(tmp_path / "data")
    assert run(tmp_path / "data")[0] == 0
    moved = (tmp_path / "data").rename(tmp_path / "data2")
    assert f"was {tmp_path}/data before" in run(moved)[2]
    part = shutil.copytree(moved, tmp_path / "data3")
    (part / "train" / "ants" / "1.png").unlink()
    shutil.rmtree(moved)
    code, out, err = run(part)
    assert code == 0 and "11 reused (11 from other sets)" in out
    assert "11 of its 12 photographs are here" in err and "--move" in err and "--as NAME" in err
    assert run(part, "--as", "../x")[::2] == (
        2,
        "embed: --as '../x' cannot name a feature set: it contains '/'; give another one\n",
    )
    code, out, _ = run(part, "--move", "--json")
    document = json.loads(out)
    assert (document["copied"], document["removed"], document["moved_from"]) == (0, 1, str(moved))


def test_a_folder_behind_an_error_is_not_taken_for_one_that_is_gone(world, tmp_path, monkeypatch):
    first = world.extract(draw(tmp_path / "disk" / "data"))
    copy = copy_without_dates(tmp_path / "disk" / "data", tmp_path / "copy")
    stat = os.stat

    def failing(path, *arguments, **options):
        if os.fsdecode(path).startswith(str(tmp_path / "disk")):
            raise PermissionError(13, "Permission denied", path)
        return stat(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", failing)
    summary = world.extract(copy)
    assert summary.features != first.features and summary.likely is not None


def test_the_user_is_asked_about_each_folder_that_is_gone(world, tmp_path):
    for name in ("b", "a"):
        world.extract(copy_without_dates(draw(tmp_path / "drawn"), tmp_path / name))
    moved = copy_without_dates(tmp_path / "a", tmp_path / "data")
    (moved / "train" / "ants" / "1.png").unlink()
    for name in ("a", "b"):
        shutil.rmtree(tmp_path / name)
    asked = []
    summary = world.extract(moved, ask=lambda found: asked.append(found.name) or found.name.startswith("b-"))
    assert len(asked) == 2 and summary.features.startswith("b-")
