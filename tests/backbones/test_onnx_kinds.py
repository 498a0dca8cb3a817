"""Graphs as exporters write them, whoever wrote them: read by OpenVINO and by ONNX Runtime, each against ONNX Runtime alone."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from embed.backbones import Network, get, runtime
from embed.backbones.graph import import_openvino
from embed.backbones.onnx_gpu import OnnxRuntime
from embed.backbones.store import MODEL
from embed.backbones.write import write
from embed.errors import UsageError, WeightsError

N, SIZE, D = 3, 32, 6
PIXELS = np.random.default_rng(0).integers(0, 256, (N, SIZE, SIZE, 3), dtype=np.uint8)
RANDOM = np.random.default_rng(1)
CLOSE = {"rtol": 1e-3, "atol": 1e-3}


@pytest.fixture(autouse=True)
def embed_home(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBED_HOME", str(tmp_path / "home"))


def tensor(name, values, dtype=np.float32):
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def value(name, shape, element=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, element, shape)


class Graph:
    """Nodes one after another; `map` is the last map of a convolution with a stride of 8, (n, D, 4, 4)."""

    def __init__(self, opset=17, element=TensorProto.FLOAT, batch="n", size=SIZE, producer="test"):
        self.nodes, self.tensors, self.opset, self.producer = [], [], opset, producer
        self.inputs = [value("pixels", [batch, 3, size, size], element)]
        self.batch = batch

    def add(self, kind, *inputs, out, **attributes):
        self.nodes.append(helper.make_node(kind, [*inputs], [out], name=f"/{kind}_{out}", **attributes))
        return out

    def weight(self, name, values, dtype=np.float32):
        self.tensors.append(tensor(name, values, dtype))
        return name

    def conv(self, source="pixels", dtype=np.float32, channels=D):
        kernel = RANDOM.normal(0, 0.1, (channels, 3, 8, 8))
        self.add("Conv", source, self.weight("kernel", kernel, dtype), out="conv", strides=[8, 8])
        return self.add("Relu", "conv", out="map")

    def save(self, file, *outputs, as_inputs=False, external=False):
        inputs = self.inputs + [value(t.name, t.dims, t.data_type) for t in self.tensors] * as_inputs
        graph = helper.make_graph(self.nodes, "g", inputs, [*outputs], self.tensors)
        model = helper.make_model(
            graph,
            producer_name=self.producer,
            opset_imports=[helper.make_opsetid("", self.opset)],
            ir_version=3 if as_inputs else 8 if self.opset < 21 else 10,
        )
        if external:
            onnx.save(model, file, save_as_external_data=True, location="weights.bin", size_threshold=0)
        else:
            onnx.save(model, file)
        return file


def seen(size):
    """The pictures, as a network of another size sees them."""
    return PIXELS if size == SIZE else np.zeros((N, size, size, 3), np.uint8)


def by_openvino(file, **options):
    """As an export is written and run, without a process of its own."""
    network = Network(str(file), **{"preprocess": "none", **options}).resolve()
    write(network, file.parent)
    core = import_openvino().Core()
    graph = core.read_model(file.parent / MODEL)
    graph.reshape([1, network.size, network.size, 3])
    compiled = core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.concatenate([compiled({0: picture[None]})[0] for picture in seen(network.size)])


def by_onnx_runtime(file, **options):
    network = Network(str(file), **{"preprocess": "none", **options}).resolve()
    return OnnxRuntime(network, gpu=False, batch_size=2).run(seen(network.size))


def plain(file, output, given=None):
    """What ONNX Runtime gives for one picture at a time, without anything of ours."""
    model = onnx.load(file)
    if output not in [one.name for one in model.graph.output]:
        model.graph.output.append(helper.make_empty_tensor_value_info(output))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    given = PIXELS.transpose(0, 3, 1, 2).astype(np.float32) if given is None else given
    return np.concatenate([session.run([output], {"pixels": row[None]})[0] for row in given])


RUNS = pytest.mark.parametrize("run", [by_openvino, by_onnx_runtime], ids=["openvino", "onnxruntime"])


@RUNS
@pytest.mark.parametrize("opset", [7, 9, 11, 13, 18, 21, 22])
def test_every_version_of_the_operators(tmp_path, run, opset):
    graph = Graph(opset)
    graph.add("GlobalAveragePool", graph.conv(), out="average")
    graph.add("Flatten", "average", out="flat")
    graph.add(
        "Gemm",
        "flat",
        graph.weight("w", RANDOM.normal(0, 1, (D, 1000))),
        graph.weight("b", np.zeros(1000)),
        out="logits",
    )
    file = graph.save(tmp_path / "net.onnx", value("logits", ["n", 1000]), as_inputs=opset < 9)
    assert get(str(file), "none").layer == "map"
    np.testing.assert_allclose(run(file), plain(file, "map").mean((2, 3)), **CLOSE)


@RUNS
def test_a_reshape_that_asks_for_the_batch_and_dropout_on_the_way(tmp_path, run):
    graph = Graph()
    graph.add("GlobalAveragePool", graph.conv(), out="average")
    graph.add("Identity", "average", out="same")
    graph.add("Shape", "same", out="shape")
    graph.add("Gather", "shape", graph.weight("zero", 0, np.int64), out="batch", axis=0)
    graph.add("Unsqueeze", "batch", graph.weight("axis", [0], np.int64), out="batch1")
    graph.add("Concat", "batch1", graph.weight("rest", [-1], np.int64), out="wanted", axis=0)
    graph.add("Reshape", "same", "wanted", out="flat")
    graph.add("Transpose", graph.weight("w", RANDOM.normal(0, 1, (1000, D))), out="turned")
    graph.add("MatMul", "flat", "turned", out="logits")
    file = graph.save(tmp_path / "net.onnx", value("logits", ["n", 1000]))
    assert get(str(file), "none").layer == "map"
    np.testing.assert_allclose(run(file), plain(file, "map").mean((2, 3)), **CLOSE)


@RUNS
def test_a_quantised_network(tmp_path, run):
    graph = Graph()
    zero = graph.weight("zero_point", 0, np.int8)

    def through(source, scale):
        name = graph.weight(f"scale_{source}", scale)
        graph.add("QuantizeLinear", source, name, zero, out=f"{source}_q")
        return graph.add("DequantizeLinear", f"{source}_q", name, zero, out=f"{source}_dq")

    graph.add("GlobalAveragePool", through(graph.conv(), 0.5), out="average")
    graph.add("Flatten", through("average", 0.3), out="flat")
    graph.weight("w_q", RANDOM.integers(-9, 9, (D, 1000)), np.int8)
    graph.add("DequantizeLinear", "w_q", graph.weight("w_scale", 0.1), zero, out="w")
    graph.add("Gemm", through("flat", 0.3), "w", out="logits")
    file = graph.save(tmp_path / "net.onnx", value("logits", ["n", 1000]))
    layer = get(str(file), "none").layer
    assert layer == "map_dq"
    np.testing.assert_allclose(run(file), plain(file, layer).mean((2, 3)), rtol=1e-2, atol=0.51)


@RUNS
@pytest.mark.parametrize(
    "element", [TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.UINT8, TensorProto.INT32]
)
def test_pictures_of_every_type(tmp_path, run, element):
    graph = Graph(element=element)
    half = element == TensorProto.FLOAT16
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    graph.add("Cast", "pixels", out="cast", to=kind)
    graph.add("Div", "cast", graph.weight("std", 255, np.float16 if half else np.float32), out="scaled")
    graph.conv("scaled", np.float16 if half else np.float32)
    file = graph.save(tmp_path / "net.onnx", value("map", ["n", D, 4, 4], kind))
    if element in (TensorProto.UINT8, TensorProto.INT32):
        assert get(str(file)).preprocess == "none", "whole numbers are taken as they are"
    given = PIXELS.transpose(0, 3, 1, 2).astype(helper.tensor_dtype_to_np_dtype(element))
    expected = plain(file, "map", given).astype(np.float32).mean((2, 3))
    found = run(file)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-2)


@RUNS
@pytest.mark.parametrize("order", ["n t d", "n d t", "t n d"])
def test_tokens_in_any_order(tmp_path, run, order):
    graph = Graph()
    graph.add("Reshape", graph.conv(channels=40), graph.weight("rows", [0, 40, 16], np.int64), out="ndt")
    perm = {"n t d": [0, 2, 1], "n d t": [0, 1, 2], "t n d": [2, 0, 1]}[order]
    graph.add("Transpose", "ndt", out="tokens", perm=perm)
    file = graph.save(tmp_path / "net.onnx", value("tokens", list(order.split())))
    maps = plain(file, "map").reshape(N, 40, 16)
    np.testing.assert_allclose(run(file), maps.mean(2), **CLOSE)
    np.testing.assert_allclose(run(file, pooling="cls"), maps[:, :, 0], **CLOSE)


@RUNS
@pytest.mark.parametrize("batch", [1, "n"])
def test_external_weights_and_a_value_in_the_middle(tmp_path, run, batch):
    graph = Graph(batch=batch)
    graph.add("Exp", graph.conv(), out="end")
    file = graph.save(tmp_path / "net.onnx", value("end", [batch, D, 4, 4]), external=True)
    maps = plain(file, "map")
    np.testing.assert_allclose(run(file, layer="map", pooling="max"), maps.max((2, 3)), **CLOSE)
    assert run(file, layer="map", pooling="grid").shape == (N, 9 * D)


def test_both_ways_agree_on_everything_that_is_added(tmp_path):
    graph = Graph()
    file = graph.save(tmp_path / "net.onnx", value(graph.conv(), ["n", D, 4, 4]))
    for options in (
        {"preprocess": "imagenet", "mirror": True, "pooling": "grid"},
        {"preprocess": "caffe", "pooling": "flatten"},
        {"preprocess": "mean=1,2,3,std=4,5,6", "pooling": "max", "mirror": True},
    ):
        np.testing.assert_allclose(by_onnx_runtime(file, **options), by_openvino(file, **options), **CLOSE)


@RUNS
def test_more_than_pictures_goes_in(tmp_path, run):
    graph = Graph()
    graph.inputs.append(value("ids", ["n", 7], TensorProto.INT64))
    graph.add("Cast", "ids", out="words", to=TensorProto.FLOAT)
    graph.conv()
    file = graph.save(tmp_path / "net.onnx", value("words", ["n", 7]), value("map", ["n", D, 4, 4]))
    if run is by_openvino:
        np.testing.assert_allclose(run(file, layer="map"), plain_map(file), **CLOSE)
    else:
        with pytest.raises(UsageError, match="takes 'ids' besides pictures"):
            run(file, layer="map")


def plain_map(file):
    session = onnxruntime.InferenceSession(file)
    given = PIXELS.transpose(0, 3, 1, 2).astype(np.float32)
    (maps,) = session.run(["map"], {"pixels": given, "ids": np.zeros((N, 7), np.int64)})
    return maps.mean((2, 3))


def test_where_there_is_a_gpu_onnx_runtime_takes_the_file(tmp_path, monkeypatch):
    there = SimpleNamespace(problem=lambda: None)
    monkeypatch.setitem(runtime.GPUS, "onnx", (there, partial(OnnxRuntime, gpu=False)))
    graph = Graph()
    network = Network(
        str(graph.save(tmp_path / "net.onnx", value(graph.conv(), ["n", D, 4, 4]))), preprocess="0to1"
    )
    for device in ("auto", "gpu"):
        opened = runtime.open_runtime(network, device)
        assert isinstance(opened, OnnxRuntime)
        assert opened.dimension == D
    np.testing.assert_allclose(opened.run(PIXELS[:0]), np.empty((0, D)))
    np.testing.assert_allclose(opened.run(PIXELS)[1:2], opened.run(PIXELS[1:2]), **CLOSE)
    with pytest.raises(UsageError, match="precision 'bfloat16' cannot be used"):
        runtime.open_runtime(network, "gpu", "bf16")


def test_a_network_without_pictures_is_refused(tmp_path):
    graph = Graph()
    graph.inputs = [value("ids", ["n", 77], TensorProto.INT64)]
    graph.add("Cast", "ids", out="words", to=TensorProto.FLOAT)
    file = graph.save(tmp_path / "net.onnx", value("words", ["n", 77]))
    with pytest.raises(UsageError, match=r"takes no colour pictures: its input 'ids' is \(any, 77\)"):
        get(str(file), "none")


def test_a_size_that_nobody_can_compute_is_refused(tmp_path):
    graph = Graph(size=1 << 30)
    file = graph.save(tmp_path / "net.onnx", value(graph.conv(), ["n", D, "h", "w"]))
    with pytest.raises(UsageError, match="size 1073741824 is too large"):
        Network(str(file), preprocess="none").resolve()


@RUNS
@pytest.mark.parametrize(
    ("options", "words"),
    [({"layer": "mop"}, "nearest names are map"), ({"size": 40}, "size 40 cannot be used")],
)
def test_what_cannot_be_is_one_sentence(tmp_path, run, options, words):
    graph = Graph()
    graph.conv()
    graph.add("Reshape", "map", graph.weight("all", [0, D * 16], np.int64), out="flat")
    file = graph.save(tmp_path / "net.onnx", value("flat", ["n", D * 16]))
    with pytest.raises(UsageError, match=words):
        run(file, **options)


@RUNS
def test_operators_that_nobody_knows_are_told(tmp_path, run):
    graph = Graph()
    graph.conv()
    graph.nodes.append(helper.make_node("Mystery", ["map"], ["end"], domain="some.where"))
    file = graph.save(tmp_path / "net.onnx", value("end", ["n", D, 4, 4]))
    model = onnx.load(file)
    model.opset_import.append(helper.make_opsetid("some.where", 1))
    onnx.save(model, file)
    with pytest.raises((WeightsError, UsageError)) as refused:
        run(file)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("weights", "preset"),
    [
        (("layer1.0.conv1.weight", "layer2.0.conv1.weight", "layer3.0.conv1.weight"), "imagenet"),
        (("features.0.0.weight",), "imagenet"),
        (("conv_stem.weight",), "imagenet"),
        (("patch_embed.proj.weight", "blocks.0.ls1.gamma"), "imagenet"),
        (("patch_embed.proj.weight", "blocks.0.attn.qkv.weight"), None),
    ],
)
def test_networks_are_known_by_the_names_of_their_weights(tmp_path, weights, preset):
    graph = Graph(producer="pytorch")
    for name in weights:
        graph.weight(name, np.zeros(1))
    file = graph.save(tmp_path / "net.onnx", value(graph.conv(), ["n", D, 4, 4]))
    if preset is None:
        with pytest.raises(UsageError, match="preprocess is needed"):
            get(str(file))
    else:
        assert get(str(file)).preprocess == preset
