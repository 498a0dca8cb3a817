"""A network as a graph of ONNX from pixels, uint8 (n, size, size, 3), to features, float32 (n, d).

One of Keras's is converted by tf2onnx. One in an ONNX file is kept node by node; what `embed` does before and behind it is
written around it, as `embed.backbones` writes it for OpenVINO.
"""

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from embed.backbones import ResolvedNetwork, export, grid_spans
from embed.backbones.backbone import is_pooled
from embed.backbones.export import with_weights
from embed.backbones.graph import import_openvino
from embed.backbones.onnx_file import OnnxFile, channels_come_first, layout_of
from embed.backbones.onnx_model import describe
from embed.backbones.preprocess import CHANNELS, Preprocess, parse
from embed.deploy.keras_model import features_model
from embed.deploy.onnx_graph import FLOAT, UINT8, Graph
from embed.deploy.plan import OPSET, PIXELS, Plan
from embed.errors import UsageError

if TYPE_CHECKING:
    import onnx

THEIRS = "network/"  # begins the names of all that is in the user's file
FEATURES = "features"
OLDEST = 8  # version of the format of ONNX files that has `OPSET`


def graph_of(plan: Plan) -> tuple[Graph, str]:
    """Return the graph of a network, whose one input is `PIXELS`, and the value that holds its features.

    Raises
    ------
    UsageError
        The network is in a file that ONNX's own tools cannot bring to `OPSET`.
    WeightsError
        Its file is gone.
    """
    return _of_keras(plan) if plan.network.backbone.framework == "keras" else _of_file(plan.network)


def _of_keras(plan: Plan) -> tuple[Graph, str]:
    import tensorflow
    import tf2onnx

    model = features_model(plan)
    side = plan.network.size
    signature = [tensorflow.TensorSpec((None, side, side, CHANNELS), tensorflow.uint8, name=PIXELS)]

    @tensorflow.function(input_signature=signature)
    def forward(pixels: Any) -> Any:
        return {FEATURES: model(pixels, training=False)}

    converted, _ = tf2onnx.convert.from_function(forward, input_signature=signature, opset=OPSET)
    (features,) = (value.name for value in converted.graph.output)
    return Graph(converted, "n"), features


def _of_file(network: ResolvedNetwork) -> tuple[Graph, str]:
    """Return the same for the network of an ONNX file; it takes one picture at a time where the file takes no more."""
    import onnx

    found = with_weights(network)
    assert found.weights_file is not None
    assert isinstance(network.backbone, OnnxFile)
    describe(found.weights_file)  # no file that it refers to may lie elsewhere
    model = _brought(onnx.load(found.weights_file), network.backbone.name)
    model = onnx.compose.add_prefix(model, THEIRS)
    value = THEIRS + network.layer
    given = _keep(model, value)
    lengths = [axis.dim_value or None for axis in given.type.tensor_type.shape.dim]
    layout = layout_of(lengths)
    exported = import_openvino().Core().read_model(export(network)).input(0).get_partial_shape()
    several = lengths[0] is None and exported[0].is_dynamic
    graph = Graph(model, "n" if several else 1)
    _prepare(graph, given, parse(network.backbone.pixels), layout, network)
    shape = _shape(graph, value, network.size)
    features = graph.node("Cast", value, to=FLOAT)
    if len(shape) == 4 and channels_come_first(shape, layout):
        features = graph.node("Transpose", features, perm=[0, 2, 3, 1])
        shape = (shape[0], *shape[2:], shape[1])
    if network.mirror:
        features = _of_both(graph, features, len(shape))
    if not is_pooled(len(shape), network):
        features = _pool(graph, features, shape, network.pooling)
    return graph, features


def _brought(model: "onnx.ModelProto", name: str) -> "onnx.ModelProto":
    """Return a model in the version of the operations that is added in, or in the later one that it has."""
    import onnx

    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if opset < OPSET:
        try:
            model = onnx.version_converter.convert_version(model, OPSET)
        except (RuntimeError, ValueError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
            raise UsageError(
                f"cannot be a file of ONNX: {name} has version {opset} of ONNX's operations, which cannot be brought to "
                f"version {OPSET} ({reason}). Write OpenVINO's .xml",
                "to",
            ) from None
    model.ir_version = max(model.ir_version, OLDEST)
    return model


def _keep(model: "onnx.ModelProto", value: str) -> "onnx.ValueInfoProto":
    """Leave in a model what a value is made from, and return the input of pixels, which is none any more."""
    graph = model.graph
    maker = {output: place for place, node in enumerate(graph.node) for output in node.output}
    waiting: list[str] = [value]
    used: set[str] = set()
    places: set[int] = set()
    while waiting:
        name = waiting.pop()
        if name in used:
            continue
        used.add(name)
        if name in maker:
            places.add(maker[name])
            waiting += _reads(graph.node[maker[name]])
    weights = {tensor.name for tensor in graph.initializer}
    (given,) = (_copy(one) for one in graph.input if one.name in used - weights)
    kept_nodes = [_copy(graph.node[place]) for place in sorted(places)]
    for place, node in enumerate(kept_nodes):
        node.name = (
            f"{THEIRS}{node.op_type}_{place}"  # two may have one name, which ONNX Runtime does not take
        )
    kept_weights = [_copy(tensor) for tensor in graph.initializer if tensor.name in used]
    for field, kept in ((graph.node, kept_nodes), (graph.initializer, kept_weights), (graph.input, [])):
        del field[:]
        field.extend(kept)
    del graph.output[:]
    del graph.value_info[:]
    return given


def _reads(node: "onnx.NodeProto") -> Iterator[str]:
    """Yield what a node reads, and the nodes in the graphs inside of it."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _reads(inner)


def _copy(message: Any) -> Any:
    # What is deleted from a repeated field ends the lives of its messages.
    return type(message).FromString(message.SerializeToString())


def _shape(graph: Graph, value: str, side: int) -> tuple[int, ...]:
    """Return the shape of a value for one picture, by ONNX Runtime."""
    closed = Graph(_copy(graph.model), 1)
    closed.close(value, [side, side])
    pixels = np.zeros((1, side, side, CHANNELS), np.uint8)
    return session(closed.model.SerializeToString()).run(None, {PIXELS: pixels})[0].shape


def session(model: Any) -> Any:
    """Return a model, as bytes or the path of its file, ready to run; it writes no warnings."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _prepare(
    graph: Graph,
    given: "onnx.ValueInfoProto",
    taken: Preprocess,
    layout: str,
    network: ResolvedNetwork,
) -> None:
    """Make what the network takes of pixels, before all other nodes."""
    x = PIXELS
    with graph.before_all():
        if network.mirror:
            x = graph.node("Concat", x, _turned(graph, x), axis=0)
        element = given.type.tensor_type.elem_type
        if element != UINT8 or taken != Preprocess():
            x = graph.node("Cast", x, to=FLOAT)
        if taken.bgr:
            x = graph.node("Gather", x, graph.integers(2, 1, 0), axis=3)
        if taken != Preprocess(bgr=taken.bgr):
            x = graph.node("Sub", x, graph.constant(np.array(taken.mean, np.float32)))
            x = graph.node("Div", x, graph.constant(np.array(taken.std, np.float32)))
        x = graph.node("Cast", x, to=element)
        if layout == "NCHW":
            x = graph.node("Transpose", x, perm=[0, 3, 1, 2])
        graph.node("Identity", x, out=given.name)


def _turned(graph: Graph, x: str) -> str:
    """Return the mirror image of pictures or maps (n, h, w, c)."""
    ends = (-1, np.iinfo(np.int64).min, 2, -1)  # from the last column to beyond the first, backwards
    return graph.node("Slice", x, *map(graph.integers, ends))


def _of_both(graph: Graph, features: str, rank: int) -> str:
    """Return the mean of what pictures and their mirror images gave."""
    plain, mirrored = graph.halves(features)
    if rank == 4:
        mirrored = _turned(graph, mirrored)
    return graph.node("Mul", graph.node("Add", plain, mirrored), graph.constant(np.float32(0.5)))


def _pool(graph: Graph, maps: str, shape: tuple[int, ...], pooling: str) -> str:
    """Return maps (n, h, w, c) or tokens (n, t, c) as rows."""
    if pooling in ("avg", "max"):
        inner = graph.integers(*range(1, len(shape) - 1))
        return graph.node("ReduceMean" if pooling == "avg" else "ReduceMax", maps, inner, keepdims=0)
    if pooling == "cls":
        return graph.node("Gather", maps, graph.constant(np.array(0)), axis=1)
    if pooling == "flatten":
        return graph.node("Flatten", maps, axis=1)
    regions = []
    for rows, columns in product(grid_spans(shape[1]), grid_spans(shape[2])):
        ends = ((rows[0], columns[0]), (rows[1], columns[1]), (1, 2))
        region = graph.node("Slice", maps, *(graph.integers(*end) for end in ends))
        regions.append(graph.node("ReduceMean", region, graph.integers(1, 2), keepdims=0))
    return graph.node("Concat", *regions, axis=1)
