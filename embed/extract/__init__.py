"""From photographs to features: plan what is new, moved or gone; run it; commit."""

from embed.extract import pipeline, sample
from embed.extract.commit import Sink
from embed.extract.here import Executor, Here
from embed.extract.options import FeatureOptions, RunOptions
from embed.extract.outside import Embedded, Embedder, embed_files, network_of
from embed.extract.plan import Plan
from embed.extract.route import extract_features, libraries
from embed.extract.summary import Progress, Summary

__all__ = [
    "Embedded",
    "Embedder",
    "Executor",
    "FeatureOptions",
    "Here",
    "Plan",
    "Progress",
    "RunOptions",
    "Sink",
    "Summary",
    "embed_files",
    "extract_features",
    "libraries",
    "network_of",
    "pipeline",
    "sample",
]
