"""A fitted head as steps of arithmetic with their arrays: read off scikit-learn's estimators, written into any format."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from embed.deploy.arithmetic import Arithmetic
from embed.errors import UsageError

MOST_VALUES = 1 << 28  # of one matrix: a protocol buffer holds 2 GB


@dataclass(frozen=True)
class Step:
    """One step of a head.

    Parameters
    ----------
    name : str
        A method of `Arithmetic`.
    arrays : tuple of float32 ndarray
        What it takes beside the rows.
    """

    name: str
    arrays: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True)
class Head:
    """The steps from features to probabilities.

    Parameters
    ----------
    steps : tuple of Step
    classes : int
        Probabilities that come out.
    """

    steps: tuple[Step, ...]
    classes: int

    def write(self, x: Any, arithmetic: Arithmetic) -> Any:
        """Return the probabilities, (n, K), of features, (n, d), in the arithmetic of a format."""
        for step in self.steps:
            x = getattr(arithmetic, step.name)(x, *step.arrays)
        return x

    def to_bytes(self) -> bytes:
        """Return it as `from_bytes` reads it."""
        names = np.array(json.dumps([self.classes, [(step.name, len(step.arrays)) for step in self.steps]]))
        stream = io.BytesIO()
        np.savez(stream, names, *(array for step in self.steps for array in step.arrays))
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Head":
        """Return what `to_bytes` wrote."""
        with np.load(io.BytesIO(data)) as file:
            names, *arrays = (file[f"arr_{i}"] for i in range(len(file.files)))
        waiting = iter(arrays)
        classes, steps = json.loads(str(names))
        made = (Step(name, tuple(next(waiting) for _ in range(count))) for name, count in steps)
        return cls(tuple(made), classes)


class _ForeignError(Exception):
    pass


def read(estimator: Any, name: str) -> Head:
    """Return a fitted head as steps.

    Parameters
    ----------
    estimator : Pipeline
        As `Model.head`.
    name : str
        Of the classifier, for the error.

    Raises
    ------
    UsageError
        It is made of something that no format has.
    """
    from sklearn.pipeline import Pipeline

    try:
        if not isinstance(estimator, Pipeline):
            raise _ForeignError
        *before, classifier = (step for _, step in estimator.steps)
        prepared = [made for step in before for made in _prepared(step)]
        return Head((*prepared, *_classified(classifier)), len(estimator.classes_))
    except _ForeignError:
        raise UsageError(
            f"{name!r} cannot be written into a file for elsewhere: that has logistic, linear-svm, svm and dense. Fit one "
            "of these",
            "model",
        ) from None


def _affine(matrix: Any, offset: Any) -> Step:
    if matrix.size > MOST_VALUES:
        raise _ForeignError
    return Step("affine", (np.asarray(matrix, np.float32), np.asarray(offset, np.float32)))


def _kernel(points: Any, gamma: float) -> Step:
    return Step("kernel", (np.asarray(points, np.float32), np.asarray(gamma, np.float64)))


def _prepared(step: Any) -> Iterator[Step]:
    """Yield what a step before the classifier does."""
    from sklearn.kernel_approximation import Nystroem
    from sklearn.preprocessing import FunctionTransformer, Normalizer
    from sklearn.random_projection import SparseRandomProjection

    roots = {None: (), np.sqrt: (Step("root"),), np.cbrt: (Step("cube_root"),)}
    if isinstance(step, FunctionTransformer) and step.func in roots:
        yield from roots[step.func]
    elif isinstance(step, Normalizer) and step.norm == "l2":
        yield Step("unit")
    elif isinstance(step, SparseRandomProjection) and np.prod(step.components_.shape) <= MOST_VALUES:
        yield _affine(step.components_.T.toarray(), np.zeros(step.components_.shape[0]))
    elif isinstance(step, Nystroem) and step.kernel == "rbf":
        yield _kernel(step.components_, step.gamma)
        yield _affine(step.normalization_.T, np.zeros(len(step.normalization_)))
    else:
        raise _ForeignError


def _classified(classifier: Any) -> Iterator[Step]:
    """Yield what a classifier does, its calibration included."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    if isinstance(classifier, LogisticRegression):
        yield _affine(classifier.coef_.T, classifier.intercept_)
        yield from _from_logits(classifier)
    elif isinstance(classifier, MLPClassifier) and classifier.activation == "relu":
        layers = list(zip(classifier.coefs_, classifier.intercepts_, strict=True))
        for number, (matrix, offset) in enumerate(layers):
            if number:
                yield Step("rectified")
            yield _affine(matrix, offset)
        yield from _from_logits(classifier)
    elif isinstance(classifier, CalibratedClassifierCV) and len(classifier.calibrated_classifiers_) == 1:
        yield from _calibrated(classifier.calibrated_classifiers_[0], len(classifier.classes_))
    else:
        raise _ForeignError


def _from_logits(classifier: Any) -> Iterator[Step]:
    if len(classifier.classes_) == 2:
        yield Step("sigmoid")
        yield BOTH
    else:
        yield Step("softmax")


# Of the probability of the second of two classes, those of both.
BOTH = Step("affine", (np.array([[-1, 1]], np.float32), np.array([1, 0], np.float32)))


def _calibrated(calibrated: Any, classes: int) -> Iterator[Step]:
    from sklearn.calibration import _SigmoidCalibration
    from sklearn.svm import SVC, LinearSVC

    machine, curves = calibrated.estimator, calibrated.calibrators
    if not all(isinstance(curve, _SigmoidCalibration) for curve in curves):
        raise _ForeignError
    if isinstance(machine, LinearSVC):
        yield _affine(machine.coef_.T, machine.intercept_)
    elif isinstance(machine, SVC) and machine.kernel == "rbf" and machine.decision_function_shape == "ovr":
        yield from _duels(machine)
    else:
        raise _ForeignError
    slopes, offsets = (np.array([getattr(curve, name) for curve in curves]) for name in ("a_", "b_"))
    yield _affine(np.diag(-slopes), -offsets)
    yield Step("sigmoid")
    yield BOTH if classes == 2 else Step("shares")


def _duels(machine: Any) -> Iterator[Step]:
    """Yield a support-vector machine of classes one against another: `sklearn.svm.SVC.decision_function`."""
    yield _kernel(machine.support_vectors_, machine._gamma)
    classes = len(machine.classes_)
    if classes == 2:
        yield _affine(machine.dual_coef_.T, machine.intercept_)
        return
    pairs = list(combinations(range(classes), 2))
    starts = np.concatenate([[0], np.cumsum(machine.n_support_)])
    matrix = np.zeros((starts[-1], len(pairs)))
    first, second = (np.zeros((len(pairs), classes), np.float32) for _ in range(2))
    for number, (i, j) in enumerate(pairs):
        of_i, of_j = slice(starts[i], starts[i + 1]), slice(starts[j], starts[j + 1])
        matrix[of_i, number] = machine.dual_coef_[j - 1, of_i]
        matrix[of_j, number] = machine.dual_coef_[i, of_j]
        first[number, i] = second[number, j] = 1
    yield _affine(matrix, machine.intercept_)
    yield Step("votes", (first, second))
