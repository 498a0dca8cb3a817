"""Run a backbone: batches of uint8 pixels in, float32 features out."""

import ctypes
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from embed.backbones import Network, ResolvedNetwork, blob, compiled, export, with_weights
from embed.backbones.quiet import import_openvino
from embed.errors import UsageError

DEVICES = ("auto", "cpu", "gpu")
PRECISIONS = ("float32", "bfloat16", "float16")
OPENVINO_TYPES = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
OPENVINO_CAPABILITIES = {"bfloat16": "BF16", "float16": "FP16"}
IN_FLIGHT = 2  # batches on their way through a GPU: one is copied while another is computed


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

        Several threads may call it at once; on a GPU one batch is then copied while another is computed.
        """


def open_runtime(
    network: Network | ResolvedNetwork,
    device: str = "auto",
    precision: str = "float32",
    notify: Callable[[str], None] | None = None,
) -> Runtime:
    """Make a network ready to run: OpenVINO on a CPU, Keras on a GPU ("auto" takes a GPU where one can be used).

    The first time on a machine the network is exported, which `notify` is told. Raises UsageError for a device or
    precision that this machine has not, WeightsError where the weights cannot be had.
    """
    if device not in DEVICES:
        raise UsageError(f"Unknown device {device!r}; choose one of {', '.join(DEVICES)}.")
    if precision not in PRECISIONS:
        raise UsageError(f"Unknown precision {precision!r}; choose one of {', '.join(PRECISIONS)}.")
    resolved = network.resolve() if isinstance(network, Network) else network
    if device != "cpu":
        problem = compiled.gpu_problem()
        if problem is None:
            return KerasRuntime(with_weights(resolved), precision)
        if device == "gpu":
            raise UsageError(f"Cannot run on a GPU: {problem}. Use --device cpu.")
    return OpenVINORuntime(resolved, lambda: export(resolved, notify), precision)


class OpenVINORuntime:
    """A network on a CPU, through OpenVINO. See `Runtime`.

    model: returns the file of the graph; called where the network has not been compiled for this processor before.
    """

    device = "cpu"
    batch_size = 32

    def __init__(
        self, network: ResolvedNetwork, model: Callable[[], Path], precision: str = "float32"
    ) -> None:
        openvino = import_openvino()
        self.size = network.size
        self.precision = precision
        core = openvino.Core()
        capability = OPENVINO_CAPABILITIES.get(precision)
        if capability and capability not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise UsageError(
                f"This CPU does not compute in {precision}, so that it would gain nothing; use --precision float32."
            )
        # One picture at a time on each processor: the maps of one stay in its cache, no layer waits for the slowest
        # thread, and no feature depends on how many pictures came along or how many processors there are.
        processors = len(os.sched_getaffinity(0))
        settings = {
            "NUM_STREAMS": processors,
            "INFERENCE_NUM_THREADS": processors,
            "INFERENCE_PRECISION_HINT": OPENVINO_TYPES[precision],  # what was asked for, never less
        }
        picture = [1, self.size, self.size, 3]

        def compile_network() -> Any:
            core = openvino.Core()
            return blob.compiled_model(core, network, picture, settings, lambda: core.read_model(model()))

        self._compile = compile_network
        self._new_queue = lambda: openvino.AsyncInferQueue(self._compiled, processors)
        self._queues: deque = deque()  # those that are idle
        self._compiled: Any = self._compile()
        self._shape = tuple(self._compiled.output(0).shape)[1:]
        self.dimension = self._shape[-1]
        self._reopening = threading.Lock()
        _opened.add(self)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """See `Runtime.run`."""
        features = np.empty((len(batch), *self._shape), np.float32)

        def store(request: Any, row: int) -> None:
            features[row] = request.get_output_tensor(0).data[0]

        if self._compiled is None:
            with self._reopening:
                self._compiled = self._compiled or self._compile()
        try:
            queue = self._queues.pop()
        except IndexError:
            queue = self._new_queue()
        queue.set_callback(store)
        for row, picture in enumerate(np.ascontiguousarray(batch)):
            queue.start_async({0: picture[None]}, userdata=row, share_inputs=True)
        queue.wait_all()
        self._queues.append(queue)
        return features

    def abandon(self) -> None:
        """Forget what was compiled, as a forked child has to: `run` compiles anew."""
        # The threads of OpenVINO stay in the parent: to wait for them would last for ever, and so to destroy what they
        # belong to ends the process. It is therefore kept out of reach of Python for good.
        for inherited in (self._compiled, *self._queues):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))
        self._compiled = None
        self._queues = deque()
        self._reopening = threading.Lock()


_opened: "weakref.WeakSet[OpenVINORuntime]" = weakref.WeakSet()


def _after_fork() -> None:
    for runtime in list(_opened):
        runtime.abandon()


os.register_at_fork(after_in_child=_after_fork)


class KerasRuntime:
    """A network through Keras, compiled by its backend; meant for a GPU. See `Runtime`.

    gpu: False runs the same code on the CPU. Batches are filled up to `batch_size`, so that one shape is compiled and
    no feature depends on how many pictures came along.
    """

    def __init__(
        self, network: ResolvedNetwork, precision: str = "float32", *, gpu: bool = True, batch_size: int = 256
    ) -> None:
        self.size = network.size
        self.precision = precision
        self.device = "gpu" if gpu else "cpu"
        self.batch_size = batch_size
        self._network = compiled.compile_network(network, precision, gpu=gpu)
        self.dimension = self._network.shape[-1]
        self._lock = threading.Lock()

    def run(self, batch: np.ndarray) -> np.ndarray:
        """See `Runtime.run`."""
        results: list[np.ndarray] = []
        under_way: deque = deque()
        for start in range(0, len(batch), self.batch_size):
            piece = batch[start : start + self.batch_size]
            under_way.append((len(piece), self._submit(piece)))
            if len(under_way) == IN_FLIGHT:
                results.append(self._collect(*under_way.popleft()))
        results.extend(self._collect(*piece) for piece in under_way)
        return np.concatenate(results) if results else np.empty((0, *self._network.shape), np.float32)

    def _submit(self, batch: np.ndarray) -> object:
        if len(batch) < self.batch_size:
            filled = np.zeros((self.batch_size, *batch.shape[1:]), np.uint8)
            filled[: len(batch)] = batch
            batch = filled
        with self._lock:  # tracing a function is no matter for two threads
            return self._network.submit(np.ascontiguousarray(batch))

    def _collect(self, length: int, features: object) -> np.ndarray:
        return self._network.collect(features)[:length]
