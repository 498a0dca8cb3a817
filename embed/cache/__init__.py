"""Features on disk: immutable parts, published whole or not at all, checked whenever they are read."""

from embed.cache.failures import Failure
from embed.cache.folders import FeatureSet, Meta, list_features
from embed.cache.reader import FeatureCache, open_features
from embed.cache.recipe import Recipe
from embed.cache.writer import FeatureWriter

__all__ = [
    "Failure",
    "FeatureCache",
    "FeatureSet",
    "FeatureWriter",
    "Meta",
    "Recipe",
    "list_features",
    "open_features",
]
