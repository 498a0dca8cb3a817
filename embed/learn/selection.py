"""Fitting a head: its strength chosen by cross-validation, its scores made probabilities, then fitted on everything.

Folds are drawn elsewhere, by content and group, and come as pairs of index arrays.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from embed.backbones import processors
from embed.errors import UsageError
from embed.learn import heads
from embed.learn.dense import DenseClassifier

SEARCHED_AT_MOST = 5_000  # rows that a candidate is fitted on in the search
ENOUGH_HELD_OUT = 1_000  # rows: as many of the folds as hold them are held out in turn in the search
CLEARLY = 0.5  # standard errors of an accuracy by which another candidate than the first has to be better
MOST_THREADS = 4  # folds fitted at once, at most: each holds its own copy of the features

Pairs = list[tuple[np.ndarray, np.ndarray]]  # (rows to fit on, rows held out)
Tell = Callable[[str], None]


def silent(*_: Any) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Folds:
    """How rows are held out while a head is fitted on them.

    Attributes
    ----------
    pairs : list of (ndarray, ndarray)
        Rows to fit on and rows held out; every class is among the former.
    whole : bool
        Whether every row is held out exactly once.
    honest : bool
        Whether what is held out was not fitted on; False where nothing could be held out.
    """

    pairs: Pairs
    whole: bool
    honest: bool = True


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
        with _one_blas_thread():
            return np.asarray(self.estimator.predict_proba(X), dtype=np.float64)


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Let every linear-algebra call in the block use a single thread: a sum that is shared out differs in its last bits."""
    import scipy.linalg  # noqa: F401  brings a BLAS of its own, which must be loaded before it can be limited
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


@contextmanager
def _calm() -> Iterator[None]:
    """Fit folds side by side, each with one thread for its sums, without the warnings of what is meant to be so."""
    from joblib import parallel_config
    from sklearn.exceptions import ConvergenceWarning

    with (
        warnings.catch_warnings(),
        _one_blas_thread(),
        parallel_config(backend="threading", n_jobs=min(MOST_THREADS, processors())),
    ):
        warnings.simplefilter("ignore", ConvergenceWarning)  # near enough to the minimum is near enough
        warnings.filterwarnings("ignore", "Since .* does not appear to accept sample_weight", UserWarning)
        warnings.filterwarnings("ignore", "n_components > n_samples", UserWarning)
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
    from sklearn.pipeline import Pipeline

    fewest = min((len(train) for train, _ in folds.pairs), default=len(X))
    plan = heads.plan(name, X, fewest, random_state, options or {})
    weight = _balancing(y) if balanced else None
    with _calm():
        before = Pipeline(plan.before).fit(X) if plan.before else None
        seen = X if before is None else before.transform(X)
        pipeline = Pipeline(plan.steps)
        search: list[dict[str, Any]] = []
        if chosen is not None:
            pipeline.set_params(**_parameters(chosen))
        elif folds.honest:
            search = _search(pipeline, plan, seen, y, _capped(folds.pairs, y, random_state), weight, tell)
        found = {key: value for stage in plan.stages for key, value in _set_in(pipeline, stage).items()}
        if plan.calibrated:
            pipeline.steps[-1] = ("classifier", calibrated(pipeline.steps[-1][1], folds))
        accepted = {} if weight is None else {"classifier__sample_weight": weight}
        tell("fitting")
        pipeline.fit(seen, y, **accepted)
    whole = Pipeline([*(before.steps if before is not None else ()), *pipeline.steps])
    return FittedHead(whole, found, search)


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
    weight = _balancing(y) if balanced else None
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


def _search(
    pipeline: Any,
    plan: heads.Plan,
    X: np.ndarray,
    y: np.ndarray,
    pairs: Pairs,
    weight: np.ndarray | None,
    tell: Tell,
) -> list[dict[str, Any]]:
    """Set the parameters of the pipeline to the best ones, stage after stage, and return what was tried."""
    from sklearn.metrics import log_loss, make_scorer
    from sklearn.model_selection import GridSearchCV

    scoring: Any = "accuracy" if weight is None else "balanced_accuracy"
    if plan.by_loss and weight is None:
        scoring = make_scorer(
            log_loss, greater_is_better=False, response_method="predict_proba", labels=np.unique(y)
        )
    tried = []
    for stage in plan.stages:
        grid = {key: list(values) for key, values in stage.items()}
        tell(f"choosing {', '.join(map(_short, grid))}")
        search = GridSearchCV(pipeline, grid, scoring=scoring, cv=pairs, refit=False, error_score="raise")
        takes_weight = weight is not None and "n_neighbors" not in pipeline.steps[-1][1].get_params()
        search.fit(X, y, **({"classifier__sample_weight": weight} if takes_weight else {}))
        scores = search.cv_results_["mean_test_score"].tolist()
        for values, score in zip(search.cv_results_["params"], scores, strict=True):
            tried.append({**{_short(key): _name_of(value) for key, value in values.items()}, "score": score})
        n = 0 if plan.by_loss else sum(len(held_out) for _, held_out in pairs)
        pipeline.set_params(**search.cv_results_["params"][_best(scores, n)])
    return tried


def _best(scores: list[float], n: int) -> int:
    """Return the first candidate of all that are not clearly worse than the best one.

    Accuracies on few photographs differ by chance; n is their number, 0 for a log loss, where the best one is taken.
    """
    best = max(scores)
    error = np.sqrt(max(best * (1 - best), 0) / n) if n else 0.0
    return next(i for i, score in enumerate(scores) if score >= best - CLEARLY * error)


def _capped(pairs: Pairs, y: np.ndarray, random_state: int) -> Pairs:
    """Return as many pairs as hold out enough, each with no more rows to fit on than the search can afford.

    Rows are left out of every class alike.
    """
    random = np.random.default_rng(random_state)
    enough: Pairs = []
    held_out = 0
    for train, test in pairs:
        if held_out >= ENOUGH_HELD_OUT:
            break
        held_out += len(test)
        enough.append(tuple(_some(rows, y[rows], random) for rows in (train, test)))  # type: ignore[arg-type]
    return enough


def _some(rows: np.ndarray, y: np.ndarray, random: np.random.Generator) -> np.ndarray:
    if len(rows) <= SEARCHED_AT_MOST:
        return rows
    place = np.empty(len(rows))  # within its class, from 0 to 1
    for label in np.unique(y):
        members = np.flatnonzero(y == label)
        place[members] = random.permutation(len(members)) / len(members)
    return np.sort(rows[np.argsort(place, kind="stable")[:SEARCHED_AT_MOST]])


def _balancing(y: np.ndarray) -> np.ndarray:
    from sklearn.utils.class_weight import compute_sample_weight

    return compute_sample_weight("balanced", y)


def _set_in(pipeline: Any, stage: dict[str, Any]) -> dict[str, Any]:
    """Return what the parameters of a stage are set to, by their short names."""
    return {_short(key): _name_of(pipeline.get_params()[key]) for key in stage}


def _short(parameter: str) -> str:
    return "root" if parameter == "root__func" else parameter.rpartition("__")[2]


def _name_of(value: Any) -> Any:
    return value.__name__ if isinstance(value, np.ufunc) else "none" if value is None else value


def _parameters(chosen: dict[str, Any]) -> dict[str, Any]:
    """Return what was chosen as parameters of a pipeline."""
    roots = {"sqrt": np.sqrt, "cbrt": np.cbrt, "none": None}
    return {
        **{f"classifier__{key}": value for key, value in chosen.items() if key != "root"},
        **({"root__func": roots[chosen["root"]]} if "root" in chosen else {}),
    }
