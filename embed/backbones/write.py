"""Writing the graph of a network: here, or as the job of a child process where that imports Keras."""

import sys
from pathlib import Path
from typing import Any

from embed.backbones import child
from embed.backbones.backbone import ResolvedNetwork
from embed.backbones.graph import complete, import_openvino
from embed.backbones.network import from_json
from embed.backbones.store import MODEL
from embed.errors import CacheWriteError


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


def main() -> None:
    """Do the job of a child process."""
    child.serve(lambda job: write(from_json(job["network"]), Path(job["folder"])))
