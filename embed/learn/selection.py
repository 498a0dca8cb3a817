"""Fitting a head: its strength chosen by cross-validation, its scores made probabilities, then fitted on everything.

What is chosen, and how, is in `choice`.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from embed.errors import UsageError
from embed.learn import heads
from embed.learn.choice import Folds, Tell, apply, choose, prepared, silent, weighted
from embed.learn.dense import DenseClassifier
from embed.machine import one_thread, processors

MOST_THREADS = 4  # folds fitted at once, at most: each holds its own copy of the features


@dataclass
class FittedHead:
    """A head that was fitted.

    Attributes
    ----------
    estimator : Pipeline or classifier
        What predicts; a scikit-learn estimator.
    chosen : dict
        Parameter → value, as it was chosen.
    search : list of dict
        Per candidate, its parameters and its score (the higher the better).
    curve : list of dict, optional
        Loss and accuracy of every epoch of a dense head.
    keras_file : bytes, optional
        The network of a dense head.
    """

    estimator: Any
    chosen: dict[str, Any] = field(default_factory=dict)
    search: list[dict[str, Any]] = field(default_factory=list)
    curve: list[dict[str, Any]] | None = None
    keras_file: bytes | None = None

    @property
    def classes_(self) -> np.ndarray:
        """The K classes, sorted."""
        return self.estimator.classes_

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the probability of every class, float64 ndarray of shape (n, K)."""
        with one_thread():
            return np.asarray(self.estimator.predict_proba(X), dtype=np.float64)


@contextmanager
def _calm() -> Iterator[None]:
    """Fit folds side by side, each with one thread for its sums, without the warnings of what is meant to be so."""
    from joblib import parallel_config
    from sklearn.exceptions import ConvergenceWarning

    with (
        warnings.catch_warnings(),
        one_thread(),
        parallel_config(backend="threading", n_jobs=min(MOST_THREADS, processors())),
    ):
        warnings.simplefilter("ignore", ConvergenceWarning)  # near enough to the minimum is near enough
        warnings.filterwarnings("ignore", "Since .* does not appear to accept sample_weight", UserWarning)
        warnings.filterwarnings("ignore", "n_components > n_samples", UserWarning)
        warnings.filterwarnings("ignore", "The number of unique classes is greater than", UserWarning)
        yield


def fit_head(
    name: str,
    X: np.ndarray,
    y: np.ndarray,
    folds: Folds,
    *,
    balanced: bool = False,
    random_state: int = 0,
    options: dict[str, Any] | None = None,
    chosen: dict[str, Any] | None = None,
    tell: Tell = silent,
) -> FittedHead:
    """Return a head other than the dense one, fitted on features.

    Parameters
    ----------
    name : str
        One of `heads.HEADS`.
    X : float32 ndarray of shape (n, d)
    y : str ndarray of shape (n,)
    folds : Folds
        What its strength is chosen on and its probabilities are calibrated on.
    balanced : bool
        Whether every class counts the same.
    random_state : int
        Seed of all that is drawn.
    options : dict, optional
        Parameters that are given.
    chosen : dict, optional
        What was chosen before; nothing is searched then.
    tell : callable
        Takes a word on what is done next.
    """
    with _calm():
        return _fit(name, X, y, folds, balanced, random_state, options or {}, chosen, tell)


Part = tuple[np.ndarray, np.ndarray, Folds]  # X, y, and how rows of them are held out


def fit_twice(
    name: str,
    first: Part,
    second: Part,
    *,
    balanced: bool = False,
    random_state: int = 0,
    options: dict[str, Any] | None = None,
    tell: Tell = silent,
) -> tuple[FittedHead, FittedHead]:
    """Return a head fitted on some rows, and one fitted on others with what was chosen on the first, side by side.

    Parameters are those of `fit_head`.
    """
    from joblib import Parallel, delayed

    options = options or {}
    X, y, folds = first
    with _calm():
        plan, X = _planned(name, X, folds, random_state, options)
        chosen, search, X = choose(plan, X, y, folds, balanced, random_state, tell)
        tell("fitting")
        fits = [
            delayed(_finished)(plan, X, y, folds, balanced),
            delayed(_fit)(name, *second, balanced, random_state, options, chosen, silent),
        ]
        one, other = Parallel()(fits)
    return FittedHead(one, chosen, search), other


def _planned(
    name: str, X: np.ndarray, folds: Folds, random_state: int, options: dict[str, Any]
) -> tuple[heads.Plan, np.ndarray]:
    """Return how a head is made, the steps before all choices fitted, and what these make of the features."""
    fewest = min((len(train) for train, _ in folds.pairs), default=len(X))
    plan = heads.plan(name, X, fewest, random_state, options)
    for _, step in plan.before:
        X = step.fit_transform(X)
    return plan, X


def _fit(
    name: str,
    X: np.ndarray,
    y: np.ndarray,
    folds: Folds,
    balanced: bool,
    random_state: int,
    options: dict[str, Any],
    chosen: dict[str, Any] | None,
    tell: Tell,
) -> FittedHead:
    plan, X = _planned(name, X, folds, random_state, options)
    search: list[dict[str, Any]] = []
    if chosen is None:
        chosen, search, X = choose(plan, X, y, folds, balanced, random_state, tell)
    else:
        apply(plan, chosen)
        X = prepared(plan, X)
    tell("fitting")
    return FittedHead(_finished(plan, X, y, folds, balanced), chosen, search)


def _finished(plan: heads.Plan, X: np.ndarray, y: np.ndarray, folds: Folds, balanced: bool) -> Any:
    """Fit the classifier on what the steps before it made of the features, and return the pipeline of all."""
    from sklearn.pipeline import Pipeline

    classifier = calibrated(plan.classifier, folds) if plan.calibrated else plan.classifier
    classifier.fit(X, y, **weighted(y, balanced))
    return Pipeline([*plan.before, *plan.steps, ("classifier", classifier)])


class OutOfFold:
    """Heads that each judge the rows of a fold, fitted on all others; a second fit begins where the first one ended.

    Nothing is chosen and nothing calibrated: the first value of what is not given is taken.

    Parameters
    ----------
    name : str
        One of `heads.HEADS` that takes weights and can go on from where it was.
    X : float32 ndarray of shape (n, d)
    y : int ndarray of shape (n,)
        Classes from 0 to K - 1, every one of which is among the rows outside of each fold.
    fold : int ndarray of shape (n,)
        From 0; rows of fold -1 are always fitted on.
    options : dict, optional
        Parameters that are given.
    """

    def __init__(
        self, name: str, X: np.ndarray, y: np.ndarray, fold: np.ndarray, options: dict[str, Any] | None = None
    ) -> None:
        from sklearn.base import clone

        nothing = Folds([], whole=True, honest=False)
        plan, X = _planned(name, X, nothing, 0, options or {})
        self._X, self._y = prepared(plan, X), y
        self._parts = [fold == k for k in range(int(fold.max()) + 1)]
        self._heads = [clone(plan.classifier).set_params(warm_start=True) for _ in self._parts]

    def predict_proba(self, sample_weight: np.ndarray | None = None, tell: Tell = silent) -> np.ndarray:
        """Fit, and return the probability of every class for every row, float64 (n, K).

        The own class of a row that is in no fold has the probability 1.

        Parameters
        ----------
        sample_weight : float ndarray of shape (n,), optional
            What each row counts.
        tell : callable
            Takes a word whenever a fold is done.
        """
        from joblib import Parallel, delayed

        X, y = self._X, self._y

        def judge(head: Any, held_out: np.ndarray) -> np.ndarray:
            weight = None if sample_weight is None else sample_weight[~held_out]
            head.fit(X[~held_out], y[~held_out], sample_weight=weight)
            return np.asarray(head.predict_proba(X[held_out]), dtype=np.float64)

        probabilities = np.zeros((len(y), int(y.max()) + 1))
        probabilities[np.arange(len(y)), y] = 1.0
        with _calm():
            found = Parallel(return_as="generator")(map(delayed(judge), self._heads, self._parts))
            for held_out, judged in zip(self._parts, found, strict=True):
                probabilities[held_out] = judged
                tell("a fold is judged")
        return probabilities


def fit_own(
    estimator: Any, X: np.ndarray, y: np.ndarray, folds: Folds, *, balanced: bool, random_state: int
) -> FittedHead:
    """Return a classifier of the user's, fitted on features; without `predict_proba` its scores are calibrated.

    Raises
    ------
    UsageError
        It cannot be fitted, or does not know how to balance classes.
    """
    from sklearn.base import clone

    estimator, name = clone(estimator), type(estimator).__name__
    known = estimator.get_params()
    if balanced:
        if "class_weight" not in known:
            raise UsageError(f"the classifier {name} has no class_weight to balance classes by")
        estimator.set_params(class_weight="balanced")
    if "random_state" in known and known["random_state"] is None:
        estimator.set_params(random_state=random_state)
    if not hasattr(estimator, "predict_proba"):
        estimator = calibrated(estimator, folds)
    with _calm():
        try:
            estimator.fit(X, y)
        except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, MemoryError) as error:
            raise UsageError(f"the classifier {name} cannot be fitted: {error}") from error
    return FittedHead(estimator)


def fit_dense(
    X: np.ndarray,
    y: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray] | None,
    *,
    balanced: bool = False,
    random_state: int = 0,
    options: dict[str, Any] | None = None,
    chosen: dict[str, Any] | None = None,
    tell: Tell = silent,
) -> FittedHead:
    """Return a dense head, trained until it no longer gets better on a validation part, or as many epochs as chosen.

    Parameters are those of `fit_head`; `validation` is (X, y) of photographs to stop by.
    """
    heads.check("dense", options or {})
    dense = DenseClassifier(random_state=random_state, **(options or {}))
    weight = weighted(y, balanced).get("sample_weight")
    epochs = chosen["epochs"] if chosen else None
    dense.fit(X, y, weight, validation, epochs, lambda epoch: tell(f"fitting, epoch {epoch}"))
    with _calm():
        estimator = dense.pipeline()
    return FittedHead(estimator, {"epochs": dense.best_epoch_}, [], dense.history_, dense.keras_file())


def calibrated(classifier: Any, folds: Folds) -> Any:
    """Return a classifier whose scores become probabilities by Platt's sigmoids, fitted on what was held out.

    Where not every photograph can be held out there is one classifier per fold, and their probabilities are averaged.
    """
    from sklearn.calibration import CalibratedClassifierCV

    return CalibratedClassifierCV(classifier, cv=folds.pairs, ensemble=not folds.whole)
