"""The exported graph of every backbone against Keras's own preprocessing and model."""

import keras
import numpy as np
import pytest

from embed.backbones import BACKBONES, ResolvedNetwork, build
from embed.runtime import OpenVINORuntime

# One of every family for the ordinary run, and sizes that leave a map of some cells to pool.
REPRESENTATIVES = {
    "mobilenetv2": 64,
    "mobilenet": 64,
    "mobilenetv3small": 64,
    "efficientnetb0": 64,
    "efficientnetv2b0": 64,
    "convnexttiny": 64,
    "resnet50": 64,
    "resnet50v2": 64,
    "densenet121": 64,
    "inceptionv3": 128,
    "inceptionresnetv2": 128,
    "xception": 96,
    "nasnetmobile": 64,
    "vgg16": 64,
    "vgg19": 64,
}
EVERY_BACKBONE = [
    pytest.param(name, marks=() if name in REPRESENTATIVES else pytest.mark.giant)
    for name in BACKBONES
    if name != "tiny"
]
TOLERANCE = 1e-4  # relative to the largest feature


@pytest.fixture(autouse=True)
def fresh_session():
    keras.utils.clear_session()
    keras.utils.set_random_seed(20)
    yield
    keras.utils.clear_session()


@pytest.fixture
def keras_without_downloads(monkeypatch):
    """Keras's own models for `weights="imagenet"`, file and all, but left with their random weights."""
    from keras.src.utils import file_utils

    asked = []

    def get_file(fname, origin, **options):
        asked.append(fname)
        return fname

    monkeypatch.setattr(file_utils, "get_file", get_file)
    monkeypatch.setattr(keras.Model, "load_weights", lambda model, path: None)
    return asked


def photographs(size, n=3):
    """Batches like photographs: smooth, every level of every channel in use."""
    generator = np.random.default_rng(size)
    coarse = generator.integers(0, 256, (n, 4, 4, 3)).astype(np.float32)
    fine = np.asarray(keras.ops.image.resize(coarse, (size, size), interpolation="bilinear"))
    return np.clip(fine + generator.normal(0, 12, fine.shape), 0, 255).astype(np.uint8)


def network(name, weights_file, label="imagenet", **changes):
    backbone = BACKBONES[name]
    fields = {
        "backbone": backbone,
        "weights": label,
        "weights_sha256": "0" * 64,
        "weights_file": weights_file,
        "layer": backbone.layer,
        "pooling": "avg",
        "size": REPRESENTATIVES.get(name, backbone.input_size),
    }
    return ResolvedNetwork(**{**fields, **changes})


def features(resolved, folder, pixels):
    build.export(resolved, folder)
    return OpenVINORuntime(resolved, folder / "model.xml").run(pixels)


def assert_close(actual, expected):
    assert actual.shape == expected.shape
    assert np.isfinite(expected).all()
    scale = np.abs(expected).max()
    assert scale > 0
    assert np.abs(actual - expected).max() <= TOLERANCE * scale


@pytest.mark.filterwarnings("ignore:`input_shape` is undefined or non-square:UserWarning")
@pytest.mark.parametrize("name", EVERY_BACKBONE)
def test_exported_graph_agrees_with_keras(name, keras_without_downloads, monkeypatch, tmp_path):
    backbone = BACKBONES[name]
    weights_file = tmp_path / "random.weights.h5"
    resolved = network(name, weights_file)
    make = getattr(keras.applications, backbone.keras_name)
    reference = make(
        weights="imagenet", include_top=False, pooling="avg", input_shape=(resolved.size, resolved.size, 3)
    )
    reference.save_weights(weights_file)
    pixels = photographs(resolved.size)
    module = getattr(keras.applications, backbone.module)
    expected = reference.predict_on_batch(module.preprocess_input(pixels.astype(np.float32)))
    monkeypatch.undo()

    assert expected.shape == (len(pixels), backbone.dimension)
    assert_close(features(resolved, tmp_path, pixels), expected)
