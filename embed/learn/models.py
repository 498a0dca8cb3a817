"""Fitted models on disk, in ``models/<name>/`` of a feature set.

    model.json                   what was fitted on what, how well it does, and the names and hashes of the others; sealed
    head-<sha256[:16]>.skops     the classifier, as `skops.io.load` reads it
    head-<sha256[:16]>.keras     of a dense head, the network that was trained, as `keras.saving.load_model` reads it
    scored-<sha256[:16]>.csv     the probabilities given to every photograph that it was scored on

`model.json` is replaced in one step after the files that it names are on disk, and under a lock, so a model is the old
one or the new one and never half of either.
"""

import csv
import hashlib
import io
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from embed.cache import FeatureCache
from embed.cache.lock import Lock
from embed.errors import CacheError, CacheLockedError, ModelError, UsageError
from embed.files import folders_with, make_folder, read_bytes, read_document, replace, sweep, write_document
from embed.learn import saving
from embed.learn.evaluation import Evaluation, decide
from embed.learn.selection import FittedHead

FORMAT = "embed model"
FORMAT_VERSION = 2
FIRST_SEALED = 2  # format whose documents have a checksum
DOCUMENT = "model.json"
NAME = re.compile(r"[\w][\w.+-]{0,79}", re.ASCII)  # of a model: it is the name of a folder
FILES = {"head": "skops", "keras": "keras", "scored": "csv"}  # entry of the document → kind of its file
FILE = re.compile(r"(head|scored)-[0-9a-f]{16}\.(skops|keras|csv|npz)")
LARGEST = 2 << 30  # bytes of a head or a table
LOCK_S = 60.0  # that another fit may take to write its files
LOCK_PAUSE_S = 0.02
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
MISSING = object()  # no value of any of these types


@dataclass(frozen=True)
class Model:
    """A fitted model.

    Attributes
    ----------
    folder : Path
        Where it is.
    document : dict
        What `model.json` says.
    trust : tuple of str
        Types that its file may hold beside the known ones.
    """

    folder: Path
    document: dict[str, Any] = field(repr=False)
    trust: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the model."""
        return self.folder.name

    @property
    def classes(self) -> list[str]:
        """The classes, in the order of the columns of probabilities."""
        return self.document["classes"]

    @property
    def threshold(self) -> float | None:
        """The probability from which the second of two classes is predicted; None: the more probable one is."""
        return self.document["threshold"]

    @property
    def labels_rule(self) -> str:
        """The rule that labelled the photographs, as `embed.labels.assign` takes it."""
        return self.document["labels"]

    @property
    def outdated(self) -> str:
        """Why the model has to be fitted again before it can predict: "" where it need not be."""
        if self.document["format_version"] != FORMAT_VERSION:
            return "was kept in an earlier format"
        import sklearn

        release = self.document["versions"].get("scikit-learn")
        return "" if release == sklearn.__version__ else f"was fitted by scikit-learn {release}"

    @cached_property
    def head(self) -> Any:
        """The classifier, a scikit-learn estimator.

        Raises
        ------
        ModelError
            Its file is missing or damaged, or holds what no head holds.
        """
        file = self._file("head")
        estimator = saving.loads(self._read("head"), file, self.trust)
        try:
            classes = [str(label) for label in estimator.classes_]
            fits = classes == self.classes and callable(estimator.predict_proba)
        except saving.WRONG:
            fits = False
        if not fits:
            raise ModelError(f"{file} is not the classifier that {DOCUMENT} describes; run `embed fit` again")
        return estimator

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the probability of every class for features of shape (n, d): float64 of shape (n, K)."""
        if X.ndim != 2 or X.shape[1] != self.document["dimension"]:
            raise ModelError(
                f"the model {self.name} takes features of {self.document['dimension']} values, not of {X.shape[-1]}"
            )
        try:
            probabilities = FittedHead(self.head).predict_proba(X)
        except saving.WRONG as error:
            raise ModelError(f"the model {self.name} cannot judge these features: {error}") from error
        if probabilities.shape != (len(X), len(self.classes)):
            raise ModelError(f"{self._file('head')} is damaged; run `embed fit` again")
        return probabilities

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the class of every row, object ndarray of shape (n,), by the model's threshold where it has one."""
        return np.asarray(self.classes, dtype=object)[decide(self.predict_proba(X), self.threshold)]

    def evaluation(self, role: str | None = None) -> Evaluation:
        """Return the answers to the photographs that the model was scored on.

        Parameters
        ----------
        role : str, optional
            "validation" for those that choices were made on where there is a test part as well; by default those that the
            printed accuracy is about.

        Raises
        ------
        ModelError
            The file of the answers is missing or damaged, or there are none in that role.
        """
        role = role or self.document["evaluated_on"]
        text = self._read("scored").decode("utf-8", errors="surrogateescape")
        try:
            rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row[2:3] == [role]]
            probabilities = np.array([[float(p) for p in row[3:]] for row in rows])
            if rows and probabilities.shape[1:] != (len(self.classes),):
                raise ValueError("a row has too many or too few probabilities")
        except (csv.Error, ValueError) as error:
            raise ModelError(f"{self._file('scored')} is damaged ({error}); run `embed fit` again") from error
        if not rows:
            raise ModelError(f"the model {self.name} was not scored on {role!r}")
        return Evaluation(
            classes=self.classes,
            y=np.array([row[1] for row in rows], dtype=object),
            probabilities=probabilities,
            paths=np.array([row[0] for row in rows], dtype=object),
            frequencies=np.array(self.document["frequencies"]),
            threshold=self.threshold,
        )

    def _file(self, what: str) -> Path:
        """Return the path of a file of the model; a name from elsewhere leads nowhere."""
        name = self.document[what].get("file")
        if not isinstance(name, str) or not FILE.fullmatch(name):
            raise ModelError(f"{self.folder / DOCUMENT} names no file of a model; run `embed fit` again")
        return self.folder / name

    def _read(self, what: str) -> bytes:
        file = self._file(what)
        try:
            data = read_bytes(file, LARGEST)
        except FileNotFoundError as error:
            raise ModelError(f"cannot read {file}: {error.strerror}; run `embed fit` again") from error
        except CacheError as error:
            raise ModelError(f"{error}; run `embed fit` again") from error
        if hashlib.sha256(data).hexdigest() != self.document[what].get("sha256"):
            raise ModelError(f"{file} is not what `embed fit` wrote: it is damaged; run `embed fit` again")
        return data


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
    trust : sequence of str
        Types that the file of the head may hold beside the known ones.

    Raises
    ------
    CacheWriteError
        The disk refused.
    CacheLockedError
        Another fit does not come to an end of writing.
    UsageError
        The head holds types that are not trusted.
    """
    folder = features.folder / "models" / check_name(name)
    contents = {"head": saving.dumps(head.estimator, trust), "scored": _table(scored)}
    if head.keras_file is not None:
        contents["keras"] = head.keras_file
    make_folder(folder)
    with _locked(folder.parent):
        sweep(folder)
        serials = [model.document["serial"] for model in all_models(features)]
        document = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "serial": 1 + max(serials, default=0),
            **document,
        }
        for what, data in contents.items():
            digest = hashlib.sha256(data).hexdigest()
            kind = "scored" if what == "scored" else "head"
            document[what] = {"file": f"{kind}-{digest[:16]}.{FILES[what]}", "sha256": digest}
            replace(folder, document[what]["file"], data)
        write_document(folder, DOCUMENT, document)
        kept = {DOCUMENT, *(document[what]["file"] for what in contents)}
        for file in folder.iterdir():
            if file.name not in kept and FILE.fullmatch(file.name):
                file.unlink(missing_ok=True)
    return Model(folder, document, tuple(trust))


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
            raise ModelError(f"no model has been fitted on {features.name}; run `embed fit`")
        model = max(found, key=lambda model: model.document["serial"])
    if model.document["recipe_hash"] != features.recipe.hash:
        raise ModelError(
            f"the model {model.name} was fitted on features of another recipe ({model.document['features']})"
            f" and cannot judge those of {features.name}; run `embed fit` again"
        )
    return Model(model.folder, model.document, tuple(trust))


def all_models(features: FeatureCache) -> list[Model]:
    """Return the readable models of a feature set, by name."""
    models = []
    for folder in _folders(features):
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
        document = read_document(file, FIRST_SEALED)
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
    wrong = [name for name, kind in FIELDS.items() if not isinstance(document.get(name, MISSING), kind)]
    if not wrong:
        wrong = [] if all(isinstance(label, str) for label in document["classes"]) else ["classes"]
        numbers = document["frequencies"]
        if len(numbers) != len(document["classes"]) or not all(isinstance(n, int) for n in numbers):
            wrong.append("frequencies")
    if wrong:
        raise ModelError(f"{file} lacks {', '.join(sorted(wrong))}; run `embed fit` again")
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
