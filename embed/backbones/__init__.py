"""What computes features: the backbones, their weights, and how one of them is made ready to run.

`Backbone` is the seam: keras.applications and ONNX files are behind it, and nothing else knows which one it has.
"""

from embed.backbones.backbone import (
    NO_POOLING,
    POOLINGS,
    Backbone,
    ResolvedNetwork,
    grid_spans,
    network_name,
)
from embed.backbones.export import export
from embed.backbones.home import home, kept
from embed.backbones.network import BACKBONES, DEFAULT, Network, get, is_file, known
from embed.backbones.runtime import PRECISIONS, Runtime, open_runtime
from embed.backbones.weights import own as check_weights

__all__ = [
    "BACKBONES",
    "DEFAULT",
    "NO_POOLING",
    "POOLINGS",
    "PRECISIONS",
    "Backbone",
    "Network",
    "ResolvedNetwork",
    "Runtime",
    "check_weights",
    "export",
    "get",
    "grid_spans",
    "home",
    "is_file",
    "kept",
    "known",
    "network_name",
    "open_runtime",
]
