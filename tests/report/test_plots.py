"""Pictures of what a search found."""

import io
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embed.errors import UsageError
from embed.report import plots
from embed.search import Layout, Matrix

LABELS = ["$x_$", "café\n\udce9犬" + "w" * 200, "a"]  # mathematics, what no font draws, and an ordinary one


@pytest.fixture
def matrix(tmp_path):
    """Two photographs of each label, of which one is gone."""
    paths = [f"{i}.png" for i in range(6)]
    for path in paths[1:]:
        Image.new("RGB", (20, 30), (200, 30, 30)).save(tmp_path / path)
    similarity = np.full((6, 6), 0.41, np.float32)
    np.fill_diagonal(similarity, 1)
    return Matrix(paths, [label for label in LABELS for _ in range(2)], similarity)


def test_the_matrix_is_drawn_the_same_every_time_whatever_the_labels_and_photographs_are(matrix, tmp_path):
    first, again = (plots.matrix_picture(tmp_path, matrix) for _ in range(2))
    assert first == again
    drawn = np.asarray(Image.open(io.BytesIO(first)).convert("RGB")).reshape(-1, 3)
    red = (abs(drawn.astype(int) - (200, 30, 30)).max(axis=1) < 20).sum()
    assert red > 2 * 5 * 100  # the five that are there, along both sides


@pytest.mark.parametrize(
    ("others", "shades"), [([0.23, 0.61], (0.2, 0.7)), ([-0.31, 0.4], (-0.4, 0.4)), ([0.95, 1], (0.9, 1))]
)
def test_the_shades_of_the_matrix_are_for_different_photographs(others, shades):
    similarity = np.eye(3)
    similarity[np.triu_indices(3, 1)] = [*others, others[0]]
    similarity[np.tril_indices(3, -1)] = others[0]
    assert plots.shade_range(similarity) == pytest.approx(shades)


def test_a_matrix_of_one_photograph_can_be_shaded():
    assert plots.shade_range(np.ones((1, 1))) == (0, 1)


def test_the_map_is_drawn_with_any_labels_or_none():
    positions = np.random.default_rng(0).random((4, 2), np.float32)
    picture = plots.map_picture(Layout(list("abcd"), [*LABELS, None], positions, 0))
    assert Image.open(io.BytesIO(picture)).size[0] > 1000


def test_where_there_are_more_labels_than_colours_the_most_frequent_have_one():
    labels = [f"rare {i}" for i in range(30)] + ["often"] * 2 + [None] * 3
    chosen = plots.colours(labels)
    assert "often" in chosen and None not in chosen
    assert len(chosen) == len(set(chosen.values())) == plots.MOST_COLOURS


def test_a_picture_is_in_the_format_that_its_name_says(matrix, tmp_path):
    layout = Layout(list("abcd"), [*LABELS, None], np.random.default_rng(0).random((4, 2), np.float32), 0)
    starts = {"x.png": b"\x89PNG", "x.SVG": b"<?xml", "x.pdf": b"%PDF", "without an end": b"\x89PNG"}
    for name, start in starts.items():
        form = plots.format_of(Path(name))
        for draw in (
            lambda form=form: plots.matrix_picture(tmp_path, matrix, form),
            lambda form=form: plots.map_picture(layout, form),
        ):
            picture = draw()
            assert picture.startswith(start) and picture == draw()
            if form == "svg":
                ElementTree.fromstring(picture)


@pytest.mark.parametrize("name", ["map.bmp", "map.jpg", "folder.d/map.html"])
def test_a_picture_in_another_format_is_refused(name):
    with pytest.raises(UsageError, match=r"\.png, \.svg, \.pdf"):
        plots.format_of(Path(name))


def test_the_command_refuses_a_format_before_anything_else(run_embed):
    refused = run_embed("map", "--out", "map.bmp")
    assert refused.returncode == 2 and refused.stderr.startswith("embed: --out 'map.bmp' asks for")
