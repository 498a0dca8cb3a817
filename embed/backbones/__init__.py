"""The ImageNet backbones: what there is, where the weights are, and how a network becomes a model to run."""

from embed.backbones.export import export, with_weights
from embed.backbones.network import POOLINGS, Network, ResolvedNetwork
from embed.backbones.table import BACKBONES, DEFAULT, Backbone, get

__all__ = [
    "BACKBONES",
    "DEFAULT",
    "POOLINGS",
    "Backbone",
    "Network",
    "ResolvedNetwork",
    "export",
    "get",
    "with_weights",
]
