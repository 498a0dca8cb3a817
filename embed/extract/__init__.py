"""The pipeline: find the photographs, skip what is known, decode, run the backbone, commit."""

from embed.extract.options import FeatureOptions, RunOptions
from embed.extract.outside import Embedded, embed_files, network_of
from embed.extract.route import extract_features
from embed.extract.summary import Progress, Summary

__all__ = [
    "Embedded",
    "FeatureOptions",
    "Progress",
    "RunOptions",
    "Summary",
    "embed_files",
    "extract_features",
    "network_of",
]
