"""The map as a file."""

import csv
import io
import os

import numpy as np
import pytest

from embed.errors import UsageError
from embed.files import unescape
from embed.report import MAP_FORMATS, format_of, map_file
from embed.search import Layout

PATHS = ["a/1.jpg", "=cmd.jpg", os.fsdecode(b"caf\xe9.jpg")]


@pytest.fixture
def layout():
    return Layout(PATHS, ["a", None, "b"], np.array([[0, 0.5], [1, 0.25], [0.125, 1]], np.float32))


def test_where_photographs_lie_can_be_had_as_a_table(layout):
    text = map_file(layout, "csv").decode("utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [unescape(row["path"]) for row in rows] == PATHS and [row["label"] for row in rows] == [
        "a",
        "",
        "b",
    ]
    assert [(float(row["x"]), float(row["y"])) for row in rows] == [(0, 0.5), (1, 0.25), (0.125, 1)]


def test_and_as_parquet(layout):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(io.BytesIO(map_file(layout, "parquet"))).to_pydict()
    assert table["path"] == ["a/1.jpg", "=cmd.jpg", "caf\\xe9.jpg"] and table["label"] == ["a", None, "b"]
    assert table["x"] == [0, 1, 0.125] and table["y"] == [0.5, 0.25, 1]


def test_the_command_writes_several_at_once_and_refuses_what_it_cannot(run_embed, tmp_path):
    from pathlib import Path

    from embed import demo

    assert format_of(Path("x.parquet"), MAP_FORMATS) == "parquet"
    with pytest.raises(UsageError, match=r"\.csv, \.parquet"):
        format_of(Path("x.bmp"), MAP_FORMATS)
    demo.draw(tmp_path / "pictures", train=2, test=0)
    run_embed("extract", "pictures", "--backbone", "tiny", check=True)
    done = run_embed("map", "--out", "m.svg", "--out", "m.csv", "-n", "10", check=True)
    assert done.stdout == "m.svg\nm.csv\n" and "2 more photographs are not on the map" in done.stderr
    assert (tmp_path / "m.svg").read_bytes().startswith(b"<?xml")
    assert len((tmp_path / "m.csv").read_text().splitlines()) == 11
