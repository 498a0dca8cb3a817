"""Features of photographs from a frozen ImageNet backbone, computed once and cached.

    import embed

    embed.extract_features("photos")
    features = embed.open()
    features.X, features.y, features.to_dataframe()

Every name is imported when it is first used: `import embed` itself loads nothing.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embed.api import export_model, extract_features, import_features, list_cuts, open, tune_backbone
    from embed.api.features import Features
    from embed.api.photographs import Photographs
    from embed.api.searcher import Searcher
    from embed.api.transformer import ImageFeatures
    from embed.backbones import BACKBONES, Cut
    from embed.cache import Recipe
    from embed.deploy import Deployed, Parity
    from embed.errors import EmbedError
    from embed.explain import ClassMap, Explained
    from embed.extract import Progress, Summary
    from embed.learn import Fitted, Model
    from embed.learn.evaluation import Evaluation
    from embed.tune import Tuned
    from embed.vectors import Imported

__version__ = "0.1.0"

WINDOWS = os.name == "nt"
NOT_ON_WINDOWS = "embed runs on Linux and macOS; on Windows use WSL: https://learn.microsoft.com/windows/wsl"

__all__ = [
    "BACKBONES",
    "ClassMap",
    "Cut",
    "Deployed",
    "EmbedError",
    "Evaluation",
    "Explained",
    "Features",
    "Fitted",
    "ImageFeatures",
    "Imported",
    "Model",
    "Parity",
    "Photographs",
    "Progress",
    "Recipe",
    "Searcher",
    "Summary",
    "Tuned",
    "export_model",
    "extract_features",
    "import_features",
    "list_cuts",
    "open",
    "tune_backbone",
]

_HOMES = {
    "BACKBONES": "embed.backbones",
    "ClassMap": "embed.explain",
    "Cut": "embed.backbones",
    "Deployed": "embed.deploy",
    "EmbedError": "embed.errors",
    "Evaluation": "embed.learn.evaluation",
    "Explained": "embed.explain",
    "Features": "embed.api.features",
    "Fitted": "embed.learn",
    "ImageFeatures": "embed.api.transformer",
    "Imported": "embed.vectors",
    "Model": "embed.learn",
    "Parity": "embed.deploy",
    "Photographs": "embed.api.photographs",
    "Progress": "embed.extract",
    "Recipe": "embed.cache",
    "Searcher": "embed.api.searcher",
    "Summary": "embed.extract",
    "Tuned": "embed.tune",
    "export_model": "embed.api",
    "extract_features": "embed.api",
    "import_features": "embed.api",
    "list_cuts": "embed.api",
    "open": "embed.api",
    "tune_backbone": "embed.api",
}  # name → the module that it is imported from when it is first used (PEP 562)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'embed' has no attribute {name!r}")
    if WINDOWS:
        raise ImportError(NOT_ON_WINDOWS)
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
