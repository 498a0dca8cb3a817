"""Networks of ONNX files with what is done before and behind them, against what computes the features."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx_networks import network

from embed.backbones import Network, open_runtime
from embed.deploy.head import Head, Step
from embed.deploy.onnx_format import ONNX
from embed.deploy.openvino_format import OpenVINO
from embed.deploy.plan import Plan
from embed.errors import UsageError

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
CLOSE = {"rtol": 1e-3, "atol": 1e-4}


@pytest.fixture(autouse=True)
def embed_home(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBED_HOME", str(tmp_path / "home"))


def same(tmp_path, file, *, size=None, **options):
    """Whether the files give the features that `embed` computes: the head leaves them as they are."""
    net = Network(
        str(file), size=size, **{"preprocess": "mean=120,125,130,std=60,61,62", **options}
    ).resolve()
    pixels = PIXELS[:, : net.size, : net.size]
    expected = open_runtime(net, "cpu").run(pixels)
    width = expected.shape[1]
    head = Head((Step("affine", (np.eye(width, dtype=np.float32), np.zeros(width, np.float32))),), width)
    plan = Plan(network=net, head=head, any_size=False)
    for format, to in ((ONNX(), tmp_path / "to.onnx"), (OpenVINO(), tmp_path / "to.xml")):
        format.write(plan, to)
        np.testing.assert_allclose(format.run(to, pixels), expected, **CLOSE)
    onnx.checker.check_model(tmp_path / "to.onnx", full_check=True)
    return onnx.load(tmp_path / "to.onnx")


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("end", ["map", "pooled", "classes"])
def test_channels_may_come_first_or_last(tmp_path, last, end):
    model = same(tmp_path, network(tmp_path / "net.onnx", last=last, end=end))
    kept = {tensor.name for tensor in model.graph.initializer}
    assert not any("matrix" in name for name in kept)  # the classes of the network are left behind
    assert model.graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8


@pytest.mark.parametrize("pooling", ["avg", "max", "grid", "flatten"])
@pytest.mark.parametrize("mirror", [False, True])
def test_maps_are_pooled_as_the_features_are(tmp_path, pooling, mirror):
    same(
        tmp_path,
        network(tmp_path / "net.onnx", size=None, end="map"),
        size=40,
        pooling=pooling,
        mirror=mirror,
    )


@pytest.mark.parametrize("pooling", ["cls", "avg", "max"])
def test_tokens_are_pooled_as_the_features_are(tmp_path, pooling):
    same(tmp_path, network(tmp_path / "net.onnx", end="tokens"), pooling=pooling)


@pytest.mark.parametrize("changes", [{"batch": 1}, {"end": "baked", "batch": "n"}])
def test_a_network_that_takes_one_picture_at_a_time_stays_so(tmp_path, changes):
    model = same(tmp_path, network(tmp_path / "net.onnx", **changes))
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 1


@pytest.mark.parametrize("element", [TensorProto.UINT8, TensorProto.FLOAT16])
def test_the_input_may_be_of_another_type(tmp_path, element):
    file = network(tmp_path / "net.onnx", element=element)
    same(tmp_path, file, preprocess="none")


def test_blue_may_come_first(tmp_path):
    same(tmp_path, network(tmp_path / "net.onnx"), preprocess="caffe")


def test_names_in_the_file_may_be_those_that_are_added(tmp_path):
    file = network(tmp_path / "net.onnx", end="map")
    model = onnx.load(file)
    for node in model.graph.node:
        node.output[:] = ["probabilities" if name == "conv" else name for name in node.output]
        node.input[:] = ["probabilities" if name == "conv" else name for name in node.input]
    onnx.save(model, file)
    same(tmp_path, file)


def test_weights_beside_the_file_come_into_it(tmp_path):
    (tmp_path / "in").mkdir()
    file = network(tmp_path / "in" / "net.onnx")
    onnx.save(onnx.load(file), file, save_as_external_data=True, location="net.data", size_threshold=0)
    same(tmp_path, file)
    assert sorted(path.name for path in tmp_path.glob("to.*")) == ["to.bin", "to.onnx", "to.xml"]


def test_pictures_of_any_size_are_stretched_as_pillow_does(tmp_path):
    from PIL import Image

    net = Network("tiny", size=64).resolve()
    step = Step("affine", (np.eye(512, dtype=np.float32), np.zeros(512, np.float32)))
    plan = Plan(network=net, head=Head((step,), 512), any_size=True)
    big = np.asarray(Image.fromarray(PIXELS[0]).resize((301, 215), Image.Resampling.BICUBIC))
    small = np.asarray(Image.fromarray(big).resize((64, 64), Image.Resampling.BILINEAR))
    expected = open_runtime(net, "cpu").run(small[None])[0]
    for format, to in ((ONNX(), tmp_path / "to.onnx"), (OpenVINO(), tmp_path / "to.xml")):
        format.write(plan, to)
        np.testing.assert_allclose(format.run(to, small[None])[0], expected, **CLOSE)
        found = format.run(to, big[None])[0]
        cosine = found @ expected / np.linalg.norm(found) / np.linalg.norm(expected)
        assert cosine > 0.9999


def test_a_network_of_operations_that_cannot_be_renewed_is_told(tmp_path, monkeypatch):
    def fails(model, version):
        raise RuntimeError("No Adapter for Upsample")

    monkeypatch.setattr(onnx.version_converter, "convert_version", fails)
    with pytest.raises(
        UsageError, match=r"net\.onnx has version 17 .* \(No Adapter for Upsample\)\. Write OpenVINO"
    ):
        same(tmp_path, network(tmp_path / "net.onnx"))
