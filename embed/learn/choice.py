"""What a head chooses by cross-validation: the root of the features, and then its strength.

Folds are drawn elsewhere, by content and group, and come as pairs of index arrays.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from embed.learn import heads

SEARCHED_AT_MOST = 5_000  # rows that a candidate is fitted on in the search
ENOUGH_HELD_OUT = 1_000  # rows: as many of the folds as hold them are held out in turn in the search
HELD_OUT_AT_MOST = 2_000  # rows of a fold
CLEARLY = 0.5  # standard errors of an accuracy by which another candidate than the first has to be better

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


def choose(
    plan: heads.Plan,
    X: np.ndarray,
    y: np.ndarray,
    folds: Folds,
    balanced: bool,
    random_state: int,
    tell: Tell,
) -> tuple[dict[str, Any], list[dict[str, Any]], np.ndarray]:
    """Set the root and then the strength to the best ones.

    Returns
    -------
    chosen : dict
        Parameter → value.
    search : list of dict
        What was tried.
    X : ndarray
        The features as the classifier is given them.
    """
    from sklearn.pipeline import Pipeline

    search: list[dict[str, Any]] = []
    pairs = _capped(folds.pairs, y, random_state) if folds.honest else []
    n = 0 if plan.by_loss else sum(len(held_out) for _, held_out in pairs)
    score = None
    if plan.roots and pairs:
        tell("choosing root")
        pipeline = Pipeline([*plan.steps, ("classifier", plan.classifier)])
        scores = _scores(pipeline, "root__func", plan.roots, X, y, pairs, plan.by_loss, balanced)
        search += [
            {"root": _name_of(root), "score": one} for root, one in zip(plan.roots, scores, strict=True)
        ]
        best = _best(scores, n)
        pipeline.set_params(root__func=plan.roots[best])
        score = scores[best]
    X = prepared(plan, X)
    for parameter, values in plan.strengths.items() if pairs else ():
        tell(f"choosing {parameter}")
        known = [] if score is None else [score]  # of the first value, with which the root was chosen
        rest = values[len(known) :]
        scores = known + _scores(plan.classifier, parameter, rest, X, y, pairs, plan.by_loss, balanced)
        search += [{parameter: value, "score": one} for value, one in zip(values, scores, strict=True)]
        plan.classifier.set_params(**{parameter: values[_best(scores, n)]})
    chosen = {"root": _name_of(plan.steps[0][1].func)} if plan.roots else {}
    return chosen | {key: plan.classifier.get_params()[key] for key in plan.strengths}, search, X


def prepared(plan: heads.Plan, X: np.ndarray) -> np.ndarray:
    """Fit the steps before the classifier, and return what they make of the features."""
    for _, step in plan.steps:
        X = step.fit_transform(X)
    return X


def apply(plan: heads.Plan, chosen: dict[str, Any]) -> None:
    """Set what was chosen before."""
    roots = {"sqrt": np.sqrt, "cbrt": np.cbrt, "none": None}
    for key, value in chosen.items():
        if key == "root":
            plan.steps[0][1].set_params(func=roots[value])
        else:
            plan.classifier.set_params(**{key: value})


def _scores(
    estimator: Any,
    parameter: str,
    values: Sequence[Any],
    X: np.ndarray,
    y: np.ndarray,
    pairs: Pairs,
    by_loss: bool,
    balanced: bool,
) -> list[float]:
    """Return the cross-validated score of every value of a parameter, the higher the better."""
    from sklearn.metrics import log_loss, make_scorer
    from sklearn.model_selection import GridSearchCV

    if not values:
        return []
    scoring: Any = "balanced_accuracy" if balanced else "accuracy"
    if by_loss and not balanced:
        scoring = make_scorer(
            log_loss, greater_is_better=False, response_method="predict_proba", labels=np.unique(y)
        )
    search = GridSearchCV(
        estimator, {parameter: list(values)}, scoring=scoring, cv=pairs, refit=False, error_score="raise"
    )
    nested = "classifier__" if "root__func" in estimator.get_params() else ""
    takes_weight = f"{nested}n_neighbors" not in estimator.get_params()
    search.fit(X, y, **(weighted(y, balanced, nested) if takes_weight else {}))
    return search.cv_results_["mean_test_score"].tolist()


def _best(scores: list[float], n: int) -> int:
    """Return the first candidate of all that are not clearly worse than the best one.

    Accuracies on few photographs differ by chance; n is their number, 0 for a log loss, where the best one is taken.
    """
    best = max(scores)
    error = np.sqrt(max(best * (1 - best), 0) / n) if n else 0.0
    return next(i for i, score in enumerate(scores) if score >= best - CLEARLY * error)


def _capped(pairs: Pairs, y: np.ndarray, random_state: int) -> Pairs:
    """Return as many pairs as hold out enough, each with no more rows than the search can afford.

    Rows are left out of every class alike.
    """
    random = np.random.default_rng(random_state)
    enough: Pairs = []
    held_out = 0
    for train, test in pairs:
        if held_out >= ENOUGH_HELD_OUT:
            break
        held_out += len(test)
        fitted = _some(train, y[train], SEARCHED_AT_MOST, random)
        enough.append((fitted, _some(test, y[test], HELD_OUT_AT_MOST, random)))
    return enough


def _some(rows: np.ndarray, y: np.ndarray, most: int, random: np.random.Generator) -> np.ndarray:
    if len(rows) <= most:
        return rows
    place = np.empty(len(rows))  # within its class, from 0 to 1
    for label in np.unique(y):
        members = np.flatnonzero(y == label)
        place[members] = random.permutation(len(members)) / len(members)
    return np.sort(rows[np.argsort(place, kind="stable")[:most]])


def weighted(y: np.ndarray, balanced: bool, nested: str = "") -> dict[str, np.ndarray]:
    """Return the argument of `fit` by which every class counts the same; none where that is not asked for."""
    return {f"{nested}sample_weight": _balancing(y)} if balanced else {}


def _balancing(y: np.ndarray) -> np.ndarray:
    from sklearn.utils.class_weight import compute_sample_weight

    return compute_sample_weight("balanced", y)


def _name_of(root: np.ufunc | None) -> str:
    return "none" if root is None else root.__name__
