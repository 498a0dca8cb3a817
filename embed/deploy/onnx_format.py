"""ONNX: ``.onnx`` for ONNX Runtime, on servers, in browsers and apps."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from embed.deploy.onnx_graph import FLOAT, OURS, UINT8, Graph, OnnxArithmetic
from embed.deploy.onnx_network import graph_of, session
from embed.deploy.plan import AT_ONCE, PIXELS, PROBABILITIES, Plan

if TYPE_CHECKING:
    import onnx

DOCUMENT = "embed"  # the key of the metadata
IN_EIGHT_BITS = ["Conv", "Gemm", "MatMul", "Add", "Clip", "Relu"]
AVERAGED = 0.05  # weight of a photograph in the range of a value, so that none sets it alone
RESIZED = OURS + "resized"


class ONNX:
    """An ``.onnx`` file. See `Format`."""

    name = "ONNX"
    runtime = "ONNX Runtime"
    packages: Sequence[str] = ("onnx", "onnxruntime", "tf2onnx")
    any_size = True
    any_network = True
    int8 = True

    def write(self, plan: Plan, file: Path, calibration: np.ndarray | None = None) -> None:
        """Write a classifier. See `Format.write`."""
        import onnx

        model = _model(plan)
        if calibration is None:
            onnx.save(model, file)
        else:
            _write_in_eight_bits(model, file, calibration)

    def run(self, file: Path, pixels: np.ndarray) -> np.ndarray:
        """Return the probabilities. See `Format.run`."""
        network = session(str(file))
        several = isinstance(network.get_inputs()[0].shape[0], str)
        step = AT_ONCE if several else 1
        starts = range(0, len(pixels), step)
        return np.concatenate(
            [network.run([PROBABILITIES], {PIXELS: pixels[start : start + step]})[0] for start in starts]
        )

    def describe(self, file: Path, document: str, classes: Sequence[str]) -> None:
        """Put a document into the metadata. See `Format.describe`."""
        import onnx

        model = onnx.load(file)
        onnx.helper.set_model_props(model, {DOCUMENT: document})
        onnx.save(model, file)


def _model(plan: Plan) -> "onnx.ModelProto":
    graph, features = graph_of(plan)
    sides: list[str | int] = [plan.network.size, plan.network.size]
    if plan.any_size:
        graph.read_instead(PIXELS, RESIZED)
        with graph.before_all():
            _resize(graph, plan.network.size)
        sides = ["height", "width"]
    probabilities = plan.head.write(features, OnnxArithmetic(graph))
    graph.node("Identity", probabilities, out=PROBABILITIES)
    graph.close(PROBABILITIES, sides, plan.head.classes)
    return graph.model


def _write_in_eight_bits(model: "onnx.ModelProto", file: Path, calibration: np.ndarray) -> None:
    """Write a model whose network computes in eight bits; what is ours, the head above all, stays as it is."""
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Photographs(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self._next = iter(calibration)

        def get_next(self) -> dict[str, np.ndarray] | None:
            picture = next(self._next, None)
            return None if picture is None else {PIXELS: picture[None]}

    onnx.save(model, file)
    # What is computed of weights alone becomes weights.
    quant_pre_process(file, file, skip_symbolic_shape=True)
    model = onnx.load(file)
    quantization.quantize_static(
        model,
        file,
        Photographs(),
        op_types_to_quantize=IN_EIGHT_BITS,
        nodes_to_exclude=[node.name for node in model.graph.node if node.name.startswith(OURS)],
        per_channel=True,
        # Products of signed and unsigned values overflow in processors without VNNI, and answers would differ between machines.
        # https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QUInt8,
        extra_options={"CalibMovingAverage": True, "CalibMovingAverageConstant": AVERAGED},
    )


def _resize(graph: Graph, side: int) -> None:
    """Stretch pictures of any size, as Pillow does: each value is the mean of what it covers, and whole."""
    x = graph.node("Cast", PIXELS, to=FLOAT)
    x = graph.node("Transpose", x, perm=[0, 3, 1, 2])
    x = graph.node(
        "Resize",
        x,
        "",
        "",
        # Of all four axes: with sizes of two, ONNX Runtime loses them where it moves transpositions about.
        graph.node("Concat", graph.node("Shape", x, end=2), graph.integers(side, side), axis=0),
        mode="linear",
        antialias=1,
        exclude_outside=1,  # as Pillow does at the edges
        coordinate_transformation_mode="half_pixel",
    )
    x = graph.node("Cast", graph.node("Round", x), to=UINT8)
    graph.node("Transpose", x, perm=[0, 2, 3, 1], out=RESIZED)
