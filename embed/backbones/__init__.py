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
from embed.backbones.cpu import processor
from embed.backbones.cuts import Cut
from embed.backbones.cuts import choose as choose_cut
from embed.backbones.export import export
from embed.backbones.network import BACKBONES, DEFAULT, Network, from_json, get, is_file, known
from embed.backbones.runtime import PRECISIONS, Runtime, faster_in_bfloat16, open_runtime
from embed.backbones.tuned import Tuning
from embed.backbones.tuned import append as append_tuning
from embed.backbones.tuned import read as read_tuning
from embed.backbones.weights import own as check_weights
from embed.backbones.weights import tuning
from embed.files.home import home

__all__ = [
    "BACKBONES",
    "DEFAULT",
    "NO_POOLING",
    "POOLINGS",
    "PRECISIONS",
    "Backbone",
    "Cut",
    "Network",
    "ResolvedNetwork",
    "Runtime",
    "Tuning",
    "append_tuning",
    "check_weights",
    "choose_cut",
    "export",
    "faster_in_bfloat16",
    "from_json",
    "get",
    "grid_spans",
    "home",
    "is_file",
    "known",
    "network_name",
    "open_runtime",
    "processor",
    "read_tuning",
    "tuning",
]
