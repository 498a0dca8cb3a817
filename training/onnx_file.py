"""The ONNX file of `tiny`, as the package ships it.

The file takes scaled pixels (n, 3, height, width), float32, any n and size, and gives the map (n, 512, height / 16,
width / 16). Kernels are stored as float16 and widened by the first node that reads them. Every value has the name of its
layer, so that any of them can be read.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.architecture import DIMENSION, trace

OPSET = 13
IR_VERSION = 8

Weights = dict[str, tuple[np.ndarray, np.ndarray]]


class OnnxOperations:
    """The four operations as nodes of an ONNX graph; a map is the name of its value."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def scale(self, x: str) -> str:
        return x  # whoever reads the file scales the pixels, as for any other network

    def convolution(self, x: str, name: str, filters: int, kernel: int, stride: int) -> str:
        values, bias = self.weights[name]
        kept = np.ascontiguousarray(values.transpose(3, 2, 0, 1), np.float16)
        self.initializers += [
            numpy_helper.from_array(kept, f"{name}_kernel_float16"),
            numpy_helper.from_array(bias.astype(np.float32), f"{name}_bias"),
        ]
        self._node("Cast", [f"{name}_kernel_float16"], f"{name}_kernel", to=TensorProto.FLOAT)
        return self._node(
            "Conv",
            [x, f"{name}_kernel", f"{name}_bias"],
            name,
            strides=[stride] * 2,
            pads=[kernel // 2] * 4,
            kernel_shape=[kernel] * 2,
        )

    def add(self, x: str, y: str, name: str) -> str:
        return self._node("Add", [x, y], name)

    def relu(self, x: str, name: str) -> str:
        return self._node("Relu", [x], name)

    def _node(self, kind: str, inputs: list[str], name: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name


def write(weights: Weights, path: Path) -> None:
    """Write the file: `weights` has kernel (height, width, in, out) and bias (out,) of every convolution by its name."""
    operations = OnnxOperations(weights)
    features = trace(operations, "pixels")
    graph = helper.make_graph(
        operations.nodes,
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, "height", "width"])],
        [helper.make_tensor_value_info(features, TensorProto.FLOAT, ["n", DIMENSION, "rows", "columns"])],
        operations.initializers,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="embed",
    )
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
