"""The feature cache: what is put in comes out, in order, bit by bit."""

import os

import numpy as np
import pytest
from cache_helpers import DIMENSION, fill, make_recipe, open_writer, row_of

from embed.cache import Failure, FeatureWriter, list_features, open_features
from embed.cache.fold import MOST_OPEN
from embed.errors import CacheLockedError, NoFeaturesError


def test_rows_come_back_bit_exact_in_path_order(tmp_path):
    names = [f"b/{i}.jpg" for i in range(700)] + [f"a/{i}.jpg" for i in range(700)]
    with open_writer(tmp_path, rows_per_part=300) as writer:
        fill(writer, names)
    cache = open_features(tmp_path / "cache")
    expected = sorted(names, key=os.fsencode)
    assert cache.paths.tolist() == expected
    assert np.array_equal(cache.X, [row_of(name).features for name in expected])
    assert [value.tobytes() for value in cache.sha256] == [row_of(name).sha256 for name in expected]
    assert cache.sizes.tolist() == [row_of(name).size for name in expected]
    assert cache.mtimes_ns.tolist() == [row_of(name).mtime_ns for name in expected]
    assert cache.X.dtype == np.float32
    assert len(cache) == 1400


def test_rows_and_blocks_agree_with_all_features(tmp_path):
    with open_writer(tmp_path, rows_per_part=300) as writer:
        fill(writer, [f"{i}.jpg" for i in range(1000)])
    cache = open_features(tmp_path / "cache")
    X = cache.X
    indices = np.random.default_rng(0).integers(-1000, 1000, 200)
    assert np.array_equal(cache.rows(indices), X[indices])
    assert np.array_equal(cache.rows([7, 7, 8, 10, 7]), X[[7, 7, 8, 10, 7]])
    assert np.array_equal(np.concatenate([block for _, block in cache.blocks(rows=77)]), X)
    assert [start for start, _ in cache.blocks(rows=400)] == [0, 400, 800]
    with pytest.raises(IndexError):
        cache.rows([1000])


def test_a_later_row_takes_the_place_of_an_earlier_one(tmp_path):
    with open_writer(tmp_path) as writer:
        fill(writer, ["a.jpg", "b.jpg"])
    with open_writer(tmp_path) as writer:
        fill(writer, ["a.jpg"], version=2)
    cache = open_features(tmp_path / "cache")
    assert cache.paths.tolist() == ["a.jpg", "b.jpg"]
    assert np.array_equal(cache.X, [row_of("a.jpg", 2).features, row_of("b.jpg").features])


def test_a_moved_file_keeps_its_features(tmp_path):
    with open_writer(tmp_path) as writer:
        fill(writer, ["old.jpg", "x.jpg"])
    with open_writer(tmp_path) as writer:
        writer.copy("new.jpg", 5, 6, writer.known.index_of("old.jpg"))
        writer.remove("old.jpg")
    cache = open_features(tmp_path / "cache")
    assert cache.paths.tolist() == ["new.jpg", "x.jpg"]
    assert np.array_equal(cache.X[0], row_of("old.jpg").features)
    assert cache.sha256[0].tobytes() == row_of("old.jpg").sha256
    assert (cache.sizes[0], cache.mtimes_ns[0]) == (5, 6)


def test_views_are_kept_beside_their_row(tmp_path):
    recipe = make_recipe(views=3)
    rng = np.random.default_rng(0)
    with open_writer(tmp_path, recipe=recipe, rows_per_part=4) as writer:
        views = rng.random((9, 2, DIMENSION), np.float32)
        for i in range(9):
            writer.put(f"{i}.jpg", bytes(32), 1, 1, views[i, 0], views[i])
    cache = open_features(tmp_path / "cache")
    assert np.array_equal(cache.views, views)
    assert np.array_equal(cache.view_rows([3]), views[[3]])


def test_float16_is_stored_and_float32_is_read(tmp_path):
    with open_writer(tmp_path, recipe=make_recipe(dtype="float16")) as writer:
        fill(writer, ["a.jpg"])
    X = open_features(tmp_path / "cache").X
    assert X.dtype == np.float32
    assert np.array_equal(X[0], row_of("a.jpg").features.astype(np.float16))


def test_an_empty_set_has_no_rows(tmp_path):
    with open_writer(tmp_path):
        pass
    cache = open_features(tmp_path / "cache")
    assert len(cache) == 0
    assert cache.X.shape == (0, DIMENSION)
    assert cache.sha256.shape == (0, 32)
    assert list(cache.blocks()) == []


def test_nothing_extracted_says_what_to_do(tmp_path):
    with pytest.raises(NoFeaturesError, match="run `embed extract` first"):
        open_features(tmp_path / "nowhere")
    with open_writer(tmp_path):
        pass
    with pytest.raises(NoFeaturesError, match="it holds: data--m-"):
        open_features(tmp_path / "cache", "other")


def test_the_set_extracted_last_is_the_default(tmp_path):
    first, second = make_recipe(size=1), make_recipe(size=2)
    for recipe in (first, second, first):
        with open_writer(tmp_path, recipe=recipe) as writer:
            fill(writer, ["a.jpg"])
    assert open_features(tmp_path / "cache").recipe == first
    assert [found.meta.recipe for found in list_features(tmp_path / "cache")] == [first, second]
    name = list_features(tmp_path / "cache")[1].name
    assert open_features(tmp_path / "cache", name).recipe == second


def test_failures_end_an_extraction(tmp_path):
    found = [Failure("b.jpg", "is no image", 3, 4), Failure("a.jpg", "vanished")]
    with open_writer(tmp_path) as writer:
        assert not writer.known.meta.complete
        writer.write_failures(found)
    cache = open_features(tmp_path / "cache")
    assert cache.failures() == [found[1], found[0]]
    assert cache.meta.complete


def test_a_second_writer_is_told_who_holds_the_lock(tmp_path):
    with (
        open_writer(tmp_path),
        pytest.raises(CacheLockedError, match=rf"process {os.getpid()} on {os.uname().nodename}"),
    ):
        open_writer(tmp_path)
    with open_writer(tmp_path) as writer:
        assert isinstance(writer, FeatureWriter)


def test_thousands_of_small_parts_are_folded(tmp_path):
    with open_writer(tmp_path, rows_per_part=1) as writer:
        fill(writer, [f"{i}.jpg" for i in range(120)])
        for i in range(0, 120, 2):
            writer.remove(f"{i}.jpg")
            writer.commit()
    cache = open_features(tmp_path / "cache")
    expected = sorted(f"{i}.jpg" for i in range(1, 120, 2))
    assert cache.paths.tolist() == expected
    assert np.array_equal(cache.X, [row_of(name).features for name in expected])
    assert len(cache.parts) <= MOST_OPEN + 1
    assert len(list(cache.folder.glob("part-*"))) == len(cache.parts)
