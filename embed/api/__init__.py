"""What a program calls, the commands included: extract features, open a cache, work with what is in it.

Every name is imported when it is first used: a program, and a command, waits for what it needs and no more.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embed.api.again import UPLOADS, add_photograph, extract_again
    from embed.api.deployment import export_model
    from embed.api.features import Features
    from embed.api.functions import DEFAULT_CACHE, extract_features, import_features, open
    from embed.api.handed import embed_photographs
    from embed.api.labelling import Given, Labelled, given, group, label, label_each, undo_label
    from embed.api.overview import describe, understood
    from embed.api.photographs import Photographs
    from embed.api.pictures import Thumbnails
    from embed.api.scores import Review, Scores, review
    from embed.api.searcher import Searcher
    from embed.api.tidying import PutAside, bin_contents, move_to_bin, put_aside, restore
    from embed.api.transformer import ImageFeatures
    from embed.api.tuning import list_cuts, tune_backbone
    from embed.backbones import BACKBONES
    from embed.cache import FeatureCache, FeatureSet, Recipe, find_features, list_features, sick_features
    from embed.cache.verify import verify
    from embed.explain import Explainer
    from embed.extract import Embedded, Embedder, Progress, RunOptions, Summary
    from embed.files import write_rows
    from embed.labels import Labels, with_splits, with_where
    from embed.learn import (
        FitOptions,
        Fitted,
        Model,
        Prediction,
        check_classifier,
        fit,
        judge,
        load,
        mislabelled,
        parse_settings,
        place,
        predict_files,
    )
    from embed.moving import Binned, Left, Moved, Placed, Restored, carry_out
    from embed.search import Clusters, Neighbour, Neighbours, closest_pair, similarity_matrix
    from embed.search.duplicates import duplicates
    from embed.search.layout import layout
    from embed.search.outliers import outliers
    from embed.sources import expand, locator
    from embed.vectors import Imported

_HOMES = {
    "embed.api.again": (
        "UPLOADS",
        "add_photograph",
        "extract_again",
    ),
    "embed.api.deployment": ("export_model",),
    "embed.api.features": ("Features",),
    "embed.api.functions": (
        "DEFAULT_CACHE",
        "extract_features",
        "import_features",
        "open",
    ),
    "embed.api.handed": ("embed_photographs",),
    "embed.api.labelling": (
        "Given",
        "Labelled",
        "given",
        "group",
        "label",
        "label_each",
        "undo_label",
    ),
    "embed.api.overview": (
        "describe",
        "understood",
    ),
    "embed.api.photographs": ("Photographs",),
    "embed.api.pictures": ("Thumbnails",),
    "embed.api.scores": (
        "Review",
        "Scores",
        "review",
    ),
    "embed.api.searcher": ("Searcher",),
    "embed.api.tidying": (
        "PutAside",
        "bin_contents",
        "move_to_bin",
        "put_aside",
        "restore",
    ),
    "embed.api.transformer": ("ImageFeatures",),
    "embed.api.tuning": (
        "list_cuts",
        "tune_backbone",
    ),
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
        "Embedded",
        "Embedder",
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
        "judge",
        "load",
        "mislabelled",
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
    "embed.search": (
        "Clusters",
        "Neighbour",
        "Neighbours",
        "closest_pair",
        "duplicates",
        "layout",
        "outliers",
        "similarity_matrix",
    ),
    "embed.sources": (
        "expand",
        "locator",
    ),
    "embed.vectors": ("Imported",),
}  # the module → what is imported from it (PEP 562)
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "BACKBONES",
    "DEFAULT_CACHE",
    "UPLOADS",
    "Binned",
    "Clusters",
    "Embedded",
    "Embedder",
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
    "Neighbour",
    "Neighbours",
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
    "Searcher",
    "Summary",
    "Thumbnails",
    "add_photograph",
    "bin_contents",
    "carry_out",
    "check_classifier",
    "closest_pair",
    "describe",
    "duplicates",
    "embed_photographs",
    "expand",
    "export_model",
    "extract_again",
    "extract_features",
    "find_features",
    "fit",
    "given",
    "group",
    "import_features",
    "judge",
    "label",
    "label_each",
    "layout",
    "list_cuts",
    "list_features",
    "load",
    "locator",
    "mislabelled",
    "move_to_bin",
    "open",
    "outliers",
    "parse_settings",
    "place",
    "predict_files",
    "put_aside",
    "restore",
    "review",
    "sick_features",
    "similarity_matrix",
    "tune_backbone",
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
