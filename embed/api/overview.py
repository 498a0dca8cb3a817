"""What a feature set holds, in one look: recipe, photographs, classes, models, failures."""

from collections import Counter
from typing import Any

from embed import files, labels
from embed.cache import FeatureCache


def describe(features: FeatureCache, rule: str = "folder") -> dict[str, Any]:
    """Describe a feature set as a document that JSON can hold.

    Parameters
    ----------
    features : FeatureCache
    rule : str
        Where the labels come from, as in `embed.labels.assign`.

    Returns
    -------
    dict
        features, folder, data, recipe, dimension, images, complete; labels (the rule), classes, splits, folds, groups and failure_reasons
        with their counts; unlabelled, what is to be noted of the folders and of photographs that are there more than once (notes);
        failures, bytes, parts, and the names of the models.

    Raises
    ------
    LabelError, InputError
        The labels cannot be had.
    """
    found, assigned = understood(features, rule)
    failures = features.failures()
    return {
        "features": features.name,
        "folder": str(features.folder),
        "data": str(features.root),
        "recipe": features.recipe.to_json(),
        "dimension": features.dimension,
        "images": len(features),
        "complete": features.meta.complete,
        "labels": assigned.rule,
        **found,
        "notes": [*found["notes"], *labels.conflicts(assigned, features)],
        "left_out": [
            {"place": place, "reason": reason, "images": images}
            for place, reason, images in features.origin.left_out
        ],
        "failures": len(failures),
        "failure_reasons": _counts([failure.reason for failure in failures]),
        "bytes": features.bytes_on_disk,
        "parts": len(features.parts),
        "models": [path.name for path in files.folders_with(features.folder / "models", "model.json")],
    }


def understood(features: FeatureCache, rule: str = "folder") -> tuple[dict[str, Any], labels.Labels]:
    """Return what a rule makes of the photographs of a feature set.

    Parameters
    ----------
    features : FeatureCache
    rule : str
        Where the labels come from, as in `embed.labels.assign`.

    Returns
    -------
    document : dict
        classes, splits, folds and groups with their counts; unlabelled and copies, as numbers; notes.
    labelled : Labels
    """
    assigned = labels.of(features, rule)
    document = {
        "classes": _counts(assigned.labels),
        "splits": _counts(assigned.splits),
        "folds": _counts(assigned.folds if assigned.folds is not None else ()),
        "groups": _counts(assigned.grouping if assigned.grouping is not None else ()),
        "unlabelled": len(assigned.unlabelled),
        "copies": 0 if assigned.copies is None else int(assigned.copies.sum()),
        "notes": list(assigned.notes),
    }
    return document, assigned


def _counts(values: Any) -> dict[str, int]:
    counts = Counter(value for value in values if value is not None)
    return {key: counts[key] for key in sorted(counts)}
