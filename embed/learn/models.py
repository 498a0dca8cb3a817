"""Fitted models on disk, in ``models/<name>/`` of a feature set.

    model.json                   what was fitted on what, how well it does, and the names and hashes of the others; sealed
    head-<sha256[:16]>.skops     the classifier, as `skops.io.load` reads it
    head-<sha256[:16]>.keras     of a dense head, the network that was trained, as `keras.saving.load_model` reads it
    scored-<sha256[:16]>.csv     the probabilities given to every photograph that it was scored on
    reference-<sha256[:16]>.f16  features of a sample of the photographs that it was fitted on, scaled to length 1: float16,
                                 little-endian, one row of `dimension` values after the other

`model.json` is replaced in one step after the files that it names are on disk, and under a lock, so a model is the old
one or the new one and never half of either.
"""

import csv
import hashlib
import io
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from embed import labels
from embed.cache import FeatureCache
from embed.cache.lock import Lock
from embed.errors import CacheError, CacheLockedError, ModelError, UsageError
from embed.files import Boundary, folders_with, make_folder, read_document, replace, sweep, write_document
from embed.labels import NO_LABELS
from embed.learn import saving
from embed.learn.evaluation import Evaluation
from embed.learn.model import DOCUMENT, FILE, FORMAT_VERSION, Model
from embed.learn.reference import Reference
from embed.learn.selection import FittedHead

FORMAT = "embed model"
FIRST_SEALED = 2  # format whose documents have a checksum
NAME = re.compile(r"[\w][\w.+-]{0,79}", re.ASCII)  # of a model: it is the name of a folder
FILES = {
    "head": "skops",
    "keras": "keras",
    "scored": "csv",
    "reference": "f16",
}  # entry of the document → kind of its file
LARGEST = 1 << 64
MOST_DIMENSION = 1 << 26
LOCK_S = 60.0  # that another fit may take to write its files
LOCK_PAUSE_S = 0.02
NUMBER, TEXT = (int, float, type(None)), (str, type(None))
FIELDS: dict[str, type | tuple[type, ...]] = {
    "serial": int,
    "recipe_hash": str,
    "features": str,
    "classifier": str,
    "classes": list,
    "frequencies": list,
    "labels": str,
    "threshold": (float, type(None)),
    "dimension": int,
    "evaluated_on": str,
    "metrics": dict,
    "options": (dict, type(None)),
    "chosen": dict,
    "versions": dict,
    "head": dict,
    "scored": dict,
}
# What an older document may lack.
LATER: dict[str, type | tuple[type, ...]] = {
    "labels_version": int,
    "reference": dict,
    "keras": dict,
    "threshold_asked": (float, str, type(None)),
    "balanced": bool,
    "seed": int,
    "group": TEXT,
    "groups": (dict, type(None)),
    "cv": (int, str, type(None)),
    "learning_curve": (list, type(None)),
    "fingerprint": str,
    "n_train": int,
    "n_fitted": int,
    "n_validation": int,
    "n_test": int,
    "n_unlabelled": int,
    "split": str,
    "near_duplicates": int,
    "notes": list,
}
OWN = LATER.keys() - {"reference", "keras", "labels_version"}  # what a document of this format has


def check_name(name: str) -> str:
    """Return the name of a model if it can be one. Raises UsageError where it cannot."""
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot name a model; use letters, digits, '.', '_', '+' and '-'")
    return name


def save(
    features: FeatureCache,
    name: str,
    head: FittedHead,
    document: dict[str, Any],
    scored: dict[str, Evaluation],
    reference: Reference | None = None,
    trust: Sequence[str] = (),
) -> Model:
    """Write a model into the feature set that it was fitted on.

    Parameters
    ----------
    features : FeatureCache
    name : str
        Of the model; one of that name is replaced.
    head : FittedHead
    document : dict
        What is known about it, to go into `model.json`.
    scored : dict of str to Evaluation
        By role, the answers to photographs that the head had not seen.
    reference : Reference, optional
        A sample of the photographs that it had.
    trust : sequence of str
        Types that the file of the head may hold beside the known ones.

    Raises
    ------
    CacheWriteError
        The disk refused.
    CacheLockedError
        Another fit does not come to an end of writing.
    UntrustedError
        The folder of the models is somebody else's.
    CacheError
        The feature set is not there any more.
    UsageError
        The head holds types that are not trusted.
    """
    check_name(name)
    contents = {"head": saving.dumps(head.estimator, trust), "scored": _table(scored)}
    if head.keras_file is not None:
        contents["keras"] = head.keras_file
    if reference is not None:
        contents["reference"] = reference.rows.tobytes()
    with _writing(features) as models:
        folder = models / name
        make_folder(folder, closed=True)
        Boundary.of_set(models.parent).check_folder(folder)
        sweep(folder)
        before = _models_in(models)
        document = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "serial": 1 + max((model.document["serial"] for model in before), default=0),
            **document,
        }
        for what, data in contents.items():
            digest = hashlib.sha256(data).hexdigest()
            kind = "head" if what == "keras" else what
            document[what] = {"file": f"{kind}-{digest[:16]}.{FILES[what]}", "sha256": digest}
            replace(folder, document[what]["file"], data, closed=True)
        if reference is not None:
            document["reference"]["least_similarity"] = reference.least_similarity
        write_document(folder, DOCUMENT, document, closed=True)
        # Whoever has opened the model that is replaced may have its files to read yet: they go with the next fit.
        kept = {
            DOCUMENT,
            *_files(document),
            *(file for one in before if one.name == name for file in _files(one.document)),
        }
        for file in folder.iterdir():
            if file.name not in kept and FILE.fullmatch(file.name):
                file.unlink(missing_ok=True)
    return Model(folder, document, tuple(trust))


def _files(document: dict[str, Any]) -> set[str]:
    """Return the names of the files of a model."""
    names = [document[what].get("file") for what in FILES if what in document]
    return {name for name in names if isinstance(name, str)}


@contextmanager
def _writing(features: FeatureCache) -> Iterator[Path]:
    """Be the only one who writes models of a feature set, under the name that it has now; yield their folder."""
    while True:
        models = features.folder_now() / "models"
        make_folder(models, closed=True)
        Boundary.of_set(models.parent).check_folder(models)
        with _locked(models):
            if models.parent == features.folder_now():
                yield models
                return


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Be the only one who writes models of a feature set."""
    deadline = time.monotonic() + LOCK_S
    while True:
        try:
            lock = Lock(folder)
            break
        except CacheLockedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(LOCK_PAUSE_S)
    try:
        yield
    finally:
        lock.release()


def stored(features: FeatureCache, name: str | None = None, trust: Sequence[str] = ()) -> Model:
    """Return the model of that name as it is on disk, or the one fitted last.

    Raises
    ------
    ModelError
        There is none, it is damaged, or it was fitted on features of another recipe.
    """
    if name is not None:
        model = _open(features.folder / "models" / check_name(name))
    else:
        # Whether one that is damaged was fitted last cannot be told: then none answers in its place.
        found = [_open(folder) for folder in _folders(features)]
        if not found:
            without = "" if labels.of(features).classes else f"; {NO_LABELS}"
            raise ModelError(f"no model has been fitted on {features.name}; run `embed fit`{without}")
        model = max(found, key=lambda model: model.document["serial"])
    if model.document["recipe_hash"] != features.recipe.hash:
        raise ModelError(
            f"the model {model.name} was fitted on features of another recipe ({model.document['features']})"
            f" and cannot judge those of {features.name}; run `embed fit` again"
        )
    return Model(model.folder, model.document, tuple(trust))


def all_models(features: FeatureCache) -> list[Model]:
    """Return the readable models of a feature set, by name."""
    return _models_in(features.folder / "models")


def _models_in(place: Path) -> list[Model]:
    models = []
    for folder in folders_with(place, DOCUMENT):
        try:
            models.append(_open(folder))
        except ModelError:
            continue  # it is told when it is asked for, and replaced when it is fitted again
    return models


def _folders(features: FeatureCache) -> list[Path]:
    return folders_with(features.folder / "models", DOCUMENT)


def _open(folder: Path) -> Model:
    file = folder / DOCUMENT
    try:
        document = read_document(file, FIRST_SEALED, Boundary.of_set(folder.parents[1]))
    except FileNotFoundError as error:
        others = [path.name for path in folders_with(folder.parent, DOCUMENT)]
        there = f"; there is {', '.join(others)}" if others else ""
        raise ModelError(f"there is no model {folder.name!r}{there}; run `embed fit`") from error
    except CacheError as error:
        raise ModelError(f"{error}; run `embed fit` again, or delete {folder}") from error
    if document.get("format") != FORMAT:
        raise ModelError(f"{file} was not written by `embed fit`; run it again")
    if document.get("format_version") not in (1, FORMAT_VERSION):
        raise ModelError(f"the model {folder.name} is of another version of embed; run `embed fit` again")
    wrong = _wrong(document)
    if wrong:
        raise ModelError(
            f"{file} lacks {', '.join(sorted(wrong))}, or says there what cannot be; run `embed fit` again"
        )
    return Model(folder, document)


def _wrong(document: dict[str, Any]) -> set[str]:
    """Return the entries of a document that are missing, or that nobody could use."""
    needed = FIELDS.keys() | (OWN if document["format_version"] == FORMAT_VERSION else set())
    wrong = needed - document.keys()
    wrong |= {
        name
        for name, kind in (FIELDS | LATER).items()
        if name in document and (not isinstance(document[name], kind) or _is_odd(document[name]))
    }
    if wrong:
        return wrong
    classes, frequencies, threshold = (document[name] for name in ("classes", "frequencies", "threshold"))
    if not classes or not _are(classes, str) or len(set(classes)) < len(classes):
        wrong.add("classes")
    if len(frequencies) != len(classes) or not _are(frequencies, int) or min(frequencies, default=0) < 0:
        wrong.add("frequencies")
    if threshold is not None and not 0 <= threshold <= 1:
        wrong.add("threshold")
    if not 0 < document["dimension"] <= MOST_DIMENSION:
        wrong.add("dimension")
    figures = [figure for figure in document["metrics"].values() if not isinstance(figure, list)]
    if not _are(figures, NUMBER):
        wrong.add("metrics")
    curve = document.get("learning_curve") or []
    if not _are(curve, dict) or not all(_are(epoch.values(), NUMBER) for epoch in curve):
        wrong.add("learning_curve")
    if not _are(document.get("notes", []), str):
        wrong.add("notes")
    return wrong


def _are(values: Iterable[Any], kind: type | tuple[type, ...]) -> bool:
    return all(isinstance(value, kind) and not _is_odd(value) for value in values)


def _is_odd(value: Any) -> bool:
    """Return whether a number is larger than any of ours, or a text can be the name of no file."""
    if isinstance(value, int):
        return abs(value) > LARGEST
    if isinstance(value, str):
        try:
            value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return True
    return False


def _table(scored: dict[str, Evaluation]) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    classes: Sequence[str] = next(iter(scored.values())).classes if scored else ()
    writer.writerow(["path", "label", "role", *(f"p({label})" for label in classes)])
    for role, evaluation in scored.items():
        for path, label, row in zip(evaluation.paths, evaluation.y, evaluation.probabilities, strict=True):
            writer.writerow([path, label, role, *(repr(float(p)) for p in row)])
    return stream.getvalue().encode("utf-8", errors="surrogateescape")
