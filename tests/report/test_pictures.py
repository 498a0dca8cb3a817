"""Photographs on a page: inside it, within its budget."""

import numpy as np
from PIL import Image

from embed.report.pictures import Pictures


def drawn(folder, count):
    noise = np.random.default_rng(0)
    files = [folder / f"{i}.jpg" for i in range(count)]
    for file in files:
        Image.fromarray(noise.integers(0, 255, (60, 80, 3), np.uint8)).save(file)
    return files


def test_a_page_stays_within_its_budget(tmp_path):
    files = drawn(tmp_path, 8)
    pictures = Pictures(64, most_bytes=10_000)
    shown = [pictures.get(file) for file in files]
    assert pictures.used == sum(len(one.source) for one in shown) <= 10_000
    assert 0 < pictures.left_out < 8
    assert [one.problem for one in shown].count("left out: the page would be too large") == pictures.left_out


def test_a_photograph_that_cannot_be_read_says_why(tmp_path):
    (tmp_path / "bad.jpg").write_text("no picture")
    pictures = Pictures(64)
    for name in ("bad.jpg", "gone.jpg"):
        one = pictures.get(tmp_path / name)
        assert one.problem and not one.source and not one.heat


def test_maps_lie_over_a_photograph_in_its_shape(tmp_path):
    (file,) = drawn(tmp_path, 1)
    one = Pictures(64).get(file, heat=[("predicted", np.eye(2)), ("true", -np.eye(2))])
    assert one.source.startswith("data:image/jpeg;base64,")
    assert [style for style, _ in one.heat] == ["predicted", "true"]
    assert all(source.startswith("data:image/png;base64,") for _, source in one.heat)
