"""Fitted models on disk, in ``models/<name>/`` of a feature set.

    model.json                 what was fitted on what, how well it does, and the names and hashes of the other two
    head-<sha256[:16]>.npz     the classifier
    scored-<sha256[:16]>.csv   the probabilities given to every photograph that it was scored on

`model.json` is replaced in one step after the files that it names are on disk, so a model is the old one or
the new one and never half of either.
"""

import csv
import hashlib
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from embed.cache import FeatureCache
from embed.errors import ModelError, UsageError
from embed.files import make_folder, replace
from embed.learn.evaluation import Evaluation, decide
from embed.learn.heads import saving

FORMAT = "embed model"
FORMAT_VERSION = 1
DOCUMENT = "model.json"
NAME = re.compile(r"[\w][\w.+-]{0,79}", re.ASCII)  # of a model: it is the name of a folder


@dataclass(frozen=True)
class Model:
    """A fitted model.

    Attributes:
        folder: where it is.
        document: what `model.json` says.
    """

    folder: Path
    document: dict[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def classes(self) -> list[str]:
        """The classes, in the order of the columns of probabilities."""
        return self.document["classes"]

    @property
    def threshold(self) -> float | None:
        """The probability from which the second of two classes is said; None: the more probable one is."""
        return self.document["threshold"]

    @property
    def labels_rule(self) -> str:
        """The rule that labelled the photographs, as `embed.labels.assign` takes it."""
        return self.document["labels"]

    @cached_property
    def head(self) -> Any:
        """The classifier, a scikit-learn estimator.

        Raises:
            ModelError: its file is missing or damaged, or holds what no head holds.
        """
        return saving.loads(self._read("head"), self.folder / self.document["head"]["file"])

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the probability of every class for features of shape (n, d): float64 of shape (n, K)."""
        if X.ndim != 2 or X.shape[1] != self.document["dimension"]:
            raise ModelError(
                f"the model {self.name} takes features of {self.document['dimension']} values, not of {X.shape[-1]}"
            )
        return self.head.predict_proba(X)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the class of every row, object ndarray of shape (n,), by the model's threshold where it has one."""
        return np.asarray(self.classes, dtype=object)[decide(self.predict_proba(X), self.threshold)]

    def evaluation(self, role: str | None = None) -> Evaluation:
        """Return the answers to the photographs that the model was scored on.

        Args:
            role: "validation" for those that choices were made on where there is a test part as well; by
                default those that the printed accuracy is about.

        Raises:
            ModelError: the file of the answers is missing or damaged, or there are none in that role.
        """
        role = role or self.document["evaluated_on"]
        text = self._read("scored").decode("utf-8", errors="surrogateescape")
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row[2:3] == [role]]
        if not rows:
            raise ModelError(f"the model {self.name} was not scored on {role!r}")
        return Evaluation(
            classes=self.classes,
            y=np.array([row[1] for row in rows], dtype=object),
            probabilities=np.array([[float(p) for p in row[3:]] for row in rows]),
            paths=np.array([row[0] for row in rows], dtype=object),
            frequencies=np.array(self.document["frequencies"]),
            threshold=self.threshold,
        )

    def _read(self, what: str) -> bytes:
        entry = self.document[what]
        file = self.folder / entry["file"]
        try:
            data = file.read_bytes()
        except OSError as error:
            raise ModelError(f"cannot read {file}: {error.strerror}; run `embed fit` again") from error
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise ModelError(f"{file} is not what `embed fit` wrote: it is damaged; run `embed fit` again")
        return data


def check_name(name: str) -> str:
    """Return the name of a model if it can be one.

    Raises:
        UsageError: it cannot.
    """
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot name a model; use letters, digits, '.', '_', '+' and '-'")
    return name


def save(
    features: FeatureCache, name: str, head: Any, document: dict[str, Any], scored: dict[str, Evaluation]
) -> Model:
    """Write a model into the feature set that it was fitted on.

    Args:
        features: the feature set.
        name: of the model; one of that name is replaced.
        head: the fitted classifier.
        document: what is known about it, to go into `model.json`.
        scored: by role, the answers to photographs that the head had not seen.

    Raises:
        CacheWriteError: the disk refused.
    """
    folder = features.folder / "models" / check_name(name)
    make_folder(folder)
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "serial": 1 + max((model.document["serial"] for model in all_models(features)), default=0),
        **document,
    }
    for what, suffix, data in (("head", "npz", saving.dumps(head)), ("scored", "csv", _table(scored))):
        digest = hashlib.sha256(data).hexdigest()
        document[what] = {"file": f"{what}-{digest[:16]}.{suffix}", "sha256": digest}
        replace(folder, document[what]["file"], data)
    replace(folder, DOCUMENT, json.dumps(document, indent=2).encode())
    kept = {DOCUMENT, document["head"]["file"], document["scored"]["file"]}
    for file in folder.iterdir():
        if file.name not in kept and re.fullmatch(r"(head|scored)-[0-9a-f]{16}\.(npz|csv)", file.name):
            file.unlink(missing_ok=True)
    return Model(folder, document)


def load(features: FeatureCache, name: str | None = None) -> Model:
    """Return the model of that name, or the one fitted last.

    Raises:
        ModelError: there is none, it is damaged, or it was fitted on features of another recipe.
    """
    if name is not None:
        model = _open(features.folder / "models" / check_name(name))
    else:
        found = all_models(features)
        if not found:
            raise ModelError(f"no model has been fitted on {features.name}; run `embed fit`")
        model = max(found, key=lambda model: model.document["serial"])
    if model.document["recipe_hash"] != features.recipe.hash:
        raise ModelError(
            f"the model {model.name} was fitted on features of another recipe ({model.document['features']})"
            f" and cannot judge"
            f" those of {features.name}; run `embed fit` again"
        )
    return model


def all_models(features: FeatureCache) -> list[Model]:
    """Return the readable models of a feature set, by name."""
    folders = sorted(path.parent for path in features.folder.glob(f"models/*/{DOCUMENT}"))
    return [model for model in map(_try_to_open, folders) if model is not None]


def _try_to_open(folder: Path) -> Model | None:
    try:
        return _open(folder)
    except ModelError:
        return None  # it is told when it is asked for by name, and replaced when it is fitted again


def _open(folder: Path) -> Model:
    try:
        document = json.loads((folder / DOCUMENT).read_bytes())
    except FileNotFoundError as error:
        others = sorted(path.parent.name for path in folder.parent.glob(f"*/{DOCUMENT}"))
        there = f"; there is {', '.join(others)}" if others else ""
        raise ModelError(f"there is no model {folder.name!r}{there}; run `embed fit`") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder / DOCUMENT} cannot be read ({error}); run `embed fit` again") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ModelError(f"{folder / DOCUMENT} was not written by `embed fit`; run it again")
    if document.get("format_version") != FORMAT_VERSION:
        raise ModelError(f"the model {folder.name} is of another version of embed; run `embed fit` again")
    missing = {"serial", "recipe_hash", "classes", "head", "scored", "dimension"} - document.keys()
    if missing:
        raise ModelError(f"{folder / DOCUMENT} lacks {', '.join(sorted(missing))}; run `embed fit` again")
    return Model(folder, document)


def _table(scored: dict[str, Evaluation]) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    classes: Sequence[str] = next(iter(scored.values())).classes if scored else ()
    writer.writerow(["path", "label", "role", *(f"p({label})" for label in classes)])
    for role, evaluation in scored.items():
        for path, label, row in zip(evaluation.paths, evaluation.y, evaluation.probabilities, strict=True):
            writer.writerow([path, label, role, *(repr(float(p)) for p in row)])
    return stream.getvalue().encode("utf-8", errors="surrogateescape")
