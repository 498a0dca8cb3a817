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
RESIZED = OURS + "resized"


class ONNX:
    """An ``.onnx`` file. See `Format`."""

    name = "ONNX"
    runtime = "ONNX Runtime"
    packages: Sequence[str] = ("onnx", "onnxruntime", "tf2onnx")
    any_size = True
    any_network = True

    def write(self, plan: Plan, file: Path) -> None:
        """Write a classifier. See `Format.write`."""
        import onnx

        onnx.save(_model(plan), file)

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
