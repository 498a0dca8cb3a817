"""Small networks in ONNX files, as people's exporters write them, and what they give by ONNX's own reference."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

CHANNELS, CLASSES = 5, 1000


def weights(name, *shape):
    values = np.random.default_rng(len(name)).normal(0, 0.2, shape).astype(np.float32)
    return numpy_helper.from_array(values, name)


def network(
    file,
    *,
    batch="n",
    size=32,
    last=False,
    end="pooled",
    element=TensorProto.FLOAT,
    producer="test",
    prefix="",
    channels=3,
):
    """Write a network: a convolution with a stride of 8, and then what `end` says: map, pooled, classes, tokens, dense, baked."""
    sides = (size, size) if size else ("h", "w")
    shape = [batch, *sides, channels] if last else [batch, channels, *sides]
    nodes, tensors = [], [weights("kernel", CHANNELS, channels, 8, 8)]
    value = "pixels"

    def node(kind, *inputs, out, **attributes):
        nodes.append(helper.make_node(kind, [*inputs], [out], name=f"{prefix}/{kind}", **attributes))
        return out

    def constant(name, values):
        tensors.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    if element != TensorProto.FLOAT:
        value = node("Cast", value, out="float", to=TensorProto.FLOAT)
    if last:
        value = node("Transpose", value, out="first", perm=[0, 3, 1, 2])
    value = node("Conv", value, "kernel", out="conv", strides=[8, 8])
    value = node("Relu", value, out="map")
    if last and end == "map":
        value = node("Transpose", value, out="map_last", perm=[0, 2, 3, 1])
    if end in ("pooled", "classes"):
        value = node("GlobalAveragePool", value, out="average")
        value = node("Flatten", value, out="flat")
    if end == "classes":
        tensors.append(weights("matrix", CHANNELS, CLASSES))
        value = node("Gemm", value, "matrix", out="logits")
    if end == "dense":
        tensors.append(weights("dense_matrix", CHANNELS * (size // 8) ** 2, CHANNELS))
        value = node("MatMul", node("Flatten", value, out="all_of"), "dense_matrix", out="dense")
    if end == "tokens":
        value = node("Reshape", value, constant("rows", [0, CHANNELS, -1]), out="rows_of")
        value = node("Transpose", value, out="tokens", perm=[0, 2, 1])
    if end == "baked":
        value = node("Reshape", value, constant("all", [1, -1]), out="all_of")
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("pixels", element, shape)],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, shape_of(end, batch, last))],
        tensors,
    )
    model = helper.make_model(
        graph, producer_name=producer, opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    )
    onnx.save(model, file)
    return file


def shape_of(end, batch, last):
    """Return the shape of the output, as exporters write it."""
    return {
        "map": [batch, "h8", "w8", CHANNELS] if last else [batch, CHANNELS, "h8", "w8"],
        "pooled": [batch, CHANNELS],
        "classes": [batch, CLASSES],
        "tokens": [batch, "t", CHANNELS],
        "baked": [1, "all"],
        "dense": [batch, CHANNELS],
    }[end]


def by_reference(file, values, output=None):
    """Return the output of a file, one picture at a time, for the values that it takes."""
    model = onnx.load(file)
    if output is not None:
        model.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, None))
    evaluator = ReferenceEvaluator(model)
    name = output or model.graph.output[0].name
    return np.concatenate([evaluator.run([name], {"pixels": row[None]})[0] for row in values])
