"""A network on a CPU, through OpenVINO."""

import ctypes
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from embed.backbones.backbone import ResolvedNetwork
from embed.backbones.compiled import DEVICE, compiled_model
from embed.backbones.graph import import_openvino
from embed.errors import UsageError
from embed.machine import processors

OPENVINO_TYPES = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
OPENVINO_CAPABILITIES = {"bfloat16": "BF16", "float16": "FP16"}


def computes_in(precision: str) -> bool:
    """Return whether this CPU computes in a precision, faster than in float32."""
    return OPENVINO_CAPABILITIES[precision] in _capabilities(import_openvino().Core())


def processor() -> str:
    """Return the name of this CPU, and what it can compute in: features of two that differ may differ in their last digits."""
    core = import_openvino().Core()
    return f"{core.get_property(DEVICE, 'FULL_DEVICE_NAME')} ({', '.join(sorted(_capabilities(core)))})"


def _capabilities(core: Any) -> list[str]:
    return list(core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES"))


class OpenVINORuntime:
    """A network on a CPU. See `Runtime`.

    Parameters
    ----------
    network : ResolvedNetwork
    model : callable
        Returns the file of the graph; called where the network has not been compiled for this processor before.
    precision : {"float32", "bfloat16", "float16"}

    Raises
    ------
    UsageError
        This CPU does not compute in the precision.
    """

    device = "cpu"
    batch_size = 32

    def __init__(
        self, network: ResolvedNetwork, model: Callable[[], Path], precision: str = "float32"
    ) -> None:
        self.size = network.size
        self.precision = precision
        self._network = network
        self._model = model
        self._opening = threading.Lock()
        self._queues: deque = deque()  # those that are idle
        self._compiled: Any = self._compile()
        self._shape = tuple(self._compiled.output(0).shape)[1:]
        self.dimension = self._shape[-1]
        _opened.add(self)

    def _compile(self) -> Any:
        core = import_openvino().Core()
        capability = OPENVINO_CAPABILITIES.get(self.precision)
        if capability and capability not in _capabilities(core):
            raise UsageError(
                f"{self.precision!r} would gain nothing: this CPU does not compute in it; use 'float32'",
                "precision",
            )
        # One picture at a time on each processor: the maps of one stay in its cache, no layer waits for the slowest
        # thread, and no feature depends on how many pictures came along or how many processors there are.
        settings = {
            "NUM_STREAMS": processors(),
            "INFERENCE_NUM_THREADS": processors(),
            "INFERENCE_PRECISION_HINT": OPENVINO_TYPES[self.precision],  # what was asked for, never less
        }
        return compiled_model(core, self._network, settings, lambda: core.read_model(self._model()))

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Return features. See `Runtime.run`."""
        features = np.empty((len(batch), *self._shape), np.float32)
        queue = self._idle_queue()
        rows: dict[int, int] = {}  # what each request computes

        # No callback of ours runs in OpenVINO's threads: to destroy a queue whose thread waits for Python lasts for ever.
        def collect(request: int) -> None:
            if request in rows:
                features[rows.pop(request)] = queue[request].get_output_tensor(0).data[0]

        for row, picture in enumerate(np.ascontiguousarray(batch)):
            request = queue.get_idle_request_id()
            collect(request)
            rows[request] = row
            queue.start_async({0: picture[None]}, share_inputs=True)
        queue.wait_all()
        for request in list(rows):
            collect(request)
        self._queues.append(queue)
        return features

    def _idle_queue(self) -> Any:
        with self._opening:
            if self._compiled is None:
                self._compiled = self._compile()
        try:
            return self._queues.pop()
        except IndexError:
            return import_openvino().AsyncInferQueue(self._compiled, processors())

    def abandon(self) -> None:
        """Forget what was compiled, as a forked child has to: `run` compiles anew."""
        # The threads of OpenVINO stay in the parent: to wait for them would last for ever, and to destroy what they belong
        # to would end the process. It is therefore kept out of the reach of Python for good.
        for inherited in (self._compiled, *self._queues):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))
        self._compiled = None
        self._queues = deque()
        self._opening = threading.Lock()


_opened: "weakref.WeakSet[OpenVINORuntime]" = weakref.WeakSet()


def _after_fork() -> None:
    for runtime in list(_opened):
        runtime.abandon()


os.register_at_fork(after_in_child=_after_fork)
