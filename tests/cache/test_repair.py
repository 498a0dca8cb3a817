"""Small files that are damaged or gone: named, made anew, and no concern of another set."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from cache_helpers import fill, make_recipe, open_writer, row_of

from embed import files
from embed.cache import (
    Failure,
    FeatureCache,
    find_features,
    list_features,
    open_features,
    sick_features,
    verify,
)
from embed.errors import CacheDamagedError

VERSION_1 = Path(__file__).parents[1] / "data" / "cache_version_1"
NAMES = [f"{i}.jpg" for i in range(10)]


@pytest.fixture
def data(tmp_path):
    """A data folder with the photographs that the rows are of."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in NAMES:
        with (folder / name).open("wb") as file:
            file.truncate(row_of(name).size)
    return folder


@pytest.fixture
def extracted(tmp_path, data):
    """The folder of a complete set."""
    with open_writer(tmp_path, rows_per_part=4, libraries={"numpy": "1"}) as writer:
        fill(writer, NAMES)
        writer.write_failures([Failure("notes.txt", "is no image", 1, 1)])
    return writer.folder


def flip(path, position):
    damaged = bytearray(path.read_bytes())
    damaged[position] ^= 1
    path.write_bytes(damaged)


def lose_meta(path, how):
    if how == "missing":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    else:
        flip(path, path.read_text().index(how))


@pytest.mark.parametrize(
    "how", ["missing", "empty", '"dataset"', "data", '"size"', '"complete"', '"checksum"']
)
def test_a_meta_json_that_is_damaged_or_gone_is_named_and_made_anew_from_the_parts(tmp_path, extracted, how):
    before = open_features(tmp_path / "cache")
    (extracted / "model").mkdir()
    lose_meta(extracted / "meta.json", how)
    for use in (
        lambda: open_features(tmp_path / "cache"),
        lambda: find_features(tmp_path / "cache", extracted.name),
    ):
        with pytest.raises(CacheDamagedError, match=r"meta\.json is (damaged|missing).*run embed extract"):
            use()
    assert list_features(tmp_path / "cache") == []
    assert list(sick_features(tmp_path / "cache")) == [extracted.name]
    with open_writer(tmp_path, libraries={"numpy": "1"}) as writer:
        assert writer.folder == extracted
        assert writer.known.paths.tolist() == NAMES
        assert set(before.mtimes_ns) == set(writer.known.mtimes_ns)
        assert [str(extracted / "meta.json") in sentence for sentence in writer.damaged.values()] == [True]
        writer.write_failures(writer.failures)
    after = open_features(tmp_path / "cache")
    assert (after.parts, after.meta.recipe, after.meta.rows) == (before.parts, before.meta.recipe, 10)
    assert after.meta.root == before.meta.root and np.array_equal(after.X, before.X)
    assert (verify(find_features(tmp_path / "cache")).damaged, sick_features(tmp_path / "cache")) == ({}, {})


def test_a_sick_set_stops_no_other_and_is_told(tmp_path, extracted, caplog):
    other = make_recipe(size=64)
    with open_writer(tmp_path, recipe=other) as writer:
        fill(writer, NAMES)
    flip(extracted / "meta.json", 60)
    with caplog.at_level(logging.WARNING):
        assert find_features(tmp_path / "cache").folder == writer.folder
        assert f"{extracted / 'meta.json'} is damaged" in caplog.text
    assert [found.folder for found in list_features(tmp_path / "cache")] == [writer.folder]
    with open_writer(tmp_path, recipe=other) as again:
        assert len(again.known) == len(NAMES) and again.damaged == {}
    with open_writer(tmp_path, recipe=make_recipe(size=96)) as new:
        fill(new, NAMES)
    assert len(list_features(tmp_path / "cache")) == 2


def test_a_set_whose_parts_cannot_be_read_stops_no_data_folder_of_the_same_name(
    tmp_path, extracted, data, caplog
):
    (extracted / "part-of-something-else").touch()
    data.rename(tmp_path / "gone")
    (tmp_path / "2" / "data").mkdir(parents=True)
    with open_writer(tmp_path, root=tmp_path / "2" / "data") as writer:
        assert writer.folder != extracted
    assert "part-of-something-else" in caplog.text


def test_a_set_that_lost_its_meta_json_is_not_taken_by_another_data_folder(tmp_path, extracted):
    (extracted / "meta.json").unlink()
    (tmp_path / "2" / "data").mkdir(parents=True)
    with open_writer(tmp_path, root=tmp_path / "2" / "data") as writer:
        assert writer.folder != extracted and len(writer.known) == 0


def test_a_meta_json_is_made_anew_from_parts_of_version_1(tmp_path):
    shutil.copytree(VERSION_1, tmp_path / "cache", copy_function=shutil.copy)
    known = open_features(tmp_path / "cache")
    for path, size in zip(known.paths, known.sizes, strict=True):
        (tmp_path / "pets" / path).parent.mkdir(parents=True, exist_ok=True)
        with (tmp_path / "pets" / path).open("wb") as file:
            file.truncate(int(size))
    (known.folder / "meta.json").unlink()
    with open_writer(tmp_path, known.recipe, root=tmp_path / "pets", dataset="pets") as writer:
        assert (writer.folder, len(writer.known)) == (known.folder, 3)


@pytest.mark.parametrize("left", [0, 1])
def test_parts_that_are_gone_with_the_manifest_are_missed(tmp_path, extracted, left):
    (found,) = list_features(tmp_path / "cache")
    for part in [*sorted(extracted.glob("part-*"))[left:], extracted / "parts.txt"]:
        part.unlink()
    with pytest.raises(CacheDamagedError, match=r"meta\.json: 10 rows were written and \d are there"):
        open_features(tmp_path / "cache")
    assert list(verify(found).damaged) == ["meta.json"]
    for _attempt in range(2):  # also by the run after one that was killed
        writer = open_writer(tmp_path)
        assert list(writer.damaged) == ["meta.json"]
        assert not set(writer.known.mtimes_ns) & {row_of(name).mtime_ns for name in NAMES}
        writer.close()
    with open_writer(tmp_path) as writer:
        fill(writer, NAMES)
        writer.write_failures([])
    assert open_features(tmp_path / "cache").paths.tolist() == NAMES
    assert verify(find_features(tmp_path / "cache")).damaged == {}


def test_a_writer_that_has_begun_meanwhile_is_no_loss(tmp_path, extracted):
    (found,) = list_features(tmp_path / "cache")
    with open_writer(tmp_path) as writer:
        fill(writer, ["new.jpg"])
        writer.commit()
        assert len(FeatureCache.open(found)) == 11
        assert verify(found).damaged == {}


def test_a_damaged_failures_csv_is_named_and_its_files_are_tried_again(tmp_path, extracted):
    flip(extracted / "failures.csv", -3)
    assert list(verify(find_features(tmp_path / "cache")).damaged) == ["failures.csv"]
    with open_writer(tmp_path) as writer:
        assert writer.failures == [] and list(writer.damaged) == ["failures.csv"]
        writer.write_failures([])
    assert verify(find_features(tmp_path / "cache")).damaged == {}


def test_documents_that_others_keep_in_a_set_are_verified_too(tmp_path, extracted):
    (extracted / "models" / "m").mkdir(parents=True)
    files.write_document(extracted / "models" / "m", "model.json", {"classes": ["a"], "format_version": 2})
    (found,) = list_features(tmp_path / "cache")
    assert verify(found).damaged == {}
    flip(extracted / "models" / "m" / "model.json", 18)
    assert list(verify(found, quick=True).damaged) == ["models/m/model.json"]


def test_activations_of_a_middle_layer_are_no_set_of_their_own(tmp_path, extracted):
    with open_writer(tmp_path / "elsewhere", recipe=make_recipe(layer="middle")) as writer:
        fill(writer, NAMES)
    (extracted / "tune").mkdir()
    inner = writer.folder.rename(extracted / "tune" / writer.folder.name)
    assert [found.folder for found in list_features(tmp_path / "cache")] == [extracted]
    with open_writer(tmp_path) as writer:
        assert writer.known.paths.tolist() == NAMES
    (found,) = list_features(tmp_path / "cache")
    assert verify(found).damaged == {}
    flip(inner / "meta.json", 40)
    assert list(verify(found).damaged) == [f"tune/{inner.name}/meta.json"]
