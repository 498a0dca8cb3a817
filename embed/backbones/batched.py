"""What runs on a GPU whatever computes it: batches of one length, filled up, two under way."""

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from embed.backbones.backbone import ResolvedNetwork
from embed.errors import UsageError

IN_FLIGHT = 2  # batches on their way through a GPU: one is copied while another is computed


class Compiled(NamedTuple):
    """A network on a device.

    Parameters
    ----------
    submit : callable
        Queues a batch of pixels and returns at once.
    collect : callable
        Waits for its features.
    shape : tuple of int
        Of the features of one picture.
    """

    submit: Callable[[np.ndarray], Any]
    collect: Callable[[Any], np.ndarray]
    shape: tuple[int, ...]


class BatchedRuntime:
    """A network that takes batches of one length. See `Runtime`.

    Batches are filled up to ``batch_size``, so that one shape is compiled and no feature depends on how many pictures came
    along.

    Parameters
    ----------
    network : ResolvedNetwork
    compiled : Compiled
    precision : {"float32", "bfloat16", "float16"}
    gpu : bool
        Whether that is where it runs.
    batch_size : int
    """

    def __init__(
        self, network: ResolvedNetwork, compiled: Compiled, precision: str, *, gpu: bool, batch_size: int
    ) -> None:
        self.size = network.size
        self.precision = precision
        self.device = "gpu" if gpu else "cpu"
        self.batch_size = batch_size
        self._process = os.getpid()
        self._network = compiled
        self.dimension = compiled.shape[-1]
        self._lock = threading.Lock()

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Return features. See `Runtime.run`."""
        if os.getpid() != self._process:
            raise UsageError(
                "'gpu' cannot be used in a forked process; start it by spawn, or use 'cpu'", "device"
            )
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
