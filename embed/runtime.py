"""Run a backbone: batches of uint8 pixels in, float32 features out."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from embed.backbones import Network, ResolvedNetwork, export
from embed.errors import UsageError

DEVICES = ("auto", "cpu", "gpu")
PRECISIONS = ("float32", "bfloat16", "float16")


class Runtime(Protocol):
    """A network that is ready to run.

    dimension: features of a photograph (of one cell of the map where nothing is pooled). size: side of the pictures in
    pixels. device: "cpu" or "gpu". batch_size: pictures in a batch, as it runs best.
    """

    dimension: int
    size: int
    device: str
    precision: str
    batch_size: int

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Features, float32 (n, dimension) or (n, h, w, dimension), of pixels, uint8 (n, size, size, 3).

        Any thread may call it.
        """


def open_runtime(
    network: Network | ResolvedNetwork,
    device: str = "auto",
    precision: str = "float32",
    notify: Callable[[str], None] | None = None,
) -> Runtime:
    """Make a network ready to run: OpenVINO on a CPU, Keras on a GPU ("auto" takes a GPU where one is visible).

    The first time on a machine the network is exported, which `notify` is told. Raises UsageError for a device or
    precision that this machine has not, WeightsError where the weights cannot be had.
    """
    if device not in DEVICES:
        raise UsageError(f"Unknown device {device!r}; choose one of {', '.join(DEVICES)}.")
    if precision not in PRECISIONS:
        raise UsageError(f"Unknown precision {precision!r}; choose one of {', '.join(PRECISIONS)}.")
    resolved = network.resolve() if isinstance(network, Network) else network
    return OpenVINORuntime(resolved, export(resolved, notify), precision)


class OpenVINORuntime:
    """A network on a CPU, through OpenVINO. See `Runtime`."""

    device = "cpu"
    batch_size = 32

    def __init__(self, network: ResolvedNetwork, model: Path, precision: str = "float32") -> None:
        import openvino

        self.size = network.size
        self.precision = precision
        core = openvino.Core()
        graph = core.read_model(model)
        self.dimension = graph.output(0).get_partial_shape()[-1].get_length()
        self._compiled = core.compile_model(
            graph,
            "CPU",
            {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": openvino.Type.f32},
        )

    def run(self, batch: np.ndarray) -> np.ndarray:
        """See `Runtime.run`."""
        request = self._compiled.create_infer_request()
        return np.array(request.infer(batch, share_inputs=True)[0], dtype=np.float32)
