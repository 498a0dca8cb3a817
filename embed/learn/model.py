"""A fitted model: what it predicts, how it did, and what it was fitted on."""

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from embed.errors import CacheError, ModelError
from embed.files import Boundary, read_bytes
from embed.learn import saving
from embed.learn.evaluation import Evaluation, decide
from embed.learn.reference import STORED, Reference
from embed.learn.selection import FittedHead

FORMAT_VERSION = 2
DOCUMENT = "model.json"
FILE = re.compile(r"(head|scored|reference)-[0-9a-f]{16}\.(skops|keras|csv|npz|f16)")
LARGEST = 2 << 30  # bytes of a head or a table
MOST_COMMAS = 1 << 13  # in a line of a table, in the path and the label
ROUNDING = 1e-6
FIRST_RULE_VERSION = 1  # of the meaning of rules, where the document of a model does not say


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
    def labels_version(self) -> int:
        """The version of the meaning of that rule."""
        return self.document.get("labels_version", FIRST_RULE_VERSION)

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
        self._check_dimension(X)
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

    @cached_property
    def reference(self) -> Reference | None:
        """A sample of what it was fitted on; None where it was fitted before such were kept, or has too little.

        Raises
        ------
        ModelError
            Its file is missing or damaged.
        """
        if "reference" not in self.document:
            return None
        values = np.frombuffer(self._read("reference"), np.uint8)
        least, size = self.document["reference"].get("least_similarity"), self.document["dimension"]
        if isinstance(least, float) and len(values) and len(values) % (STORED.itemsize * size) == 0:
            rows = values.view(STORED).reshape(-1, size)
            if np.isfinite(rows).all():
                return Reference(rows, least)
        raise ModelError(f"{self._file('reference')} is damaged; run `embed fit` again")

    def similarity(self, X: np.ndarray) -> np.ndarray:
        """Return how similar the most similar photograph that it was fitted on is, float32 ndarray of shape (n,).

        It is the cosine, to a sample of 2,000 of those photographs.

        Parameters
        ----------
        X : float32 ndarray of shape (n, d)
            Features.

        Raises
        ------
        ModelError
            It was fitted before such a sample was kept, or takes other features.
        """
        self._check_dimension(X)
        return self._reference().similarity(X)

    def unlike(self, X: np.ndarray) -> np.ndarray:
        """Return which photographs are unlike all that it was fitted on, bool ndarray of shape (n,).

        Parameters and errors are those of `similarity`.
        """
        return self.similarity(X) < self._reference().least_similarity

    def _reference(self) -> Reference:
        if self.reference is None:
            raise ModelError(
                f"the model {self.name} does not know what it was fitted on; run `embed fit` again"
            )
        return self.reference

    def _check_dimension(self, X: np.ndarray) -> None:
        if X.ndim != 2 or X.shape[1] != self.document["dimension"]:
            raise ModelError(
                f"the model {self.name} takes features of {self.document['dimension']} values, not of {X.shape[-1]}"
            )

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
            lines = csv.reader(_lines(text, len(self.classes) + MOST_COMMAS))
            rows = [row for row in lines if row[2:3] == [role]]
            probabilities = np.array([[float(p) for p in row[3:]] for row in rows])
            if rows and probabilities.shape[1:] != (len(self.classes),):
                raise ValueError("a row has too many or too few probabilities")
            if not ((probabilities >= 0) & (probabilities <= 1 + ROUNDING)).all():
                raise ValueError("a probability is none")
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
            data = read_bytes(file, LARGEST, Boundary.of_set(self.folder.parents[1]))
        except FileNotFoundError as error:
            raise ModelError(f"cannot read {file}: {error.strerror}; run `embed fit` again") from error
        except CacheError as error:
            raise ModelError(f"{error}; run `embed fit` again") from error
        if hashlib.sha256(data).hexdigest() != self.document[what].get("sha256"):
            raise ModelError(f"{file} is not what `embed fit` wrote: it is damaged; run `embed fit` again")
        return data


def _lines(text: str, most: int) -> Iterator[str]:
    """Yield the lines of a table. Raises ValueError before one with too many cells is taken apart."""
    for line in io.StringIO(text, newline=""):
        if line.count(",") > most:
            raise ValueError("a row has too many cells")
        yield line
