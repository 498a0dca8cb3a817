"""One file of a classifier: planned, written, compared with `embed`, described, and only then put in place."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embed import files
from embed.cache import FeatureCache
from embed.deploy import formats, head, parity, work
from embed.deploy.parity import Parity
from embed.deploy.plan import PIXELS, PROBABILITIES, Format, Plan
from embed.errors import InputError, UsageError
from embed.extract import network_of
from embed.learn import Model

DOCUMENT_VERSION = 1
STRETCH = "stretch"


@dataclass(frozen=True)
class Deployed:
    """A classifier as a file.

    Attributes
    ----------
    files : list of Path
        What was written; the first is the one that was asked for.
    format, runtime : str
        What it is, and what it was checked with.
    parity : Parity
        How it answered beside `embed`.
    document : dict
        What the file says about itself.
    """

    files: list[Path]
    format: str
    runtime: str
    parity: Parity
    document: dict[str, Any]


def deploy(
    features: FeatureCache,
    model: Model,
    to: Path,
    *,
    int8: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> Deployed:
    """Write a fitted model with its network into one file for elsewhere.

    Parameters
    ----------
    features : FeatureCache
        What it was fitted on.
    model : Model
    to : Path
        The file, whose suffix says the format. A file of that name is replaced.
    int8 : bool
        Whether the network computes in whole numbers of eight bits: about a third of the size, and nearly the same answers.
    notify : callable
        Told what is under way.

    Raises
    ------
    UsageError
        There is no such format, or it cannot hold the model; it lacks a package.
    InputError
        The photographs to compare by are gone, or the file cannot be written.
    ModelError
        The file answers otherwise than `embed`; it is not kept.
    WeightsError
        The weights of the network are gone.
    """
    suffix, format = formats.of(to)
    network = network_of(features)
    formats.check(format, network.backbone.name, of_keras=network.backbone.framework == "keras", int8=int8)
    steps = head.read(model.head, model.document["classifier"])
    _check_place(to, suffix)
    held_out = parity.held_out(features, model)
    plan = Plan(
        network=network,
        head=steps,
        any_size=format.any_size and features.recipe.fit == STRETCH,
    )
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with files.temporary_folder(to.parent) as folder:
            draft = folder / "draft" / f"classifier{suffix}"
            draft.parent.mkdir()
            notify(f"writing {to.name}")
            work.write(suffix, plan, draft, folder, parity.calibration(features, model) if int8 else None)
            notify(f"comparing it with embed on {len(held_out.pixels)} photographs by {format.runtime}")
            found = held_out.compare(model, work.run(suffix, draft, held_out.pixels, folder))
            parity.check(found, features, format=format.name, int8=int8)
            document = _document(features, model, plan, format, found, int8=int8)
            format.describe(draft, json.dumps(document, sort_keys=True), model.classes)
            written = _publish(draft, to)
    except OSError as error:
        raise InputError(f"cannot write {error.filename or to}: {error.strerror or error}") from error
    return Deployed(written, format.name, format.runtime, found, document)


def _check_place(to: Path, suffix: str) -> None:
    """Refuse to replace what was not named."""
    if suffix == "" and to.exists():
        raise UsageError(f"{str(to)!r} is there already; remove it, or name another folder", "to")
    if to.is_dir():
        raise UsageError(f"{str(to)!r} is a folder; name a file", "to")
    weights = to.with_suffix(".bin")
    if suffix == ".xml" and weights.exists() and not to.exists():
        raise UsageError(
            f"{str(to)!r} would have its weights in {weights}, which is there; name another file", "to"
        )


def _publish(draft: Path, to: Path) -> list[Path]:
    """Put what was written in its place, the file that was named last."""
    parts = sorted(draft.parent.iterdir(), key=lambda part: part == draft)
    placed = [to if part == draft else to.with_suffix(part.suffix) for part in parts]
    for part, place in zip(parts, placed, strict=True):
        part.replace(place)
    return placed[::-1]


def _document(
    features: FeatureCache, model: Model, plan: Plan, format: Format, found: Parity, *, int8: bool
) -> dict[str, Any]:
    """Return what the file says about itself."""
    side, recipe = plan.network.size, features.recipe
    sides = ["height", "width"] if plan.any_size else [side, side]
    return {
        "format": "embed classifier",
        "format_version": DOCUMENT_VERSION,
        "classes": model.classes,
        "threshold": model.threshold,
        "input": {
            "name": PIXELS,
            "type": "uint8",
            "shape": ["n", *sides, 3],
            "channels": "RGB",
            "fit": recipe.fit,
            "size": side,
        },
        "output": {"name": PROBABILITIES, "type": "float32", "shape": ["n", len(model.classes)]},
        "model": model.name,
        "classifier": model.document["classifier"],
        "recipe": recipe.to_json(),
        "precision": "int8" if int8 else "float32",
        "parity": {"runtime": format.runtime, **found.to_json()},
        "versions": model.document["versions"],
    }
