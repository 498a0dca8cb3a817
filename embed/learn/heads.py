"""The heads by name: scikit-learn pipelines, and what each may choose by cross-validation.

    root → Normalizer → (Nystroem) → classifier, its calibration inside the pipeline

No function of this project is in a pipeline: the root is a ufunc of NumPy's, so that a file of a head can be read where this
project is not installed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from embed.errors import UsageError

HEADS = {
    "logistic": "softmax regression",
    "dense": "a dense network with dropout, early stopping on held-out photographs",
    "svm": "support-vector machine, Gaussian kernel",
    "linear-svm": "support-vector machine, linear",
    "knn": "vote of the nearest neighbours",
    "dummy": "always the most frequent class: what any other has to beat",
}  # name → what it is

OPTIONS: dict[str, tuple[str, ...]] = {
    "logistic": ("C",),
    "linear-svm": ("C",),
    "svm": ("C", "gamma"),
    "knn": ("n_neighbors",),
    "dummy": (),
    "dense": ("hidden", "dropout", "l2", "batch_norm", "learning_rate", "batch_size", "epochs", "patience"),
}  # name → parameters that a user may set

# Strengths to choose from; the first one is taken where no other is clearly better, or nothing can be held out.
LOGISTIC_C = (30.0, 0.3, 3.0, 100.0)
LINEAR_SVM_C = (1.0, 0.1, 0.3, 3.0)
SVM_C = (3.0, 0.3, 10.0)
NEIGHBOURS = (10, 5, 20, 50)

LANDMARKS = 1_024  # photographs that stand for all of them in a kernel (Nyström's approximation)
EXACT_KERNEL_ROWS = 2_000  # up to which every photograph is compared with every other
MEDIAN_ROWS = 500  # photographs that the median distance is taken over
SMALLEST_DISTANCE = 1e-3  # squared; float32 resolves no kernel narrower than that
LONGEST = 4_096  # values of a feature vector beyond which it may be projected
MOST_VALUES = 48_000_000  # of all vectors together, up to which they are taken as they are (192 MB)
PROJECTION_DENSITY = 1 / 512  # share of the values that one projected value is a sum of
SOLVER_STEPS = 500
SVM_TOLERANCE = (
    1e-2  # of the gradient: closer to the minimum no accuracy is gained. The primal problem is solved: the
)
# solver of the dual one draws, from one generator for all threads.


@dataclass(frozen=True)
class Plan:
    """How a head is made: its steps, and what is chosen among, first the root and then the strength.

    Attributes
    ----------
    before : list of (str, transformer)
        Steps that no choice changes: they are fitted once.
    steps : list of (str, transformer)
        The steps after them, without the classifier.
    classifier : classifier
    roots : sequence of (ufunc or None)
        Values of the step "root" to choose among; none where it has no such step.
    strengths : dict
        Parameter of the classifier → values to choose among, what it has now first; empty where it is given.
    by_loss : bool
        Whether the log loss decides, and not the accuracy.
    calibrated : bool
        Whether the scores of the classifier are made probabilities by cross-validation.
    """

    before: list[tuple[str, Any]]
    steps: list[tuple[str, Any]]
    classifier: Any
    roots: Sequence[Any] = ()
    strengths: dict[str, Sequence[Any]] = field(default_factory=dict)
    by_loss: bool = False
    calibrated: bool = True


def check(name: str, options: dict[str, Any]) -> None:
    """Raise UsageError where no head has that name, or the head no such option."""
    if name not in HEADS:
        raise UsageError(f"there is no classifier {name!r}; use {', '.join(HEADS)}")
    unknown = [option for option in options if option not in OPTIONS[name]]
    if unknown:
        known = f"it has {', '.join(OPTIONS[name])}" if OPTIONS[name] else "it has none"
        raise UsageError(f"the classifier {name!r} has no option {', '.join(unknown)}; {known}")
    for option in {"C", "gamma", "n_neighbors"} & options.keys():
        if not isinstance(options[option], (int, float)):
            raise UsageError(f"{option} must be a number, not {options[option]!r}")
    for option in {"C", "gamma"} & options.keys():
        if not options[option] > 0:
            raise UsageError(f"{option} must be above 0, not {options[option]}")
    if options.get("n_neighbors", 1) < 1:
        raise UsageError(f"n_neighbors must be at least 1, not {options['n_neighbors']}")


def plan(name: str, X: np.ndarray, fewest: int, random_state: int, options: dict[str, Any]) -> Plan:
    """Return how a head other than the dense one is fitted on some features.

    Parameters
    ----------
    name : str
        One of `HEADS`.
    X : ndarray of shape (n, d)
        The features.
    fewest : int
        Rows of the smallest part that it will be fitted on.
    random_state : int
        Seed of what is drawn.
    options : dict
        Parameters that are not to be chosen but are given.

    Raises
    ------
    UsageError
        There is no such head, or it has no such option.
    """
    check(name, options)
    if name == "dummy":
        from sklearn.dummy import DummyClassifier

        return Plan([], [], DummyClassifier(strategy="prior"), calibrated=False)
    before, steps, roots = _prepared(X, random_state)
    if name == "logistic":
        from sklearn.linear_model import LogisticRegression

        classifier = LogisticRegression(C=LOGISTIC_C[0], max_iter=SOLVER_STEPS)
        strengths = _strengths("C", LOGISTIC_C, classifier, options)
        return Plan(before, steps, classifier, roots, strengths, by_loss=True, calibrated=False)
    if name == "knn":
        from sklearn.neighbors import KNeighborsClassifier

        numbers = tuple(dict.fromkeys(min(number, fewest) for number in NEIGHBOURS))
        given = {key: min(value, fewest) for key, value in options.items()}
        classifier = KNeighborsClassifier(numbers[0], weights="distance", algorithm="brute")
        return Plan(before, steps, classifier, roots, _strengths("n_neighbors", numbers, classifier, given))
    from sklearn.svm import SVC, LinearSVC

    values: Sequence[float] = LINEAR_SVM_C
    classifier = LinearSVC(tol=SVM_TOLERANCE, dual=False)
    if name == "svm":
        gamma, values = options.get("gamma") or _width(X), SVM_C
        if fewest > EXACT_KERNEL_ROWS:
            from sklearn.kernel_approximation import Nystroem

            steps.append(("kernel", Nystroem(gamma=gamma, n_components=LANDMARKS, random_state=random_state)))
        else:
            classifier = SVC(gamma=gamma)
    classifier.set_params(C=values[0])
    given = {key: value for key, value in options.items() if key == "C"}
    return Plan(before, steps, classifier, roots, _strengths("C", values, classifier, given))


def _strengths(
    parameter: str, values: Sequence[Any], classifier: Any, given: dict[str, Any]
) -> dict[str, Sequence[Any]]:
    """Return the strengths to choose among; none where it is given."""
    if given:
        classifier.set_params(**given)
        return {}
    return {parameter: values}


Steps = list[tuple[str, Any]]


def _prepared(X: np.ndarray, random_state: int) -> tuple[Steps, Steps, Sequence[Any]]:
    """Return the steps before a classifier, and the roots to choose among.

    The root of a feature that ReLU made keeps a few large ones from deciding alone (Perronnin et al. 2010); the unit length
    makes inner products cosines. Long vectors are projected where there are many of them, and then have no root: a
    projected value is a sum.
    """
    from sklearn.preprocessing import FunctionTransformer, Normalizer

    normalizer = ("normalizer", Normalizer())
    if X.shape[1] > LONGEST and X.size > MOST_VALUES:
        from sklearn.random_projection import SparseRandomProjection

        projection = SparseRandomProjection(
            LONGEST, density=PROJECTION_DENSITY, dense_output=True, random_state=random_state
        )
        return [("projection", projection)], [normalizer], ()
    roots = (np.sqrt, None) if X.min() >= 0 else (None, np.cbrt)
    return [], [("root", FunctionTransformer(roots[0])), normalizer], roots


def _width(X: np.ndarray) -> float:
    """Return gamma of the kernel exp(-gamma |x - z|²): 1 / the median squared distance of two photographs."""
    from sklearn.metrics.pairwise import euclidean_distances
    from sklearn.preprocessing import normalize

    rows = normalize(X[np.linspace(0, len(X) - 1, min(len(X), MEDIAN_ROWS)).astype(int)])
    return 1 / max(float(np.median(euclidean_distances(rows, squared=True))), SMALLEST_DISTANCE)


def linear_terms(estimator: Any, x: np.ndarray, column: int) -> tuple[np.ndarray, float] | None:
    """Return what a linear head makes of one photograph; None for a head whose score is no sum over features.

    A head sees its features under a root and scaled to length 1. For one photograph that is a factor per feature,
    so its score is linear in the features as they are.

    Parameters
    ----------
    estimator : Pipeline
        A fitted head.
    x : float64 ndarray of shape (d,)
        The features of one photograph.
    column : int
        Of the class in ``classes_``.

    Returns
    -------
    coefficients : float64 ndarray of shape (d,)
    constant : float
        With calibrated score (logit) = x @ coefficients + constant.
    """
    from sklearn.pipeline import Pipeline

    if not isinstance(estimator, Pipeline) or not all(map(_is_known, *zip(*estimator.steps, strict=True))):
        return None
    terms = _scores(estimator.named_steps.get("classifier"), column)
    if terms is None:
        return None
    coef, constant = terms
    values = x
    if "projection" in estimator.named_steps:
        components = estimator.named_steps["projection"].components_
        values, coef = components @ x, components.T @ coef
    if "root" in estimator.named_steps and (root := estimator.named_steps["root"].func) is not None:
        values = root(x)
        coef = coef * np.divide(values, x, out=np.zeros_like(x), where=x != 0)
    if "normalizer" in estimator.named_steps:
        coef = coef / (np.linalg.norm(values) or 1.0)
    return coef, constant


def _is_known(name: str, step: Any) -> bool:
    """Return whether a step is what a head of this module has under that name; a user's may be called the same."""
    from sklearn.preprocessing import FunctionTransformer, Normalizer
    from sklearn.random_projection import SparseRandomProjection

    if name == "root":
        return isinstance(step, FunctionTransformer) and step.func in (np.sqrt, np.cbrt, None)
    if name == "normalizer":
        return isinstance(step, Normalizer) and step.norm == "l2"
    return name == "classifier" or (name == "projection" and isinstance(step, SparseRandomProjection))


def _scores(classifier: Any, column: int) -> tuple[np.ndarray, float] | None:
    """Return the coefficients and the constant of the score of a class, behind what comes before the classifier."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    slope, offset, linear = 1.0, 0.0, classifier
    two = classifier is not None and len(classifier.classes_) == 2
    if isinstance(classifier, CalibratedClassifierCV):
        if len(classifier.calibrated_classifiers_) != 1:
            return None
        calibrated = classifier.calibrated_classifiers_[0]
        sigmoid, linear = calibrated.calibrators[0 if two else column], calibrated.estimator
        slope, offset = -sigmoid.a_, -sigmoid.b_
    if not isinstance(linear, (LogisticRegression, LinearSVC)):
        return None
    sign = -1.0 if two and column == 0 else 1.0
    row = 0 if two else column
    coef = linear.coef_[row].astype(np.float64)
    return sign * slope * coef, float(sign * (slope * linear.intercept_[row] + offset))
