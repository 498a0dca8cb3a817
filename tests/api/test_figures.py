"""What a notebook shows: tables with their photographs, pictures and pages; each can be kept as a file."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import embed
from embed import demo


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    demo.draw(folder / "pictures", train=6, test=2)
    embed.extract_features(folder / "pictures", folder / "cache", backbone="tiny")
    features = embed.open(folder / "cache")
    features.fit("logistic")
    return features


def shown(figure):
    html = figure._repr_html_()
    assert "<script" not in html
    return html


TABLES = {
    "outliers": (lambda f: f.outliers(), ["path", "similarity", "label"]),
    "mislabelled": (
        lambda f: f.mislabelled(),
        ["path", "label", "suggested", "probability", "suggested_probability", "doubt", "probably_wrong"],
    ),
    "clusters": (lambda f: f.clusters(4), ["group", "path", "similarity", "label"]),
    "similar": (lambda f: f.similar(f.files[:2], k=3), ["query", "rank", "path", "similarity", "label"]),
    "map": (lambda f: f.map().table, ["path", "label", "x", "y"]),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_a_dataframe_that_shows_its_photographs(name, features):
    make, columns = TABLES[name]
    table = make(features)
    assert isinstance(table, pd.DataFrame) and table.columns.tolist() == columns and len(table) > 1
    assert set(table["path"]) <= set(features.paths)
    some = table.iloc[1:4]
    html = shown(some)
    assert html.count("data:image/jpeg;base64,") == len(some) and "of" not in html.split("</table>")[1]
    assert all(path in html for path in some["path"])
    if len(table) > 12:
        assert f"12 of {len(table)} rows" in shown(table)
    assert pd.DataFrame(table.drop(columns="path"))._repr_html_().count("<img") == 0


def test_a_table_says_how_many_labels_are_wrong_of_how_many(features):
    table = features.mislabelled()
    assert table.attrs["judged"] == len(features)
    assert table.attrs["wrong"] == table["probably_wrong"].sum()


def test_hostile_names_in_a_table_do_nothing(features):
    table = features.outliers().head(2)
    table["label"] = ["<script>alert(1)</script>", None]
    assert "&lt;script&gt;" in shown(table)


def test_the_map_is_a_picture_a_table_and_a_page(features, tmp_path):
    drawn = features.map(random_state=3)
    assert "data:image/png;base64," in shown(drawn) and "48 photographs by t-SNE" in repr(drawn)
    assert drawn.table.equals(features.map(random_state=3).table)
    starts = {
        "m.png": b"\x89PNG",
        "m.svg": b"<?xml",
        "m.pdf": b"%PDF",
        "m.html": b"<!doctype",
        "m.csv": b"path,",
    }
    for name, start in starts.items():
        assert drawn.save(tmp_path / name).read_bytes().startswith(start)
    with pytest.raises(embed.EmbedError, match="it may end in"):
        drawn.save(tmp_path / "m.bmp")


def test_the_matrix_is_a_table_and_a_picture(features, tmp_path):
    matrix = features.matrix(per_class=2)
    assert matrix.similarity.shape == (12, 12) and matrix.similarity.index.tolist() == [*matrix.similarity]
    assert len(matrix.labels) == 12 and not matrix.means
    assert "data:image/png;base64," in shown(matrix)
    assert matrix.save(tmp_path / "m.pdf").read_bytes().startswith(b"%PDF")


def test_the_report_is_a_page(features, tmp_path):
    page = features.report(maps=False)
    assert page.html.startswith("<!doctype html>") and "methods" in page.html
    assert '<iframe srcdoc="&lt;!doctype html' in shown(page)
    assert page.save(tmp_path / "r.html").read_text("utf-8") == page.html


def test_explanations_are_pictures(features, tmp_path):
    (tmp_path / "bad.jpg").write_text("no picture")
    found = features.explain([features.files[0], tmp_path / "bad.jpg"])
    assert len(found) == 2 and found[0].maps[0].exact and found[1].problem
    html = shown(found)
    assert html.count("data:image/png;base64,") == 1 and "is text, not an image" in html
    (file,) = found.save(tmp_path / "why")
    assert Image.open(io.BytesIO(file.read_bytes())).width > 100
    assert [one.label for one in found[0:1][0].maps] == [found[0].maps[0].label]


def test_nothing_of_it_is_imported_before_it_is_needed(run_embed):
    program = (
        "import sys, embed; embed.Features; print({'pandas', 'matplotlib', 'jinja2'} & sys.modules.keys())"
    )
    assert run_embed.python("-c", program, check=True).stdout == "set()\n"


def test_a_table_of_nothing_is_a_table(features):
    table = features.similar(features.files[0], threshold=1.0)
    assert len(table) == 0 and "<table>" in shown(table)
    assert table["similarity"].dtype == np.float64
