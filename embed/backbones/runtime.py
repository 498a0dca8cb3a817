"""Run a backbone: batches of uint8 pixels in, float32 features out."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from embed.backbones import gpu, onnx_gpu
from embed.backbones.backbone import ResolvedNetwork
from embed.backbones.cpu import OpenVINORuntime, computes_in
from embed.backbones.export import export, with_weights
from embed.backbones.network import Network
from embed.errors import UsageError

DEVICES = ("auto", "cpu", "gpu")
# What runs a backbone on a GPU: the module that says whether it can, and the runtime.
GPUS: dict[str, tuple[Any, Callable[..., "Runtime"]]] = {
    "keras": (gpu, gpu.KerasRuntime),
    "onnx": (onnx_gpu, onnx_gpu.OnnxRuntime),
}
PRECISIONS = {
    "float32": "float32",
    "bf16": "bfloat16",
    "bfloat16": "bfloat16",
    "fp16": "float16",
    "float16": "float16",
}  # as users write them, and as they are called everywhere else


def faster_in_bfloat16(device: str) -> bool:
    """Return whether a backbone runs on this CPU, and would run faster in bfloat16."""
    return (device == "cpu" or not gpu.driver_present()) and computes_in("bfloat16")


class Runtime(Protocol):
    """A network that is ready to run.

    Attributes
    ----------
    dimension : int
        Features of a picture (of one cell of the map where nothing is pooled).
    size : int
        Side of the pictures in pixels.
    device : {"cpu", "gpu"}
    precision : {"float32", "bfloat16", "float16"}
    batch_size : int
        Pictures in a batch, as it runs best.
    """

    dimension: int
    size: int
    device: str
    precision: str
    batch_size: int

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Return features.

        Several threads may call it at once; on a GPU one batch is then copied while another is computed.

        Parameters
        ----------
        batch : ndarray of shape (n, size, size, 3), uint8
            Pixels, RGB.

        Returns
        -------
        ndarray of shape (n, dimension) or (n, h, w, dimension), float32
        """


def open_runtime(
    network: Network | ResolvedNetwork,
    device: str = "auto",
    precision: str = "float32",
    notify: Callable[[str], None] | None = None,
) -> Runtime:
    """Make a network ready to run: OpenVINO on a CPU; Keras on a GPU, or ONNX Runtime for what is an ONNX file.

    Parameters
    ----------
    network : Network or ResolvedNetwork
    device : {"auto", "cpu", "gpu"}
        ``"auto"`` takes a GPU where one can be used.
    precision : str
        Arithmetic of the forward pass; one of `PRECISIONS`.
    notify : callable, optional
        Told where the network is exported, which takes seconds, the first time on a machine.

    Raises
    ------
    UsageError
        There is no such device or precision, or this machine has not got it.
    WeightsError
        The weights cannot be had.
    """
    if device not in DEVICES:
        raise UsageError(f"{device!r} is not known; it is one of {', '.join(DEVICES)}", "device")
    if precision not in PRECISIONS:
        raise UsageError(f"{precision!r} is not known; it is one of {', '.join(PRECISIONS)}", "precision")
    precision = PRECISIONS[precision]
    resolved = network.resolve() if isinstance(network, Network) else network
    if device != "cpu":
        module, runtime = GPUS[resolved.backbone.framework]
        problem = module.problem()
        if problem is None:
            return runtime(with_weights(resolved), precision)
        if device == "gpu":
            raise UsageError(f"'gpu' cannot be used: {problem}; use 'cpu'", "device")
    return OpenVINORuntime(resolved, lambda: export(resolved, notify), precision)
