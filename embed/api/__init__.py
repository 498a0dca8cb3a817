"""What a program calls, the commands included: extract features, open a cache, work with what is in it.

Every name is imported when it is first used: a program, and a command, waits for what it needs and no more.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embed.api.deployment import export_model
    from embed.api.features import Features
    from embed.api.functions import DEFAULT_CACHE, extract_features, import_features, open
    from embed.api.labelling import Given, Labelled, given, group, label, undo_label
    from embed.api.overview import describe, understood
    from embed.api.photographs import Photographs
    from embed.api.scores import Review, Scores, review
    from embed.api.tidying import PutAside, bin_contents, move_to_bin, put_aside, restore
    from embed.api.transformer import ImageFeatures
    from embed.backbones import BACKBONES
    from embed.cache import FeatureCache, FeatureSet, Recipe, find_features, list_features, sick_features
    from embed.cache.verify import verify
    from embed.explain import Explainer
    from embed.extract import Progress, RunOptions, Summary
    from embed.files import write_rows
    from embed.labels import Labels, with_splits, with_where
    from embed.learn import (
        FitOptions,
        Fitted,
        Model,
        Prediction,
        check_classifier,
        fit,
        load,
        parse_settings,
        place,
        predict_files,
    )
    from embed.moving import Binned, Left, Moved, Placed, Restored, carry_out
    from embed.search import Clusters
    from embed.sources import expand
    from embed.vectors import Imported

_HOMES = {
    "embed.api.deployment": ("export_model",),
    "embed.api.features": ("Features",),
    "embed.api.functions": (
        "DEFAULT_CACHE",
        "extract_features",
        "import_features",
        "open",
    ),
    "embed.api.labelling": (
        "Given",
        "Labelled",
        "given",
        "group",
        "label",
        "undo_label",
    ),
    "embed.api.overview": (
        "describe",
        "understood",
    ),
    "embed.api.photographs": ("Photographs",),
    "embed.api.scores": (
        "Review",
        "Scores",
        "review",
    ),
    "embed.api.tidying": (
        "PutAside",
        "bin_contents",
        "move_to_bin",
        "put_aside",
        "restore",
    ),
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
    "embed.explain": ("Explainer",),
    "embed.extract": (
        "Progress",
        "RunOptions",
        "Summary",
    ),
    "embed.files": ("write_rows",),
    "embed.labels": (
        "Labels",
        "with_splits",
        "with_where",
    ),
    "embed.learn": (
        "Fitted",
        "FitOptions",
        "Model",
        "Prediction",
        "check_classifier",
        "fit",
        "load",
        "parse_settings",
        "place",
        "predict_files",
    ),
    "embed.moving": (
        "Binned",
        "Left",
        "Moved",
        "Placed",
        "Restored",
        "carry_out",
    ),
    "embed.search": ("Clusters",),
    "embed.sources": ("expand",),
    "embed.vectors": ("Imported",),
}  # the module → what is imported from it (PEP 562)
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "BACKBONES",
    "DEFAULT_CACHE",
    "Binned",
    "Clusters",
    "Explainer",
    "FeatureCache",
    "FeatureSet",
    "Features",
    "FitOptions",
    "Fitted",
    "Given",
    "ImageFeatures",
    "Imported",
    "Labelled",
    "Labels",
    "Left",
    "Model",
    "Moved",
    "Photographs",
    "Placed",
    "Prediction",
    "Progress",
    "PutAside",
    "Recipe",
    "Restored",
    "Review",
    "RunOptions",
    "Scores",
    "Summary",
    "bin_contents",
    "carry_out",
    "check_classifier",
    "describe",
    "expand",
    "export_model",
    "extract_features",
    "find_features",
    "fit",
    "given",
    "group",
    "import_features",
    "label",
    "list_features",
    "load",
    "move_to_bin",
    "open",
    "parse_settings",
    "place",
    "predict_files",
    "put_aside",
    "restore",
    "review",
    "sick_features",
    "understood",
    "undo_label",
    "verify",
    "with_splits",
    "with_where",
    "write_rows",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'embed.api' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
