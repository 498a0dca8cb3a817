"""A network in an ONNX file on a GPU, through ONNX Runtime: neither Keras nor TensorFlow is needed for it.

The file is run as it is. What OpenVINO's graph holds besides, the preprocessing, the mirror image and the pooling, is computed
by NumPy from the same definitions.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.backbones.backbone import ResolvedNetwork, grid_spans, is_pooled
from embed.backbones.batched import IN_FLIGHT, BatchedRuntime, Compiled
from embed.backbones.gpu import driver_present
from embed.backbones.onnx_file import (
    TINY,
    OnnxFile,
    channels_come_first,
    check_value,
    is_token_count,
    layout_of,
)
from embed.backbones.onnx_model import describe, with_output
from embed.backbones.preprocess import parse
from embed.errors import UsageError, WeightsError

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
EXACT = {"use_tf32": "0"}  # float32 is float32
BATCH = 64  # pictures
INSTALL = "pip install 'embed-images[onnx-gpu]'"
TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


def problem() -> str | None:
    """Return why ONNX Runtime cannot use a GPU, or None where it can."""
    return _problem() if driver_present() else "no GPU is visible"


@cache
def _problem() -> str | None:
    try:
        import onnxruntime
    except ImportError:
        return f"ONNX Runtime, which computes networks in ONNX files there, is not installed ({INSTALL})"
    if CUDA not in onnxruntime.get_available_providers():
        return f"the ONNX Runtime that is installed knows no GPU ({INSTALL})"
    assert TINY.file is not None
    # Where a library of CUDA is missing it says so on stderr, and computes on the CPU.
    if _session(str(TINY.file), "", [(CUDA, EXACT)]).get_providers()[0] != CUDA:
        return "ONNX Runtime finds no GPU that it can use, or not the libraries of CUDA and cuDNN"
    return None


class OnnxRuntime(BatchedRuntime):
    """A network in an ONNX file, through ONNX Runtime. See `Runtime`.

    Parameters
    ----------
    network : ResolvedNetwork
        Of an `OnnxFile`, with its file.
    precision : {"float32"}
    gpu : bool
        False runs the same code on the CPU.
    batch_size : int
        For a network that takes any number of pictures.

    Raises
    ------
    UsageError, WeightsError
    """

    def __init__(
        self,
        network: ResolvedNetwork,
        precision: str = "float32",
        *,
        gpu: bool = True,
        batch_size: int = BATCH,
    ) -> None:
        if precision != "float32":
            raise UsageError(
                f"{precision!r} cannot be used: ONNX Runtime computes {network.backbone.name} as it was written; use 'float32'",
                "precision",
            )
        forward = _Forward(network, [(CUDA, EXACT)] if gpu else [CPU], batch_size)
        threads = ThreadPoolExecutor(IN_FLIGHT, "onnx")

        def submit(pixels: np.ndarray) -> Future[np.ndarray]:
            return threads.submit(forward, pixels)

        compiled = Compiled(submit, lambda features: features.result(), forward.shape)
        super().__init__(network, compiled, precision, gpu=gpu, batch_size=forward.batch_size)


class _Forward:
    """Pixels (n, size, size, 3) in, features out, for batches of one length."""

    def __init__(self, network: ResolvedNetwork, providers: Sequence[Any], batch_size: int) -> None:
        assert isinstance(network.backbone, OnnxFile)
        assert network.weights_file is not None
        self._network = network
        self._pixels = parse(network.backbone.pixels)
        self._session = _open(network.weights_file, network, providers)
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            also = ", ".join(repr(one.name) for one in inputs if len(one.shape) != 4)
            raise UsageError(
                f"'gpu' cannot be used: {network.backbone.name} takes {also} besides pictures; export the part that takes "
                "pictures alone, or use 'cpu'",
                "device",
            )
        (self._input,) = inputs
        lengths = tuple(length if isinstance(length, int) else None for length in self._input.shape)
        self._layout = layout_of(lengths)
        self.batch_size = lengths[0] or batch_size
        if self._input.type not in TYPES:
            raise UsageError(
                f"{network.backbone.name!r} takes pictures as {self._input.type}; export it for float",
                "backbone",
            )
        nothing = np.zeros((self.batch_size, network.size, network.size, 3), np.uint8)
        self.shape = self(nothing).shape[1:]  # and the GPU is ready

    def __call__(self, pixels: np.ndarray) -> NDArray[np.float32]:
        """Return the features of a batch, float32 (n, d), or the map (n, h, w, c)."""
        features = self._values(pixels)
        if self._network.mirror:
            mirrored = self._values(pixels[:, :, ::-1])
            features = (features + (mirrored[:, :, ::-1] if mirrored.ndim == 4 else mirrored)) * np.float32(
                0.5
            )
        if is_pooled(features.ndim, self._network):
            return features
        return np.ascontiguousarray(pooled(features, self._network.pooling), np.float32)

    def _values(self, pixels: np.ndarray) -> NDArray[np.float32]:
        """Return what the network gives: maps (n, h, w, c), tokens (n, t, d) or vectors (n, d)."""
        given = self._pixels.of(pixels).astype(TYPES[self._input.type])
        if self._layout == "NCHW":
            given = given.transpose(0, 3, 1, 2)
        try:
            (values,) = self._session.run(
                [self._network.layer], {self._input.name: np.ascontiguousarray(given)}
            )
        except _errors() as error:
            raise UsageError(
                f"{self._network.size} cannot be used: {self._network.backbone.name} does not take {len(pixels)} pictures of "
                f"{self._network.size} pixels a side ({_reason(error)})",
                "size",
            ) from None
        values = _in_order(values, len(pixels), self._network.size)
        if len(values) != len(pixels):
            raise UsageError(
                f"{self._network.layer!r} of {self._network.backbone.name} gives {len(values)} rows for {len(pixels)} pictures; "
                "choose another layer",
                "layer",
            )
        if values.ndim == 4 and channels_come_first(values.shape, self._layout):
            values = values.transpose(0, 2, 3, 1)
        return np.asarray(values, np.float32)


def _in_order(values: NDArray[Any], pictures: int, size: int) -> NDArray[Any]:
    """Return tokens as (n, t, d), where a network gives (t, n, d) or (n, d, t)."""
    if values.ndim != 3:
        return values
    if len(values) != pictures and values.shape[1] == pictures:
        return values.transpose(1, 0, 2)
    last = is_token_count(values.shape[2], size) and not is_token_count(values.shape[1], size)
    return values.transpose(0, 2, 1) if last else values


def pooled(values: NDArray[np.float32], pooling: str) -> NDArray[np.float32]:
    """Return maps (n, h, w, c) or tokens (n, t, d) as vectors (n, d)."""
    inner = tuple(range(1, values.ndim - 1))
    if pooling == "avg":
        return values.mean(inner)
    if pooling == "max":
        return values.max(inner)
    if pooling == "cls":
        return values[:, 0]
    if pooling == "flatten":
        return values.reshape(len(values), -1)
    rows, columns = (grid_spans(values.shape[axis]) for axis in (1, 2))
    return np.concatenate([values[:, a:b, c:d].mean((1, 2)) for a, b in rows for c, d in columns], axis=1)


def _open(file: Path, network: ResolvedNetwork, providers: Sequence[Any]) -> Any:
    described = describe(file)  # no file that it refers to may lie elsewhere
    check_value(
        network.layer, {name for node in described.nodes for name in node.outputs}, network.backbone.name
    )
    try:
        if network.layer in [value.name for value in described.outputs]:
            return _session(str(file), "", providers)
        return _session(with_output(file.read_bytes(), network.layer), str(file.parent), providers)
    except _errors() as error:
        raise WeightsError(f"ONNX Runtime cannot read {file}: {_reason(error)}") from None
    except OSError as error:
        raise WeightsError(f"The network {file} cannot be read: {error.strerror}.") from error


def _session(model: str | bytes, folder: str, providers: Sequence[Any]) -> Any:
    """Return a session for a file, or for its content and the folder of its further files."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    if folder:
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
    return onnxruntime.InferenceSession(model, options, providers)


def _errors() -> tuple[type[Exception], ...]:
    """Return what ONNX Runtime raises."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = (
        "Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile", "NotImplemented", "RuntimeException", "EPFail",
    )  # fmt: skip
    return tuple(getattr(state, name) for name in names)


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300].rstrip(".")
