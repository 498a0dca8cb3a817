"""The pipeline: find the photographs, skip what is known, decode, run the backbone, commit."""

from embed.extract.options import FeatureOptions, RunOptions
from embed.extract.outside import Embedded, embed_files
from embed.extract.summary import Progress, Summary
from embed.extract.sync import extract_features

__all__ = [
    "Embedded",
    "FeatureOptions",
    "Progress",
    "RunOptions",
    "Summary",
    "embed_files",
    "extract_features",
]
