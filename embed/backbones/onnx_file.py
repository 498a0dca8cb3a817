"""A backbone that is an ONNX file, which OpenVINO reads by itself; `tiny`, which comes with the package, is one."""

import difflib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from embed.backbones.backbone import Request, ResolvedNetwork, Weights
from embed.backbones.graph import import_openvino
from embed.errors import UsageError

if TYPE_CHECKING:
    import keras
    import openvino

NEAREST_SHOWN = 5
# What identifies the weights of `tiny` is the hash of the file that they were first published in, so that features that
# were computed with it stay valid. Any other content of the file is known by its own hash.
SAME_WEIGHTS = {
    "436065ebf92f8d1ee3dbde8cabb860868b034b66ccdf769be63ff7a5fa0932ca": (
        "2f1c17b0f80196902e892c6dd15d730e3ee7ffc4c7fd5556c72ef3a6086c9312"
    )
}


@dataclass(frozen=True, kw_only=True)
class OnnxFile:
    """A network in an ONNX file that takes pixels (n, 3, size, size). See `Backbone`.

    Parameters
    ----------
    file : Path
    mean, scale : float
        ``(pixel - mean) / scale`` is what the file takes, for pixels 0..255.
    layer : str
        Name of the value that is read by default: a map (n, c, h, w), or vectors (n, d).
    """

    name: str
    file: Path
    input_size: int
    min_size: int
    dimension: int
    parameters: int
    weights_mb: float
    top1: float | None
    layer: str
    mean: float
    scale: float
    needs_keras: bool = False

    @property
    def published(self) -> str:
        """Label of the weights that the file holds."""
        return self.name

    @property
    def preprocessing(self) -> str:
        """What becomes of the pixels."""
        return f"(x - {self.mean:g}) / {self.scale:g}"

    def weights(self, request: Request, own_file: Path | None) -> Weights:
        """Return the weights, which the file holds. See `Backbone.weights`."""
        if own_file is not None:
            raise UsageError(
                f"{str(own_file)!r} cannot be used: {self.name} brings its own weights", "weights"
            )
        digest = hashlib.sha256(self.file.read_bytes()).hexdigest()
        return Weights(self.name, SAME_WEIGHTS.get(digest, digest), self.file)

    def graph(self, network: ResolvedNetwork) -> "openvino.Model":
        """Return the graph up to the value that is read. See `Backbone.graph`."""
        openvino = import_openvino()
        from openvino.preprocess import PrePostProcessor

        graph = openvino.Core().read_model(self.file)
        values = {
            name: output
            for node in graph.get_ordered_ops()
            for output in node.outputs()
            for name in output.names
        }
        if network.layer not in values:
            nearest = difflib.get_close_matches(network.layer, values, NEAREST_SHOWN, 0.0)
            raise UsageError(
                f"{network.layer!r} is not in {self.name}; the nearest names are {', '.join(nearest)}",
                "layer",
            )
        graph = openvino.Model([values[network.layer]], graph.get_parameters(), self.name)
        graph.reshape([-1, 3, network.size, network.size])
        steps = PrePostProcessor(graph)
        steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
        steps.input().model().set_layout(openvino.Layout("NCHW"))
        steps.input().preprocess().convert_element_type(openvino.Type.f32).mean(self.mean).scale(self.scale)
        if graph.output(0).partial_shape.rank.get_length() == 4:
            steps.output().model().set_layout(openvino.Layout("NCHW"))
            steps.output().tensor().set_layout(openvino.Layout("NHWC"))
        return steps.build()

    def keras_model(self, network: ResolvedNetwork, dtype_policy: str) -> "keras.Model":
        """Raise UsageError: OpenVINO runs an ONNX file, on a processor."""
        raise UsageError(f"'gpu' cannot run {self.name}, which OpenVINO runs on the CPU; use 'cpu'", "device")


TINY = OnnxFile(
    name="tiny",
    file=Path(__file__).with_name("tiny.onnx"),
    input_size=112,
    min_size=64,
    dimension=512,
    parameters=1_351_232,
    weights_mb=2.6,
    top1=None,
    layer="features",
    mean=127.5,
    scale=64,
)
