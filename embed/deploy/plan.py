"""What becomes one file, and the seam of the formats that it can have."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from embed.backbones import ResolvedNetwork
from embed.backbones.network import from_json
from embed.deploy.head import Head

PIXELS, PROBABILITIES = "pixels", "probabilities"  # what the input and the output are called in every format
OPSET = 18  # the first of ONNX that resizes without aliasing
AT_ONCE = 16  # photographs


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A classifier from pixels to probabilities.

    Parameters
    ----------
    network : ResolvedNetwork
        With its preprocessing and its pooling.
    head : Head
    any_size : bool
        Whether pictures of any size are taken, and stretched inside as `embed` stretches them.
    """

    network: ResolvedNetwork
    head: Head
    any_size: bool

    def to_job(self, folder: Path) -> dict[str, Any]:
        """Return it as `from_job` reads it, with its arrays as files in a folder."""
        (folder / "head.npz").write_bytes(self.head.to_bytes())
        return {"network": self.network.to_json(), "any_size": self.any_size, "folder": str(folder)}

    @classmethod
    def from_job(cls, job: dict[str, Any]) -> "Plan":
        """Return what `to_job` wrote."""
        folder = Path(job["folder"])
        return cls(
            network=from_json(job["network"]),
            head=Head.from_bytes((folder / "head.npz").read_bytes()),
            any_size=job["any_size"],
        )


class Format(Protocol):
    """A kind of file that a classifier can be.

    Attributes
    ----------
    name : str
        For people.
    runtime : str
        What runs it, for people.
    packages : sequence of str
        Modules that it needs beside what is always installed.
    any_size : bool
        Whether it can resize inside.
    any_network : bool
        Whether a network can be written into it that is none of Keras's.
    int8 : bool
        Whether it can compute in whole numbers of eight bits.
    """

    @property
    def name(self) -> str: ...
    @property
    def runtime(self) -> str: ...
    @property
    def packages(self) -> Sequence[str]: ...
    @property
    def any_size(self) -> bool: ...
    @property
    def any_network(self) -> bool: ...
    @property
    def int8(self) -> bool: ...

    def write(self, plan: Plan, file: Path, calibration: np.ndarray | None = None) -> None:
        """Write a classifier: `PIXELS`, uint8 (n, h, w, 3), in and `PROBABILITIES`, float32 (n, K), out.

        With photographs for calibration, uint8 (m, size, size, 3), the network computes in eight bits, in the ranges that they
        need.
        """

    def run(self, file: Path, pixels: np.ndarray) -> np.ndarray:
        """Return the probabilities, float32 (n, K), that the runtime of the format gives pixels, uint8 (n, h, w, 3)."""

    def describe(self, file: Path, document: str, classes: Sequence[str]) -> None:
        """Put what is known about the classifier into its file, a JSON document."""
