"""How good a classifier is, from the probabilities it gave photographs that it had not seen.

Everything is computed from four columns (path, label, probabilities, training frequencies), so a result can be
stored as a table and evaluated again later. The metrics are scikit-learn's; tables are pandas DataFrames.

Accuracy, recall, precision and F1 count every photograph; one of a class that was not trained on is an error. Figures of
probabilities (ROC AUC, log loss, Brier score, calibration, thresholds) are about the photographs of known classes,
`Evaluation.n_known` of them.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from embed.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

CALIBRATION_BINS = 10  # equal-width bins of confidence, for the calibration curve and its error
SMALLEST_PROBABILITY = 1e-7  # a probability of zero would make a loss infinite
WIDE_INTERVAL = 0.2  # beyond this width an accuracy says little


def wilson_interval(correct: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a proportion (Wilson, JASA 1927); (0, 1) where n is 0.

    Unlike p ± 2 √(p(1-p)/n) it stays inside [0, 1] and has a width for 0 or n correct answers.
    """
    if n == 0:
        return 0.0, 1.0
    from scipy.stats import binomtest

    interval = binomtest(int(correct), int(n)).proportion_ci(0.95, "wilson")
    # By the formula an end is exactly 0 for no correct answer and 1 for all; rounding says 2.8e-17.
    return float(interval.low) if correct else 0.0, float(interval.high) if correct < n else 1.0


def decide(probabilities: np.ndarray, threshold: float | None = None) -> np.ndarray:
    """Return the column of the class decided for, an int ndarray of shape (n,).

    Without a threshold it is the most probable class. With one, for two classes, it is the second class where its
    probability reaches the threshold.
    """
    if threshold is None:
        return probabilities.argmax(axis=1)
    if probabilities.shape[1] != 2:
        raise UsageError(f"a threshold is for two classes; there are {probabilities.shape[1]}")
    return (probabilities[:, 1] >= threshold).astype(np.intp)


@dataclass(frozen=True)
class Evaluation:
    """The answers of a classifier to photographs that it was not fitted on.

    Attributes
    ----------
    classes : sequence of str
        The K classes, sorted, in the order of the columns of `probabilities`.
    y : object ndarray of shape (n,)
        The true labels.
    probabilities : float ndarray of shape (n, K)
        Rows sum to 1.
    paths : object ndarray of shape (n,)
    frequencies : ndarray of shape (K,)
        Photographs of each class in training; the baseline always predicts the most frequent one.
    threshold : float, optional
        For two classes, the probability from which the second is predicted; None: the more probable one is.
    true : int ndarray of shape (n,)
        Column of the true class, -1 for a class not in training.
    predicted : int ndarray of shape (n,)
        Column of the class decided for.
    """

    classes: Sequence[str]
    y: np.ndarray
    probabilities: np.ndarray
    paths: np.ndarray
    frequencies: np.ndarray
    threshold: float | None = None
    true: np.ndarray = field(init=False, repr=False)
    predicted: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        column = {label: i for i, label in enumerate(self.classes)}
        object.__setattr__(self, "true", np.array([column.get(label, -1) for label in self.y], dtype=np.intp))
        object.__setattr__(self, "predicted", decide(self.probabilities, self.threshold))

    def __len__(self) -> int:
        return len(self.y)

    @property
    def known(self) -> np.ndarray:
        """Which photographs are of a class that was trained on, bool ndarray of shape (n,)."""
        return self.true >= 0

    @property
    def n_known(self) -> int:
        """How many photographs are of a class that was trained on."""
        return int(np.sum(self.known))

    @property
    def unknown_classes(self) -> list[str]:
        """The classes that were scored but not trained on, sorted."""
        return sorted(set(self.y[~self.known]))

    @property
    def accuracy(self) -> float:
        """The share of photographs whose class was predicted."""
        return float(np.mean(self.true == self.predicted)) if len(self) else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the accuracy."""
        return wilson_interval(int(np.sum(self.true == self.predicted)), len(self))

    @property
    def is_vague(self) -> bool:
        """Whether the interval is too wide for the accuracy to mean much."""
        low, high = self.interval
        return high - low > WIDE_INTERVAL

    @property
    def baseline_accuracy(self) -> float:
        """The accuracy of always predicting the class that was most frequent in training."""
        return float(np.mean(self.true == int(np.argmax(self.frequencies)))) if len(self) else float("nan")

    @property
    def losses(self) -> np.ndarray:
        """Minus the logarithm of the probability given to the true class, shape (n,)."""
        of_true = self.probabilities[np.arange(len(self)), self.true]
        return -np.log(np.clip(np.where(self.known, of_true, 0.0), SMALLEST_PROBABILITY, 1.0))

    def confusion_counts(self) -> np.ndarray:
        """Photographs of known classes by true class (row) and class predicted (column), int ndarray of shape (K, K)."""
        counts = np.zeros((len(self.classes), len(self.classes)), dtype=int)
        np.add.at(counts, (self.true[self.known], self.predicted[self.known]), 1)
        return counts

    def summary(self) -> dict[str, Any]:
        """Return every number that describes the whole, as plain Python values; None where one is not defined."""
        from sklearn import metrics

        true, predicted, _ = self._numbers()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of classes that were predicted and do not occur
            balanced = metrics.balanced_accuracy_score(true, predicted) if len(self) else float("nan")
            f1 = (
                metrics.f1_score(true, predicted, average="macro", zero_division=0)
                if len(self)
                else float("nan")
            )
        return {
            "n": len(self),
            "n_known": self.n_known,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.interval),
            "baseline_accuracy": self.baseline_accuracy,
            "balanced_accuracy": float(balanced),
            "macro_f1": float(f1),
            "roc_auc": self.roc_auc(),
            "log_loss": self.log_loss(),
            "brier": self.brier(),
            "calibration_error": self.calibration_error(),
            "threshold": self.threshold,
        }

    def _numbers(self) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Return true and predicted classes as numbers, those that were not trained on after the others; and all classes."""
        unknown = self.unknown_classes
        number = {label: len(self.classes) + i for i, label in enumerate(unknown)}
        true = self.true.copy()
        true[~self.known] = [number[label] for label in self.y[~self.known]]
        return true, self.predicted, [*self.classes, *unknown]

    def log_loss(self) -> float | None:
        """The mean of `losses` over the photographs of known classes; None where there are none."""
        return float(np.mean(self.losses[self.known])) if self.n_known else None

    def brier(self) -> float | None:
        """The Brier score: the squared error of the probabilities, summed over the classes and averaged over photographs.

        For two classes it is half of that, the familiar mean of (p - outcome)² (Brier 1950). 0 is perfect.
        """
        if not self.n_known:
            return None
        outcome = np.eye(len(self.classes))[self.true[self.known]]
        squares = np.sum((self.probabilities[self.known] - outcome) ** 2, axis=1)
        return float(np.mean(squares)) / (2 if len(self.classes) == 2 else 1)

    def calibration_error(self) -> float | None:
        """The expected calibration error: |confidence - accuracy| of the most probable class, averaged over bins.

        `CALIBRATION_BINS` bins of equal width, weighted by the photographs in them (Naeini et al. 2015).
        """
        if not self.n_known:
            return None
        table = self._calibration_bins()
        return float(np.average(np.abs(table["confidence"] - table["accuracy"]), weights=table["n"]))

    def roc_auc(self) -> float | None:
        """The area under the ROC curve of the second of two classes; None for more, or where one does not occur."""
        true = self.true[self.known]
        if len(self.classes) != 2 or len(np.unique(true)) < 2:
            return None
        from sklearn.metrics import roc_auc_score

        return float(roc_auc_score(true, self.probabilities[self.known, 1]))

    # ------------------------------------------------------------------ tables

    def confusion(self) -> "pd.DataFrame":
        """Photographs by true class (index) and class predicted (columns); classes not trained on are rows at the end."""
        import pandas as pd

        true, predicted, names = self._numbers()
        counts = np.zeros((len(names), len(self.classes)), dtype=int)
        np.add.at(counts, (true, predicted), 1)
        return pd.DataFrame(
            counts,
            index=pd.Index(names, dtype=object, name="true"),
            columns=pd.Index(list(self.classes), dtype=object, name="predicted"),
        )

    def per_class(self) -> "pd.DataFrame":
        """One row per class that was trained on: n, recall with its interval, precision, f1, predicted (how often)."""
        import pandas as pd
        from sklearn.metrics import precision_recall_fscore_support

        true, predicted, _ = self._numbers()
        columns = np.arange(len(self.classes))
        precision, recall, _, n = precision_recall_fscore_support(
            true, predicted, labels=columns, zero_division=np.nan
        )
        right = self.confusion_counts().diagonal()
        intervals = [wilson_interval(right[k], n[k]) for k in columns]
        with np.errstate(invalid="ignore"):
            f1 = 2 * recall * precision / (recall + precision)
        return pd.DataFrame(
            {
                "class": _objects(self.classes),
                "n": n,
                "recall": recall,
                "recall_low": [low for low, _ in intervals],
                "recall_high": [high for _, high in intervals],
                "precision": precision,
                "f1": f1,
                "predicted": np.bincount(predicted, minlength=len(columns)),
            }
        )

    def most_confused(self, k: int = 10) -> "pd.DataFrame":
        """The pairs confused most often: true, predicted, count, and the share of the true class's photographs."""
        import pandas as pd

        counts = self.confusion()
        totals = np.maximum(counts.to_numpy().sum(axis=1), 1)
        errors = [
            (counts.index[i], counts.columns[j], int(counts.iat[i, j]), float(counts.iat[i, j] / totals[i]))
            for i, j in zip(*np.nonzero(counts.to_numpy()), strict=True)
            if i != j
        ]
        errors.sort(key=lambda error: (-error[2], -error[3], error[0], error[1]))
        true, predicted, count, share = zip(*errors[:k], strict=True) if errors else ((), (), (), ())
        return pd.DataFrame(
            {"true": _objects(true), "predicted": _objects(predicted), "count": count, "share": share}
        )

    def predictions(self) -> "pd.DataFrame":
        """One row per photograph: path, label, predicted, its probability, loss, and p(CLASS) for every class."""
        import pandas as pd

        table = pd.DataFrame(
            {
                "path": _objects(self.paths),
                "label": _objects(self.y),
                "predicted": _objects([self.classes[k] for k in self.predicted]),
                "probability": self.probabilities[np.arange(len(self)), self.predicted],
                "loss": self.losses,
            }
        )
        names = [*table.columns, *(f"p({label})" for label in self.classes)]
        table = pd.concat([table, pd.DataFrame(self.probabilities)], axis=1)
        table.columns = pd.Index(names, dtype=object)
        return table

    def top_losses(self, k: int = 10) -> "pd.DataFrame":
        """The k wrong answers whose true class got the least probability: the first columns of `predictions`."""
        wrong = np.flatnonzero(self.true != self.predicted)
        order = wrong[np.argsort(-self.losses[wrong], kind="stable")][:k]
        return self.predictions().iloc[order, :5].reset_index(drop=True)

    def calibration(self) -> "pd.DataFrame":
        """The calibration curve of the most probable class: low, high (of the bin), n, confidence, accuracy."""
        import pandas as pd

        return pd.DataFrame(self._calibration_bins())

    def _calibration_bins(self) -> dict[str, np.ndarray]:
        probabilities = self.probabilities[self.known]
        confidence = probabilities.max(axis=1)
        right = probabilities.argmax(axis=1) == self.true[self.known]
        edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
        in_bin = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)
        n = np.bincount(in_bin, minlength=CALIBRATION_BINS)
        some = np.maximum(n, 1)
        return {
            "low": edges[:-1],
            "high": edges[1:],
            "n": n,
            "confidence": np.bincount(in_bin, weights=confidence, minlength=CALIBRATION_BINS) / some,
            "accuracy": np.bincount(in_bin, weights=right, minlength=CALIBRATION_BINS) / some,
        }

    def threshold_curve(self) -> "pd.DataFrame":
        """For two classes, what each threshold would give on the photographs of known classes: see `threshold_curve`."""
        return threshold_curve(self.true[self.known], self.probabilities[self.known], self.classes)


def threshold_curve(true: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> "pd.DataFrame":
    """Return what each threshold on the second of two classes gives: one row per threshold from 0.01 to 0.99.

    Parameters
    ----------
    true : int ndarray of shape (n,)
        0 or 1.
    probabilities : ndarray of shape (n, 2)
    classes : sequence of str
        The two classes.

    Returns
    -------
    DataFrame
        threshold, accuracy, balanced_accuracy, and for each class its recall, "recall(CLASS)".
    """
    import pandas as pd

    if len(classes) != 2:
        raise UsageError(f"a threshold is for two classes; there are {len(classes)}")
    thresholds = np.arange(1, 100) / 100
    second = probabilities[:, 1][None, :] >= thresholds[:, None]
    is_second = true == 1
    nothing = np.full(len(thresholds), np.nan)
    recall_first = np.mean(~second[:, ~is_second], axis=1) if np.any(~is_second) else nothing
    recall_second = np.mean(second[:, is_second], axis=1) if np.any(is_second) else nothing
    columns = {
        "threshold": thresholds,
        "accuracy": np.mean(second == is_second[None, :], axis=1) if len(true) else nothing,
        "balanced_accuracy": (recall_first + recall_second) / 2,
        f"recall({classes[0]})": recall_first,
        f"recall({classes[1]})": recall_second,
    }
    names = pd.Index(list(columns), dtype=object)
    return pd.DataFrame(np.stack(list(columns.values()), axis=1), columns=names)


def best_threshold(evaluation: Evaluation) -> float | None:
    """Return the threshold with the highest balanced accuracy, of several the one nearest to 0.5; None without both classes."""
    curve = evaluation.threshold_curve()
    score, thresholds = curve["balanced_accuracy"].to_numpy(), curve["threshold"].to_numpy()
    if np.isnan(score).all():
        return None
    best = np.flatnonzero(score >= np.nanmax(score) - 1e-12)
    return float(thresholds[best[np.argmin(np.abs(thresholds[best] - 0.5))]])


def _objects(values: Sequence[str] | np.ndarray) -> "pd.Series":
    """Return a column of Python strings: pandas' own cannot hold a file name that is no UTF-8."""
    import pandas as pd

    return pd.Series(list(values), dtype=object)
