"""Exported files hold the same rows as the cache, read by the programs that they are for."""

import csv
import json
import os

import h5py
import numpy as np
import pandas as pd
import pytest
from cache_helpers import DIMENSION, fill, open_writer

from embed.api import export
from embed.api.features import Features
from embed.cache import open_features
from embed.errors import InputError, UsageError
from embed.files import unescape

ODD = os.fsdecode(b"train/bees/b\xff\t.jpg")  # no UTF-8, and a tab
FORMULA = "=cmd|' /C calc'!A0.jpg"
PATHS = [f'train/ants/{i}, "é".jpg' for i in range(10)] + [ODD, "valid/bees/1.jpg", FORMULA]


@pytest.fixture
def features(tmp_path):
    with open_writer(tmp_path) as writer:
        fill(writer, PATHS)
        writer.commit()
        writer.write_failures([])  # the extraction has come to its end
    return Features(open_features(tmp_path / "cache"))


def read_csv(file):
    with file.open(encoding="utf-8", newline="") as stream:
        return [{name: unescape(cell) for name, cell in row.items()} for row in csv.DictReader(stream)]


def assert_same_photographs(rows, features):
    assert [row["path"] for row in rows] == features.paths.tolist()
    assert [row["label"] or None for row in rows] == features.y.tolist()
    assert [row["split"] or None for row in rows] == features.splits.tolist()
    assert [bytes.fromhex(row["sha256"]) for row in rows] == [one.tobytes() for one in features.sha256]


def test_npy_with_its_table(features, tmp_path):
    matrix, table = features.export(tmp_path / "new" / "x.npy")
    np.testing.assert_array_equal(np.load(matrix), features.X)
    assert np.load(matrix, mmap_mode="r").dtype == np.float32
    assert_same_photographs(read_csv(table), features)


@pytest.mark.parametrize("name", ["x.npy", "x.csv"])
def test_no_spreadsheet_evaluates_the_name_of_a_file(features, tmp_path, name):
    table = features.export(tmp_path / name)[-1]
    cells = [line.split(",")[0] for line in table.read_text("utf-8").splitlines()]
    assert not [cell for cell in cells if cell.lstrip('" ').startswith(("=", "+", "-", "@"))]
    assert FORMULA in [row["path"] for row in read_csv(table)]


def test_a_table_beside_the_matrix_is_replaced_only_where_an_export_left_it(features, tmp_path):
    table = tmp_path / "x.csv"
    table.write_text("my notes\n")
    with pytest.raises(UsageError, match=r"overwrite is needed to replace .*x\.csv"):
        features.export(tmp_path / "x.npy")
    assert table.read_text() == "my notes\n"
    assert not (tmp_path / "x.npy").exists()
    features.export(tmp_path / "x.npy", overwrite=True)
    features.export(tmp_path / "x.npy")  # both are its own
    table.write_text(table.read_text().replace("ants", "wasps"))
    with pytest.raises(UsageError, match="not as an export left it"):
        features.export(tmp_path / "x.npy")
    assert "wasps" in table.read_text()


def test_a_folder_of_another_program_is_left_alone(features, tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "projector_config.pbtxt").write_text("embeddings {}\n")
    with pytest.raises(UsageError, match=r"overwrite is needed to replace .*projector_config"):
        features.export(tmp_path / "logs", "projector")
    assert [file.name for file in (tmp_path / "logs").iterdir()] == ["projector_config.pbtxt"]


def test_csv_holds_the_very_numbers(features, tmp_path):
    (file,) = features.export(tmp_path / "x.csv")
    rows = read_csv(file)
    assert_same_photographs(rows, features)
    X = np.array([[row[f"f{i}"] for i in range(DIMENSION)] for row in rows], np.float32)
    np.testing.assert_array_equal(X, features.X)


def test_parquet_as_pandas_reads_it(features, tmp_path):
    pytest.importorskip("pyarrow")
    (file,) = features.export(tmp_path / "x.parquet")
    table = pd.read_parquet(file)
    np.testing.assert_array_equal(np.stack(table["features"]), features.X)
    visible = [path.replace("\udcff", "\\xff") for path in features.paths]
    assert table["path"].tolist() == visible
    assert [None if pd.isna(label) else label for label in table["label"]] == features.y.tolist()
    assert pd.isna(table["split"].iloc[0])  # of the one in no folder


def test_hdf5_as_h5py_reads_it(features, tmp_path):
    (file,) = features.export(tmp_path / "x.h5")
    with h5py.File(file) as merged:
        np.testing.assert_array_equal(merged["X"][:], features.X)
        assert [os.fsdecode(path) for path in merged["paths"][:]] == features.paths.tolist()
        assert [label.decode() or None for label in merged["labels"][:]] == features.y.tolist()
        np.testing.assert_array_equal(merged["sha256"][:], features.sha256)
        assert merged.attrs["recipe_backbone"] == features.recipe.backbone


def test_projector_as_tensorboard_reads_it(features, tmp_path):
    tensors, metadata, config = features.export(tmp_path / "projector", "projector")
    np.testing.assert_array_equal(np.fromfile(tensors, "<f4").reshape(-1, DIMENSION), features.X)
    lines = metadata.read_bytes().decode("utf-8", "surrogateescape").split("\n")
    assert lines[0].split("\t") == ["label", "split", "path"]
    assert len(lines) == 1 + len(features) + 1
    assert all(line.count("\t") == 2 for line in lines[:-1])
    text = config.read_text()
    assert f"tensor_shape: {len(features)}\n  tensor_shape: {DIMENSION}\n" in text
    assert 'tensor_path: "tensors.bytes"' in text


def test_a_selection_exports_its_rows_alone(features, tmp_path):
    chosen = features.select(label="bees")
    matrix, table = chosen.export(tmp_path / "bees.npy")
    np.testing.assert_array_equal(np.load(matrix), chosen.X)
    assert_same_photographs(read_csv(table), chosen)


def test_no_more_than_a_block_is_read_at_a_time(features, tmp_path, monkeypatch):
    asked = []
    rows = features.cache.rows
    monkeypatch.setattr(features.cache, "rows", lambda wanted: asked.append(len(wanted)) or rows(wanted))
    monkeypatch.setattr(
        "embed.api.photographs.Photographs.X", property(lambda _: pytest.fail("read the whole matrix"))
    )
    monkeypatch.setattr("embed.api.photographs.Photographs.blocks", small_blocks(features.blocks))
    for format in export.FORMATS:
        features.export(tmp_path / format, format)
    assert asked
    assert max(asked) == 4


def small_blocks(blocks):
    return lambda self, rows=4: blocks(4)


@pytest.mark.parametrize("format", export.FORMATS)
def test_a_failed_export_leaves_the_former_file_and_nothing_else(features, tmp_path, monkeypatch, format):
    folder = tmp_path / "out"
    files = features.export(folder / "x", format)
    before = {file: file.read_bytes() for file in files}

    def fail(self, rows=4096):
        yield 0, features.cache.rows([0])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("embed.api.photographs.Photographs.blocks", fail)
    with pytest.raises(InputError, match="No space left on device"):
        features.export(folder / "x", format)
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_a_name_that_says_no_format_is_refused(features, tmp_path):
    with pytest.raises(UsageError, match=r"^format is one of .* does not say which"):
        features.export(tmp_path / "features")
    with pytest.raises(UsageError, match="format 'xlsx' is not known"):
        features.export(tmp_path / "features.xlsx", "xlsx")


def test_without_pyarrow_the_message_says_what_to_install(features, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'embed-images\[parquet\]'"):
        features.export(tmp_path / "x.parquet")
    assert not (tmp_path / "x.parquet").exists()


def test_the_command_writes_what_was_selected(features, tmp_path, run_embed):
    result = run_embed("export", "bees.h5", "--label", "bees", "--split", "train", "--json", check=True)
    document = json.loads(result.stdout)
    assert document == {"features": features.name, "rows": 1, "dimension": DIMENSION, "files": ["bees.h5"]}
    with h5py.File(tmp_path / "bees.h5") as merged:
        assert [os.fsdecode(path) for path in merged["paths"][:]] == [ODD]


def test_the_command_says_what_is_wrong_in_one_line(features, run_embed):
    result = run_embed("export", "features")
    assert result.returncode == 2
    assert result.stderr.startswith("embed: --format is one of npy, ") and result.stderr.count("\n") == 1
    assert run_embed("export", "x.npy", "--label", "cats").returncode == 1
