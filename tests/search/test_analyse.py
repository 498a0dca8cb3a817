"""Duplicates, outliers, doubtful labels, the matrix and the map: what they find, and the pages about it."""

import csv
import json
import shutil
import sys

import numpy as np
import pytest
from cache_helpers import DIMENSION, open_writer, row_of
from PIL import Image, ImageOps
from search_helpers import put_all

from embed import demo
from embed.cache import open_features
from embed.errors import LabelError
from embed.learn import mislabelled
from embed.search import layout, outliers, similarity_matrix
from embed.search.pairs import near_pairs
from embed.search.vectors import normalised

LAYOUT = sys.modules[layout.__module__]


def put(writer, path, features, content=None):
    row = row_of(path)
    writer.put(path, content or row.sha256, row.size, row.mtime_ns, np.asarray(features, np.float32))


def unit(*values):
    return np.array([*values, *[0.0] * (DIMENSION - len(values))], np.float32)


@pytest.mark.parametrize("dimension", [24, 900])
def test_every_near_pair_is_found_and_no_other(dimension):
    generator = np.random.default_rng(0)
    centres = generator.random((300, dimension), np.float32)
    X = centres[generator.integers(0, 300, 5000)]
    X += np.float32(0.12) * generator.standard_normal(X.shape, np.float32)
    vectors = normalised(X)
    similarity = vectors.astype(float) @ vectors.T
    for threshold in (0.9, 0.95):
        truth = {tuple(pair) for pair in np.argwhere(np.triu(similarity >= threshold, 1)).tolist()}
        doubtful = np.argwhere(np.triu(np.abs(similarity - threshold) < 2e-6, 1)).tolist()
        found = {
            (i, j): s
            for some in near_pairs(vectors, threshold)
            for i, j, s in zip(*map(np.ndarray.tolist, some), strict=True)
        }
        assert set(found) ^ truth <= {tuple(pair) for pair in doubtful}
        for (i, j), s in list(found.items())[:1000]:
            assert s == pytest.approx(similarity[i, j], abs=2e-6)


def test_outliers_of_many_say_how_many_neighbours_are_found(tmp_path, monkeypatch):
    features, _ = classes(tmp_path)
    told = []
    outliers(features, notice=told.append)
    assert told == []
    monkeypatch.setattr("embed.search.index.EXACT_VALUES", 0)
    assert outliers(features, notice=told.append)[0].path == "class 0/far.jpg"
    assert len(told) == 1 and "through the index, which finds" in told[0]


def classes(tmp_path, wrong=0, per_class=40):
    """A set of three well separated classes, with some labels that are wrong."""
    generator = np.random.default_rng(0)
    centres = 3 * generator.random((3, DIMENSION), np.float32)
    mistakes = []
    with open_writer(tmp_path) as writer:
        for i in range(3 * per_class):
            label = i % 3
            given = (label + 1) % 3 if i < wrong else label
            path = f"class {given}/{i:03d}.jpg"
            if i < wrong:
                mistakes.append(path)
            put(writer, path, centres[label] + generator.random(DIMENSION, np.float32))
        put(writer, "class 0/far.jpg", [0] * (DIMENSION - 1) + [50])
    return open_features(tmp_path / "cache"), mistakes


def test_the_furthest_photograph_comes_first(tmp_path):
    features, _ = classes(tmp_path)
    found = outliers(features)
    assert found[0].path == "class 0/far.jpg" and found[0].label == "class 0"
    assert len(found) == len(features)
    assert [one.similarity for one in found] == sorted(one.similarity for one in found)


def test_wrong_labels_are_found_with_the_right_ones(tmp_path):
    features, mistakes = classes(tmp_path, wrong=8)
    doubts = [doubt for doubt in mislabelled(features) if doubt.path != "class 0/far.jpg"]
    assert sorted(doubt.path for doubt in doubts[:8]) == sorted(mistakes)
    for doubt in doubts[:8]:
        right = f"class {int(doubt.path[-7:-4]) % 3}"
        assert (doubt.label, doubt.suggested) == (doubt.path.split("/")[0], right)
        assert doubt.probability < doubt.suggested_probability
    assert mislabelled(features) == mislabelled(features)


def test_a_copy_does_not_vouch_for_the_label_of_its_original(tmp_path):
    generator = np.random.default_rng(0)
    with open_writer(tmp_path) as writer:
        for i in range(20):  # labels that say nothing: whoever has seen the copy knows them, nobody else does
            features = generator.standard_normal(DIMENSION)
            for copy in range(2):
                put(writer, f"class {i % 2}/{i}-{copy}.jpg", features, row_of(f"{i}").sha256)
    doubts = mislabelled(open_features(tmp_path / "cache"))
    assert len(doubts) >= 10


def test_labels_can_only_be_doubted_where_there_are_two(tmp_path):
    with open_writer(tmp_path) as writer:
        put(writer, "a.jpg", unit(1))
    with pytest.raises(LabelError, match="at least two labels"):
        mislabelled(open_features(tmp_path / "cache"))


def test_the_matrix_holds_the_cosines_of_a_few_of_each_class(tmp_path):
    features, _ = classes(tmp_path)
    matrix = similarity_matrix(features, per_class=5, seed=1)
    assert sorted(matrix.labels) == sorted(f"class {i // 5}" for i in range(15))
    X = normalised(features.rows([features.index_of(path) for path in matrix.paths]))
    np.testing.assert_allclose(matrix.similarity, X @ X.T, atol=1e-6)
    assert len({tuple(matrix.labels[i : i + 5]) for i in range(0, 15, 5)}) == 3  # classes stay together
    again = similarity_matrix(features, per_class=5, seed=1)
    assert again.paths == matrix.paths
    assert similarity_matrix(features, per_class=5, seed=2).paths != matrix.paths


def test_the_map_puts_alike_next_to_alike_and_repeats_itself(tmp_path):
    features, _ = classes(tmp_path)
    found = layout(features)
    assert found.positions.shape == (121, 2)
    assert found.positions.min() == pytest.approx(0, abs=1e-6) and found.positions.max() == pytest.approx(1)
    middle = (found.positions.min(axis=0) + found.positions.max(axis=0)) / 2
    assert middle.tolist() == pytest.approx([0.5, 0.5], abs=1e-6)
    apart = np.linalg.norm(found.positions[:, None] - found.positions[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = apart.argmin(axis=1)
    assert np.mean([found.labels[i] == found.labels[j] for i, j in enumerate(nearest)]) > 0.9
    np.testing.assert_array_equal(layout(features).positions, found.positions)
    some = layout(features, limit=50)
    assert len(some.paths) == 50 and some.left_out == 71
    assert set(some.labels) == set(found.labels)  # drawn from all over
    assert layout(features, limit=50, seed=1).paths != some.paths


@pytest.mark.parametrize("library", ["scikit-learn", "openTSNE"])
def test_a_map_of_many_photographs_has_all_of_them(library, tmp_path, monkeypatch):
    features, _ = classes(tmp_path, per_class=100)
    monkeypatch.setattr(LAYOUT, "DIRECT", 60)
    monkeypatch.setattr(LAYOUT, "STEPS", 300)
    if library == "openTSNE":
        pytest.importorskip("openTSNE")
    else:
        monkeypatch.setattr(LAYOUT, "find_spec", lambda name: None)
    told = []
    found = layout(features, progress=lambda *words: told.append(words))
    assert found.positions.shape == (301, 2) and found.left_out == 0
    assert found.method == (
        "t-SNE (openTSNE)" if library == "openTSNE" else "t-SNE of 60, the others beside them"
    )
    apart = np.linalg.norm(found.positions[:, None] - found.positions[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    assert np.mean([found.labels[i] == found.labels[j] for i, j in enumerate(apart.argmin(axis=1))]) > 0.9
    assert {what for what, _, _ in told} == {
        "Finding what tells the photographs apart",
        "Placing the photographs on the map",
    }
    assert len(told) > 3
    placed = [done for what, done, _ in told if what.startswith("Placing")]
    assert placed == sorted(placed)  # it never goes back
    np.testing.assert_array_equal(layout(features).positions, found.positions)
    assert not np.array_equal(layout(features, seed=1).positions, found.positions)


def test_photographs_that_are_all_the_same_have_a_map(tmp_path):
    features = put_all(tmp_path, np.ones((7, 8), np.float32))
    assert np.isfinite(layout(features).positions).all()


def test_of_many_classes_the_matrix_compares_the_means(tmp_path, monkeypatch):
    features, _ = classes(tmp_path)
    monkeypatch.setattr(sys.modules[similarity_matrix.__module__], "MOST_CLASSES", 2)
    matrix = similarity_matrix(features)
    assert matrix.means and sorted(matrix.labels) == ["class 0", "class 1", "class 2"]
    assert [path.split("/")[0] for path in matrix.paths] == matrix.labels
    means = [
        normalised(features.X[[path.startswith(f"{label}/") for path in features.paths]]).mean(axis=0)
        for label in matrix.labels
    ]
    means = normalised(np.stack(means))
    np.testing.assert_allclose(matrix.similarity, means @ means.T, atol=1e-6)


# ---- the commands


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A drawn data set with a flipped picture that leaks into the test split, and its features."""
    from embed.backbones import Network
    from embed.extract import FeatureOptions, extract_features

    folder = tmp_path_factory.mktemp("drawn")
    demo.draw(folder / "pictures", train=6, test=2)
    original = Image.open(folder / "pictures/train/boat/boat-000.jpg")
    original.save(folder / "pictures/test/boat/saved again.jpg", quality=88)
    ImageOps.mirror(original).save(folder / "pictures/test/boat/mirrored.jpg", quality=95)
    shutil.copy(folder / "pictures/train/fish/fish-000.jpg", folder / "pictures/train/fish/copy.jpg")
    extract_features(folder / "pictures", folder / "cache", FeatureOptions(network=Network("tiny")))
    return folder


def test_the_command_names_the_leaks(drawn, run_embed):
    rows = json.loads(
        run_embed(
            "duplicates", "--across-splits", "--threshold", "0.97", "--json", cwd=drawn, check=True
        ).stdout
    )
    assert [list(row) for row in rows] == [["group", "path", "similarity", "label", "split", "grade"]] * len(
        rows
    )
    groups = {row["group"] for row in rows if row["path"] == "test/boat/saved again.jpg"}
    assert "train/boat/boat-000.jpg" in {row["path"] for row in rows if row["group"] in groups}
    table = run_embed(
        "duplicates", "--grade", "identical", "--csv", "--html", "page.html", cwd=drawn, check=True
    ).stdout
    assert [row["path"] for row in csv.DictReader(table.splitlines())] == [
        "train/fish/copy.jpg",
        "train/fish/fish-000.jpg",
    ]
    assert (drawn / "page.html").read_text("utf-8").count('src="data:image/jpeg') == 2


def test_the_commands_of_suspicion_print_tables_and_pages(drawn, run_embed):
    far = json.loads(
        run_embed("outliers", "-n", "3", "--json", "--html", "far.html", cwd=drawn, check=True).stdout
    )
    assert [list(one) for one in far] == [["path", "similarity", "label"]] * 3
    assert (drawn / "far.html").read_text("utf-8").count('src="data:image/jpeg') == 3
    doubts = json.loads(
        run_embed("mislabelled", "--json", "--html", "doubts.html", cwd=drawn, check=True).stdout
    )
    for doubt in doubts:
        assert doubt["label"] != doubt["suggested"] and doubt["label"] in demo.DRAWINGS
    assert (drawn / "doubts.html").read_text("utf-8").count('src="data:image/jpeg') == len(doubts)


def test_the_pictures_are_drawn_and_say_where(drawn, run_embed):
    assert run_embed("matrix", "--per-class", "2", cwd=drawn, check=True).stdout == "matrix.png\n"
    assert run_embed("map", "--html", "map.html", cwd=drawn, check=True).stdout == "map.png\n"
    for name in ("matrix.png", "map.png"):
        picture = np.asarray(Image.open(drawn / name).convert("RGB"))
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
    page = (drawn / "map.html").read_text("utf-8")
    assert page.count("data:image/jpeg;base64") == 51 and "http:" not in page and "https:" not in page
