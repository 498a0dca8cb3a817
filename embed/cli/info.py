"""``embed info``: what a feature set holds."""

from collections.abc import Iterator
from typing import Any

from embed.cli import common
from embed.cli.app import app

MOST_SHOWN = 200  # classes


@app.command()
def info(
    labels: common.LabelsOption = "folder",
    splits: common.SplitsOption = None,
    features: common.FeaturesOption = None,
    cache: common.CacheOption = common.DEFAULT_CACHE,
    as_json: common.JsonOption = False,
) -> None:
    """Show what a feature set holds.

    Its recipe, photographs, classes, models and failures.

    \b
    embed info
    embed info --json
    """
    from embed import api

    document = api.describe(common.open_features(cache, features), api.with_splits(labels, splits))
    if as_json:
        common.print_json(document)
    else:
        common.print_table(("what", "value"), _info_rows(document))


def _info_rows(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    recipe = document["recipe"]
    yield "features", document["features"]
    yield "photographs from", document["data"]
    yield "photographs", f"{document['images']}, {document['dimension']} features each"
    for part in recipe.get("joined", [recipe]):
        yield from _computed(part)
    if recipe["views"] > 1:
        yield "views", f"{recipe['views']}, seed {recipe['view_seed']}"
    yield "labels by", document["labels"]
    for what in ("classes", "splits"):
        if document[what]:
            yield what, _listed(document[what])
    if document["folds"]:
        yield "folds", _listed(document["folds"])
    if len(document["groups"]) > 1:
        yield "groups", f"{len(document['groups'])}, by folders (--group folders)"
    for note in document["notes"]:
        yield "note", note
    yield "models", ", ".join(document["models"]) or "none yet; `embed fit` makes one"
    for place in document["left_out"]:
        name = common.printable(place["place"] or ".")
        yield "left out", f"{name}: {common.counted(place['images'], 'image')}, {place['reason']}"
    yield "failures", f"{document['failures']}"
    for reason, count in document["failure_reasons"].items():
        yield "", f"{count} × {reason}"
    parts = common.counted(document["parts"], "part")
    yield "on disk", f"{document['bytes'] / 1e6:.1f} MB in {parts}, {document['folder']}"


def _listed(counts: dict[str, int]) -> str:
    """Return names with their counts; of very many only the first."""
    shown = [f"{name} {count}" for name, count in counts.items()]
    more = [f"and {len(shown) - MOST_SHOWN:,} more"] if len(shown) > MOST_SHOWN else []
    return ", ".join(shown[:MOST_SHOWN] + more)


def _computed(recipe: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if recipe.get("imported"):
        column = f", column {recipe['layer']}" if recipe["layer"] else ""
        yield "imported from", f"{recipe['weights']}{column}, {recipe['weights_sha256'][:12]}"
        return
    yield (
        "computed by",
        f"{recipe['backbone']}, {recipe['weights']} weights, {recipe['size']} px, {recipe['fit']}",
    )
    mirror = ", averaged with the mirror image" if recipe.get("mirror") else ""
    yield "read at", f"{recipe['layer']}, {recipe['pooling']} pooling, {recipe['precision']}{mirror}"
