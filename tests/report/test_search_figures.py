"""Pictures of what a search found."""

import io

import numpy as np
import pytest
from PIL import Image

from embed.report import search_figures
from embed.search import Layout, Matrix

LABELS = ["$x_$", "café\n", "a"]  # mathematics, what no font draws, and an ordinary one


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
    first, again = (search_figures.similarity_matrix(tmp_path, matrix) for _ in range(2))
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
    assert search_figures.shade_range(similarity) == pytest.approx(shades)


def test_a_matrix_of_one_photograph_can_be_shaded():
    assert search_figures.shade_range(np.ones((1, 1))) == (0, 1)


def test_the_map_is_drawn_with_any_labels_or_none():
    positions = np.random.default_rng(0).random((4, 2), np.float32)
    picture = search_figures.feature_map(Layout(list("abcd"), [*LABELS, None], positions, 0))
    assert Image.open(io.BytesIO(picture)).size[0] > 1000


def test_where_there_are_more_labels_than_colours_the_most_frequent_have_one():
    labels = [f"rare {i}" for i in range(30)] + ["often"] * 2 + [None] * 3
    chosen = search_figures.colours(labels)
    assert "often" in chosen and None not in chosen
    assert len(chosen) == len(set(chosen.values())) == search_figures.MOST_COLOURS
