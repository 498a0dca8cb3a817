"""From photographs to features: plan what is new, moved or gone; run it; commit."""

from embed.extract import sample
from embed.extract.here import Executor
from embed.extract.options import FeatureOptions, RunOptions
from embed.extract.outside import Embedded, Embedder, embed_files, network_of
from embed.extract.route import extract_features
from embed.extract.summary import Progress, Summary

__all__ = [
    "Embedded",
    "Embedder",
    "Executor",
    "FeatureOptions",
    "Progress",
    "RunOptions",
    "Summary",
    "embed_files",
    "extract_features",
    "network_of",
    "sample",
]
