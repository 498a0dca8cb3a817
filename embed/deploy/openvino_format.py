"""OpenVINO: ``.xml`` with its ``.bin``. The graph of a network is what computes its features; the head goes on top."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embed.backbones import export
from embed.backbones.graph import import_openvino
from embed.deploy.arithmetic import Arithmetic
from embed.deploy.plan import PIXELS, PROBABILITIES, Plan

if TYPE_CHECKING:
    import openvino

HEIGHT_AND_WIDTH = (1, 2)


class OpenVINO:
    """See `Format`."""

    name = "OpenVINO"
    runtime = "OpenVINO"
    packages: Sequence[str] = ()
    any_size = True
    any_network = True
    int8 = False

    def write(self, plan: Plan, file: Path, calibration: np.ndarray | None = None) -> None:
        """Write a classifier. See `Format.write`."""
        openvino = import_openvino()
        from openvino import opset13 as opset

        graph = openvino.Core().read_model(export(plan.network))
        (pixels,) = graph.get_parameters()
        features = graph.output(0).get_node().input_value(0)
        if plan.any_size:
            pixels = _any_size(pixels, plan.network.size)
        pixels.output(0).get_tensor().set_names({PIXELS})
        result = opset.result(plan.head.write(features, OpenVINOArithmetic(opset)))
        result.output(0).get_tensor().set_names({PROBABILITIES})
        openvino.save_model(
            openvino.Model([result], [pixels], plan.network.backbone.name), file, compress_to_fp16=False
        )

    def run(self, file: Path, pixels: np.ndarray) -> np.ndarray:
        """Return the probabilities. See `Format.run`."""
        compiled = import_openvino().Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        return np.concatenate([compiled(row[None])[0] for row in pixels])

    def describe(self, file: Path, document: str, classes: Sequence[str]) -> None:
        """Put a document into the file. See `Format.describe`."""
        openvino = import_openvino()
        graph = openvino.Core().read_model(file)
        graph.set_rt_info(document, ["embed", "classifier"])
        described = file.with_name(f"described-{file.name}")
        openvino.save_model(graph, described, compress_to_fp16=False)
        del graph  # which has the weights of the file mapped
        for suffix in (".bin", ".xml"):
            described.with_suffix(suffix).replace(file.with_suffix(suffix))


def _any_size(pixels: "openvino.Node", size: int) -> "openvino.Node":
    """Return an input of any size, with its pictures in the place of an input of one size."""
    openvino = import_openvino()
    from openvino import opset13 as opset

    readers = pixels.output(0).get_target_inputs()
    n = pixels.get_partial_shape()[0]
    given = opset.parameter(openvino.PartialShape([n, -1, -1, 3]), np.uint8, PIXELS)
    resized = opset.interpolate(
        opset.convert(given, "f32"),
        np.array([size, size]),
        "bilinear_pillow",
        "sizes",
        pads_begin=[0, 0, 0, 0],
        pads_end=[0, 0, 0, 0],
        axes=np.array(HEIGHT_AND_WIDTH),
    )
    rounded = opset.convert(opset.round(resized, "half_to_even"), "u8")
    for reader in readers:
        reader.replace_source_output(rounded.output(0))
    return given


class OpenVINOArithmetic(Arithmetic):
    """The arithmetic of a head in a set of OpenVINO's operations."""

    def __init__(self, opset: Any) -> None:
        self._opset = opset

    def affine(self, x: Any, matrix: np.ndarray, offset: np.ndarray) -> Any:
        product = self._opset.matmul(x, self._opset.constant(matrix), False, False)
        return self._opset.add(product, self._opset.constant(offset[None]))

    def add(self, x: Any, y: Any) -> Any:
        return self._opset.add(x, y)

    def multiply(self, x: Any, y: Any) -> Any:
        return self._opset.multiply(x, y)

    def divide(self, x: Any, y: Any) -> Any:
        return self._opset.divide(x, y)

    def total(self, x: Any) -> Any:
        return self._opset.reduce_sum(x, np.array([1]), True)

    def at_least(self, x: Any, least: np.float32) -> Any:
        return self._opset.maximum(x, least)

    def absolute(self, x: Any) -> Any:
        return self._opset.abs(x)

    def below_zero(self, x: Any) -> Any:
        return self._opset.convert(self._opset.less(x, np.float32(0)), "f32")

    def exponential(self, x: Any) -> Any:
        return self._opset.exp(x)

    def square_root(self, x: Any) -> Any:
        return self._opset.sqrt(x)

    def cube_root(self, x: Any) -> Any:
        size = self._opset.power(self._opset.abs(x), np.float32(1 / 3))
        return self._opset.multiply(self._opset.sign(x), size)

    def sigmoid(self, x: Any) -> Any:
        return self._opset.sigmoid(x)

    def softmax(self, x: Any) -> Any:
        return self._opset.softmax(x, 1)
