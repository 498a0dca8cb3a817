"""Features on disk: immutable parts, published whole or not at all, checked whenever they are read."""

from embed.cache.failures import Failure
from embed.cache.folders import FeatureSet, Meta, find_features, list_features
from embed.cache.reader import FeatureCache, open_features
from embed.cache.recipe import Recipe
from embed.cache.verify import Report, verify
from embed.cache.writer import FeatureWriter

__all__ = [
    "Failure",
    "FeatureCache",
    "FeatureSet",
    "FeatureWriter",
    "Meta",
    "Recipe",
    "Report",
    "find_features",
    "list_features",
    "open_features",
    "verify",
]
