"""The backbone that comes with the package: two builders, one architecture, features that mean something."""

import subprocess
import sys

import keras
import numpy as np
import openvino
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import normalize

from embed.backbones import tiny


def run_openvino(model: openvino.Model, pixels: np.ndarray) -> np.ndarray:
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    return openvino.Core().compile_model(model, "CPU", settings)(pixels)[0]


def random_pixels(count: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [tiny.INPUT_SIZE, 101])
def test_keras_and_openvino_agree(size):
    pixels = random_pixels(3, size)
    expected = tiny.build(size).predict_on_batch(pixels)
    features = run_openvino(tiny.openvino_model(size), pixels)
    assert (
        features.shape
        == expected.shape
        == (3, -(-size // tiny.STRIDE), -(-size // tiny.STRIDE), tiny.DIMENSION)
    )
    assert np.abs(features - expected).max() <= 1e-4 * np.abs(expected).max()


def test_open_size_gives_what_the_fixed_size_gives():
    pixels = random_pixels(2, 128)
    fixed = run_openvino(tiny.openvino_model(128), pixels)
    assert np.allclose(
        run_openvino(tiny.openvino_model(None), pixels), fixed, rtol=1e-4, atol=1e-4 * fixed.max()
    )
    assert tiny.build(None).output_shape == (None, None, None, tiny.DIMENSION)


def test_features_of_a_picture_do_not_depend_on_its_batch():
    pixels = random_pixels(5, tiny.INPUT_SIZE)
    model = openvino.Core().compile_model(tiny.openvino_model(), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    together = model(pixels)[0].copy()
    assert np.allclose(model(pixels[3:4])[0][0], together[3], rtol=1e-4, atol=1e-4 * together.max())


def test_openvino_path_imports_neither_tensorflow_nor_keras():
    code = (
        "import sys; from embed.backbones import tiny; tiny.openvino_model();"
        "print(sorted({'tensorflow', 'keras', 'torch', 'jax'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_weights_are_small_finite_and_fingerprinted():
    assert tiny.WEIGHTS.stat().st_size <= 3_000_000
    assert len(tiny.fingerprint()) == 64
    weights = tiny.load_weights()
    assert all(np.isfinite(kernel).all() and np.isfinite(bias).all() for kernel, bias in weights.values())


def test_every_convolution_of_the_architecture_has_weights_and_no_weight_is_left_over():
    model = tiny.build(weights=None)
    convolutions = {layer.name for layer in model.layers if layer.name.endswith("_conv")}
    assert convolutions == set(tiny.load_weights())


def test_layers_can_be_named():
    names = [layer.name for layer in tiny.build().layers]
    assert {"stem", "stage1_block1", "stage2_down", "stage3_block1", "features"} <= set(names)
    assert len(set(names)) == len(names)


def drawn(kind: str, rng: np.random.Generator, size: int) -> np.ndarray:
    """One picture of stripes, rings, a grid or spots; colours, place, scale and angle at random."""
    y, x = np.mgrid[:size, :size] / size - rng.uniform(0.3, 0.7, (2, 1, 1))
    angle, scale = rng.uniform(0, np.pi), rng.uniform(25, 60)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    height = {
        "stripes": np.sin(scale * along),
        "rings": np.sin(scale * np.hypot(x, y)),
        "grid": np.maximum(np.sin(scale * along), np.sin(scale * across)) - 0.5,
        "spots": np.sin(scale * along) * np.sin(scale * across) - 0.3,
    }[kind]
    foreground, background = rng.permutation([rng.uniform(0, 100, 3), rng.uniform(155, 255, 3)])
    share = np.clip(3 * height + 0.5, 0, 1)[..., None]
    noise = rng.normal(0, 10, (size, size, 3))
    return np.clip(share * foreground + (1 - share) * background + noise, 0, 255).astype(np.uint8)


def test_features_tell_more_than_those_of_an_untrained_network():
    rng = np.random.default_rng(0)
    kinds = ["stripes", "rings", "grid", "spots"] * 30
    pixels = np.stack([drawn(kind, rng, tiny.INPUT_SIZE) for kind in kinds])
    maps = run_openvino(tiny.openvino_model(), pixels)
    keras.utils.set_random_seed(0)
    untrained = tiny.build(weights=None).predict(pixels, verbose=0)
    trained_score, untrained_score = (
        cross_val_score(
            LogisticRegression(C=100, max_iter=2000), normalize(features.mean((1, 2))), kinds, cv=4
        ).mean()
        for features in (maps, untrained)
    )
    assert trained_score >= 0.75
    assert trained_score >= untrained_score + 0.25
