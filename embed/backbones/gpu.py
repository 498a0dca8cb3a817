"""A network through Keras, compiled by its backend, for a GPU: TensorFlow, JAX or PyTorch, whichever Keras is configured for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from embed.backbones.backbone import ResolvedNetwork
from embed.backbones.batched import BatchedRuntime, Compiled
from embed.errors import UsageError

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
DRIVER_FILES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # NVIDIA, NVIDIA under WSL, AMD


class KerasRuntime(BatchedRuntime):
    """A network through Keras. See `Runtime`.

    Parameters
    ----------
    network : ResolvedNetwork
    precision : {"float32", "bfloat16", "float16"}
    gpu : bool
        False runs the same code on the CPU.
    batch_size : int

    Raises
    ------
    UsageError, WeightsError
    """

    def __init__(
        self, network: ResolvedNetwork, precision: str = "float32", *, gpu: bool = True, batch_size: int = 256
    ) -> None:
        compiled = compile_network(network, precision, gpu=gpu)
        super().__init__(network, compiled, precision, gpu=gpu, batch_size=batch_size)


def driver_present() -> bool:
    """Return whether there may be a GPU at all; answered without importing anything that takes seconds."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1")
    return not hidden and any(Path(file).exists() for file in DRIVER_FILES)


def problem() -> str | None:
    """Return why Keras's backend cannot use a GPU, or None where it can. Imports the backend."""
    if not driver_present():
        return "no GPU is visible"
    name = _backend()
    if name == "tensorflow":
        import tensorflow

        found = bool(tensorflow.config.list_physical_devices("GPU"))
    elif name == "jax":
        import jax

        found = jax.default_backend() not in ("cpu", "tpu")
    elif name == "torch":
        import torch

        found = torch.cuda.is_available()
    else:
        return f"Keras is configured for {name}, which runs on no GPU"
    return None if found else f"{name}, which Keras is configured for, finds no GPU"


def compile_network(network: ResolvedNetwork, precision: str, *, gpu: bool) -> Compiled:
    """Build and compile a network with Keras's backend.

    Raises
    ------
    UsageError, WeightsError
    """
    compilers = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
    name = _backend()
    if name not in compilers:
        raise UsageError(
            f"'gpu' cannot be used: Keras is configured for {name}; set KERAS_BACKEND to one of {', '.join(compilers)}",
            "device",
        )
    if name == "tensorflow":
        _share_gpu_memory()
    from embed.backbones.build import complete

    model = complete(network.backbone.keras_model(network, POLICIES[precision]), network)
    return compilers[name](model, precision, gpu)


def _backend() -> str:
    with _silence():
        import keras
    return str(keras.backend.backend())


@contextmanager
def _silence() -> Iterator[None]:
    """Keep what TensorFlow's C++ writes while it is imported off the user's terminal."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    stderr = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


def _share_gpu_memory() -> None:
    import tensorflow

    for device in tensorflow.config.list_physical_devices("GPU"):
        if not tensorflow.config.list_logical_devices("GPU"):
            tensorflow.config.experimental.set_memory_growth(device, True)


def _tensorflow(model: Any, precision: str, gpu: bool) -> Compiled:
    import tensorflow

    if gpu and precision == "float32":
        tensorflow.config.experimental.enable_tensor_float_32_execution(False)

    # XLA pays on a GPU only; on a CPU it is ten times slower than the plain graph.
    @tensorflow.function(jit_compile=gpu)
    def forward(pixels: Any) -> Any:
        return model(pixels, training=False)

    return Compiled(
        lambda pixels: forward(tensorflow.constant(pixels)),
        lambda features: np.asarray(features.numpy(), dtype=np.float32),
        tuple(model.output_shape[1:]),
    )


def _jax(model: Any, precision: str, gpu: bool) -> Compiled:
    import jax

    matmul = "float32" if precision == "float32" else "default"
    trainable = [variable.value for variable in model.trainable_variables]
    fixed = [variable.value for variable in model.non_trainable_variables]

    @jax.jit
    def forward(trainable: Any, fixed: Any, pixels: Any) -> Any:
        with jax.default_matmul_precision(matmul):
            return model.stateless_call(trainable, fixed, pixels, training=False)[0]

    return Compiled(
        lambda pixels: forward(trainable, fixed, jax.device_put(pixels)),
        lambda features: np.asarray(features, dtype=np.float32),
        tuple(model.output_shape[1:]),
    )


def _torch(model: Any, precision: str, gpu: bool) -> Compiled:
    import torch

    if precision == "float32":
        torch.backends.cudnn.allow_tf32 = False
    model.eval()
    forward = torch.compile(model) if gpu else model
    device = "cuda" if gpu else "cpu"

    def submit(pixels: np.ndarray) -> Any:
        with torch.inference_mode():
            batch = torch.from_numpy(pixels)
            batch = batch.pin_memory().to(device, non_blocking=True) if gpu else batch
            return forward(batch, training=False)

    return Compiled(
        submit,
        lambda features: features.to(torch.float32).cpu().numpy(),
        tuple(model.output_shape[1:]),
    )
