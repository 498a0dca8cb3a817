"""What a program calls, the commands included: extract features, open a cache, work with what is in it.

Every name is imported when it is first used: a program, and a command, waits for what it needs and no more.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embed.api.deployment import export_model
    from embed.api.features import Features
    from embed.api.functions import DEFAULT_CACHE, extract_features, open
    from embed.api.labelling import Labelled, label
    from embed.api.overview import describe, understood
    from embed.api.photographs import Photographs
    from embed.api.scores import Review, Scores, review
    from embed.api.transformer import ImageFeatures
    from embed.backbones import BACKBONES
    from embed.cache import FeatureCache, FeatureSet, Recipe, find_features, list_features, sick_features
    from embed.cache.verify import verify
    from embed.extract import Progress, Summary

_HOMES = {
    "embed.api.deployment": ("export_model",),
    "embed.api.features": ("Features",),
    "embed.api.functions": ("DEFAULT_CACHE", "extract_features", "open"),
    "embed.api.labelling": ("Labelled", "label"),
    "embed.api.overview": ("describe", "understood"),
    "embed.api.photographs": ("Photographs",),
    "embed.api.scores": ("Review", "Scores", "review"),
    "embed.api.transformer": ("ImageFeatures",),
    "embed.backbones": ("BACKBONES",),
    "embed.cache": (
        "FeatureCache",
        "FeatureSet",
        "Recipe",
        "find_features",
        "list_features",
        "sick_features",
        "verify",
    ),
    "embed.extract": ("Progress", "Summary"),
}  # the module → what is imported from it (PEP 562)
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "BACKBONES",
    "DEFAULT_CACHE",
    "FeatureCache",
    "FeatureSet",
    "Features",
    "ImageFeatures",
    "Labelled",
    "Photographs",
    "Progress",
    "Recipe",
    "Review",
    "Scores",
    "Summary",
    "describe",
    "export_model",
    "extract_features",
    "find_features",
    "label",
    "list_features",
    "open",
    "review",
    "sick_features",
    "understood",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'embed.api' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
