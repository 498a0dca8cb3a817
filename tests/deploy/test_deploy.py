"""A classifier in one file: what it answers where embed is not, and when none is written."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino
import pytest
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

import embed
from embed import demo
from embed.cli import deploy as command
from embed.deploy import parity, work
from embed.errors import InputError, ModelError, UsageError

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "deploy.md").read_text("utf-8")
SIZE = 48


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory):
    """A folder of its own for all of them, with pictures."""
    folder = tmp_path_factory.mktemp("deploy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBED_HOME", str(folder / "home"))
        demo.draw(folder / "pictures", train=8, test=3)
        yield folder


@pytest.fixture(scope="module")
def of_onnx(place):
    """Features by `tiny`, whose network is an ONNX file."""
    embed.extract_features(place / "pictures", cache=place / "tiny", backbone="tiny", size=64)
    features = embed.open(place / "tiny")
    features.fit("logistic")
    return features


@pytest.fixture(scope="module")
def of_keras(place):
    """Features by a small network of Keras."""
    import keras  # takes seconds, and not every test needs it

    keras.utils.set_random_seed(0)
    pixels = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Conv2D(24, 8, strides=4, activation="relu", name="map")(pixels)
    keras.Model(pixels, x).save(place / "net.keras")
    options = {"preprocess": "caffe", "pooling": "grid", "mirror": True}
    embed.extract_features(
        place / "pictures", cache=place / "keras", backbone=str(place / "net.keras"), **options
    )
    features = embed.open(place / "keras")
    features.fit("logistic")
    return features


def pictures(features):
    """Photographs that the model was judged on: their files, their pixels, their probabilities."""
    paths = features.model().evaluation().paths[:4]
    rows = [features.cache.index_of(path) for path in paths]
    files = [features.cache.root / path for path in paths]
    return files, features.model().predict_proba(features.cache.rows(rows))


def elsewhere(code, folder):
    """Run a program where embed cannot be imported."""
    blocked = "import sys; sys.modules['embed'] = None\n"
    done = subprocess.run(
        [sys.executable, "-I", "-c", blocked + code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def lines_of_the_guide(number):
    return re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)[number]


def check_guide(features, folder, number, name):
    """Whether the lines in the guide name the class, and its probability, that embed names."""
    done = embed.export_model(features, folder / name)
    assert done.files[0] == folder / name and done.parity.same_class == done.parity.photographs == 18
    files, expected = pictures(features)
    for file, row in zip(files, expected, strict=True):
        Image.open(file).save(folder / "photo.jpg", quality=100, subsampling=0)
        label, probability = elsewhere(lines_of_the_guide(number), folder)
        assert label == features.model().classes[row.argmax()]
        assert float(probability) == pytest.approx(row.max(), abs=0.05)


def test_the_lines_for_onnx_runtime_name_what_embed_names(of_onnx, tmp_path):
    check_guide(of_onnx, tmp_path, 0, "classifier.onnx")


def test_the_lines_for_litert_name_what_embed_names(of_keras, tmp_path):
    check_guide(of_keras, tmp_path, 1, "classifier.tflite")
    labels = subprocess.run(
        ["unzip", "-p", "classifier.tflite", "labels.txt"], cwd=tmp_path, capture_output=True, check=False
    )
    assert labels.stdout.decode().split() == of_keras.model().classes


@pytest.fixture
def lenient(monkeypatch):
    """Of these networks, in which little lies between the classes, a file is kept that differs more."""
    monkeypatch.setattr(parity, "LEAST_ALIKE", 0.5)


def test_eight_bits_make_it_smaller_and_its_accuracy_is_told(of_onnx, place, tmp_path, lenient, capsys):
    command.export_model(tmp_path / "c.onnx", "logistic", int8=True, cache=place / "tiny", as_json=True)
    told = capsys.readouterr()
    document = json.loads(told.out)
    found = document["parity"]
    assert document["precision"] == "int8" and found["largest_difference"] > 0.01
    assert f"{found['accuracy_of_embed']:.3f} by embed, {found['accuracy']:.3f} by the file" in told.err
    whole = embed.export_model(of_onnx, tmp_path / "whole.onnx", "logistic")
    assert whole.document["precision"] == "float32"
    assert (tmp_path / "c.onnx").stat().st_size < 0.6 * (tmp_path / "whole.onnx").stat().st_size


def test_eight_bits_for_telephones(of_keras, tmp_path, lenient):
    done = embed.export_model(of_keras, tmp_path / "c.tflite", int8=True)
    assert 0.001 < done.parity.largest_difference < 0.2
    file = Interpreter(str(tmp_path / "c.tflite"))
    assert {np.int8, np.int32} < {tensor["dtype"] for tensor in file.get_tensor_details()}


def test_eight_bits_that_answer_otherwise_are_not_kept(of_keras, tmp_path, monkeypatch):
    monkeypatch.setattr(work, "run", lambda suffix, file, pixels, folder: np.eye(6)[np.zeros(18, int)])
    with pytest.raises(ModelError, match=r"in eight bits .* names only \d+ of 18 photographs like embed"):
        embed.export_model(of_keras, tmp_path / "c.tflite", int8=True)
    assert list(tmp_path.iterdir()) == []


def test_eight_bits_that_give_no_numbers_are_not_kept(of_keras, tmp_path, monkeypatch, lenient):
    right = work.run

    def run(*arguments):
        found = right(*arguments)
        found[-1, 0] = np.nan
        return found

    monkeypatch.setattr(work, "run", run)
    with pytest.raises(ModelError, match="is not kept"):
        embed.export_model(of_keras, tmp_path / "c.tflite", int8=True)


RUNS = {
    "c.onnx": "import onnxruntime as o; y = o.InferenceSession('c.onnx').run(None, {'pixels': x})[0]",
    "c.keras": "import keras; y = keras.saving.load_model('c.keras', compile=False).predict(x, verbose=0)",
    "c": "import tensorflow as t; y = t.saved_model.load('c').signatures['serving_default'](pixels=x)['probabilities']",
}


@pytest.mark.parametrize("name", RUNS)
def test_a_network_of_keras_answers_the_same_in_every_format(of_keras, tmp_path, name):
    done = embed.export_model(of_keras, tmp_path / name)
    assert done.parity.largest_difference < 1e-4
    assert [file.name for file in tmp_path.iterdir()] == [name]
    files, expected = pictures(of_keras)
    pixels = [np.asarray(Image.open(file).convert("RGB").resize((SIZE, SIZE), 2)) for file in files]
    np.save(tmp_path / "x.npy", np.stack(pixels))
    elsewhere(f"import numpy as n; x = n.load('x.npy'); {RUNS[name]}; n.save('y.npy', y)", tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, atol=0.02)


def test_openvino_keeps_what_the_file_says_about_itself(of_onnx, tmp_path):
    done = embed.export_model(of_onnx, tmp_path / "c.xml", "logistic")
    assert [file.name for file in done.files] == ["c.xml", "c.bin"]
    said = openvino.Core().read_model(tmp_path / "c.xml").get_rt_info(["embed", "classifier"]).astype(str)
    document = json.loads(said)
    assert document == done.document
    assert document["classes"] == of_onnx.model().classes and document["parity"]["photographs"] == 18
    assert document["recipe"]["backbone"] == "tiny" and document["threshold"] is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("c.tflite", r"to cannot be a file of LiteRT: tiny is a network in an ONNX file.*\.onnx"),
        ("c.keras", "to cannot be a file of Keras: tiny is a network"),
        ("c.pt", r"to '.*c\.pt' does not say which format: its name ends in \.onnx"),
    ],
)
def test_what_there_is_not_is_told_before_anything_is_done(of_onnx, tmp_path, name, said):
    with pytest.raises(UsageError, match=said):
        embed.export_model(of_onnx, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_eight_bits_are_refused_where_they_are_not(of_onnx, tmp_path):
    with pytest.raises(UsageError, match=r"int8 is not there for OpenVINO; \.onnx and \.tflite can"):
        embed.export_model(of_onnx, tmp_path / "c.xml", int8=True)


def test_a_head_that_no_format_has_is_told(of_onnx, tmp_path):
    of_onnx.fit("knn", name="neighbours")
    with pytest.raises(UsageError, match="'knn' cannot be written"):
        embed.export_model(of_onnx, tmp_path / "c.onnx", "neighbours")


@pytest.mark.parametrize("wrong", [0.02, np.nan])
def test_a_file_that_answers_otherwise_is_not_kept(of_onnx, tmp_path, monkeypatch, wrong):
    right = work.run

    def run(*arguments):
        found = right(*arguments)
        found[-1, 0] += wrong
        return found

    monkeypatch.setattr(work, "run", run)
    (tmp_path / "c.onnx").write_bytes(b"the former one")
    with pytest.raises(ModelError, match=r"differ by up to .* and is not kept"):
        embed.export_model(of_onnx, tmp_path / "c.onnx", "logistic")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"the former one"]


def test_nothing_that_was_not_named_is_replaced(of_onnx, tmp_path):
    (tmp_path / "c.bin").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"would have its weights in .*c\.bin"):
        embed.export_model(of_onnx, tmp_path / "c.xml", "logistic")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        embed.export_model(of_onnx, tmp_path / "folder.onnx", "logistic")


def test_a_folder_with_something_in_it_is_not_replaced(of_keras, tmp_path):
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "mine").touch()
    with pytest.raises(UsageError, match="is there already; remove it, or name another folder"):
        embed.export_model(of_keras, tmp_path / "saved")
    assert [file.name for file in (tmp_path / "saved").iterdir()] == ["mine"]


def test_photographs_that_are_gone_or_others_cannot_be_compared_by(of_onnx, place, tmp_path):
    aside = place / "aside"
    (place / "pictures").rename(aside)
    try:
        with pytest.raises(InputError, match="none of the photographs that logistic was judged on"):
            embed.export_model(of_onnx, tmp_path / "c.onnx", "logistic")
        shutil.copytree(aside, place / "pictures")
        for file in (place / "pictures").rglob("*.jpg"):
            Image.new("RGB", (64, 64)).save(file)
        with pytest.raises(InputError, match="is as it was below"):
            embed.export_model(of_onnx, tmp_path / "c.onnx", "logistic")
    finally:
        shutil.rmtree(place / "pictures", ignore_errors=True)
        aside.rename(place / "pictures")


def test_features_are_still_exported_by_the_shorter_command(of_onnx, place, tmp_path, run_embed):
    done = run_embed("export", "features.npy", "--cache", place / "tiny", check=True)
    assert done.stdout.split() == ["features.npy", "features.csv"]
    wrong = run_embed("export", "model", "--to", "c.pt", "--cache", place / "tiny")
    assert wrong.returncode == 2 and wrong.stderr.splitlines()[-1].startswith(
        "embed: --to 'c.pt' does not say"
    )
