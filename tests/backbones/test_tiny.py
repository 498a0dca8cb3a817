"""The backbone that comes with the package: an ONNX file, and features that mean something."""

import dataclasses

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import normalize

from embed.backbones import Network, open_runtime
from embed.backbones.onnx_file import TINY
from embed.errors import UsageError

STRIDE = 16  # a map of features has 1/16 of the picture's side, rounded up


@pytest.fixture(autouse=True)
def embed_home(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBED_HOME", str(tmp_path))


def value_of(name, pixels):
    """A value of the file as ONNX defines it, with channels last."""
    model = onnx.load(TINY.file)
    model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    scaled = ((pixels.astype(np.float32) - 127.5) / 64).transpose(0, 3, 1, 2)
    (value,) = ReferenceEvaluator(model).run([name], {"pixels": scaled})
    return value.transpose(0, 2, 3, 1)


def random_pixels(count, size):
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize(("layer", "stride"), [(None, STRIDE), ("stage2_block1", 8)])
@pytest.mark.parametrize("size", [64, 101])
def test_features_are_what_the_file_defines(size, layer, stride):
    pixels = random_pixels(2, size)
    expected = value_of(layer or TINY.layer, pixels)

    def features(pooling):
        return open_runtime(Network("tiny", layer=layer, size=size, pooling=pooling), device="cpu").run(
            pixels
        )

    side = -(-size // stride)
    assert expected.shape[:3] == (2, side, side)
    for pooling, pooled in (
        ("none", expected),
        ("avg", expected.mean(axis=(1, 2))),
        ("max", expected.max(axis=(1, 2))),
        ("flatten", expected.reshape(2, -1)),
    ):
        assert np.abs(features(pooling) - pooled).max() <= 1e-4 * np.abs(pooled).max()


def test_table_agrees_with_the_file():
    model = onnx.load(TINY.file)

    assert TINY.parameters == sum(np.prod(values.dims) for values in model.graph.initializer)
    assert TINY.dimension == model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    assert TINY.file.stat().st_size <= 3_000_000


def test_features_of_earlier_releases_stay_valid(tmp_path):
    first_published = "2f1c17b0f80196902e892c6dd15d730e3ee7ffc4c7fd5556c72ef3a6086c9312"
    request = Network("tiny").resolve()
    other = tmp_path / "other.onnx"
    other.write_bytes(TINY.file.read_bytes() + b" ")

    assert request.weights_sha256 == first_published
    assert dataclasses.replace(TINY, file=other).weights(request, None).sha256 != first_published


def test_an_unknown_layer_names_the_nearest():
    with pytest.raises(
        UsageError, match=r"layer 'stage2_bloc1' is not in tiny; the nearest names are stage2_block1"
    ):
        open_runtime(Network("tiny", layer="stage2_bloc1"), device="cpu")


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


def test_features_tell_more_than_colours():
    rng = np.random.default_rng(0)
    kinds = ["stripes", "rings", "grid", "spots"] * 30
    pixels = np.stack([drawn(kind, rng, TINY.input_size) for kind in kinds])
    features = open_runtime(Network("tiny"), device="cpu").run(pixels)
    colours = pixels.reshape(len(pixels), -1, 3).astype(np.float32)
    simple = np.concatenate([colours.mean(axis=1), colours.std(axis=1)], axis=1)
    score, simple_score = (
        cross_val_score(LogisticRegression(C=100, max_iter=2000), normalize(X), kinds, cv=4).mean()
        for X in (features, simple)
    )
    assert score >= 0.75
    assert score >= simple_score + 0.25
