"""Writing the graph of a network: here, or as the job of a child process where that imports Keras."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embed.backbones import child
from embed.backbones.backbone import ResolvedNetwork
from embed.backbones.compiled import DEVICE
from embed.backbones.graph import complete, import_openvino
from embed.backbones.network import from_json
from embed.backbones.store import MODEL
from embed.errors import CacheWriteError, UsageError

if TYPE_CHECKING:
    import openvino


def write(network: ResolvedNetwork, folder: Path) -> dict[str, Any]:
    """Write a network as ``model.xml`` and ``model.bin`` for OpenVINO.

    Returns
    -------
    dict
        Shape of the features of a picture, and the versions of what made the graph.

    Raises
    ------
    WeightsError, UsageError
    CacheWriteError
        The disk refused.
    """
    openvino = import_openvino()
    graph = complete(network.backbone.graph(network), network)
    if network.own_weights:
        _try_out(graph, network)
    try:
        openvino.serialize(graph, folder / MODEL)
    except RuntimeError as error:  # OpenVINO says no more of a full disk
        raise CacheWriteError(
            f"OpenVINO cannot write the exported backbone to {folder.parent} ({error}). "
            "Free some space or set EMBED_HOME to another folder."
        ) from error
    libraries = ("keras", "openvino", "tensorflow")
    return {
        "shape": [length.get_length() for length in list(graph.output(0).get_partial_shape())[1:]],
        "libraries": {name: sys.modules[name].__version__ for name in libraries if name in sys.modules},
    }


def _try_out(graph: "openvino.Model", network: ResolvedNetwork) -> None:
    """Compute one picture: not everything that cannot be is found by looking at a graph.

    Raises
    ------
    UsageError
        It cannot be computed.
    """
    picture = [1, network.size, network.size, 3]
    problem = ""
    try:
        trial = graph.clone()
        trial.reshape(picture)
        import_openvino().Core().compile_model(trial, DEVICE)({0: np.zeros(picture, np.uint8)})
    except RuntimeError as error:
        problem = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip().rstrip(".")
    if problem:
        raise UsageError(
            f"{network.size} cannot be used: {network.backbone.name} does not give {network.layer!r} of a picture of "
            f"{network.size} pixels a side ({problem}); choose another size or layer",
            "size",
        )


def main() -> None:
    """Do the job of a child process."""
    child.serve(lambda job: write(from_json(job["network"]), Path(job["folder"])))
