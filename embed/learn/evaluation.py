"""How good a classifier is, from the probabilities it gave photographs that it had not seen.

Everything is computed from four columns (path, label, probabilities, training frequencies), so a result can be
stored as a table and evaluated again later. Tables are pandas DataFrames.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from embed.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

Z95 = 1.959963984540054  # standard normal deviate of a two-sided 95 % interval
CALIBRATION_BINS = 10  # equal-width bins of confidence, for the calibration curve and its error
SMALLEST_PROBABILITY = 1e-7  # a probability of zero would make a loss infinite
WIDE_INTERVAL = 0.2  # beyond this width an accuracy says little


def wilson_interval(correct: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a proportion (Wilson, JASA 1927); (0, 1) where n is 0.

    Unlike p ± 2 √(p(1-p)/n) it stays inside [0, 1] and has a width for 0 or n correct answers.
    """
    if n == 0:
        return 0.0, 1.0
    p, z2 = correct / n, Z95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * np.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    # By the formula an end is exactly 0 for no correct answer and 1 for all; rounding says 2.8e-17.
    low = float(centre - half) if correct else 0.0
    high = float(centre + half) if correct < n else 1.0
    return low, high


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

    Attributes:
        classes: the K classes, sorted, in the order of the columns of `probabilities`.
        y: object ndarray of shape (n,), the true labels.
        probabilities: float ndarray of shape (n, K), rows summing to 1.
        paths: object ndarray of shape (n,).
        frequencies: shape (K,), photographs of each class in training; the baseline says the most frequent one.
        threshold: for two classes, the probability from which the second is said; None: the more probable one.
    """

    classes: Sequence[str]
    y: np.ndarray
    probabilities: np.ndarray
    paths: np.ndarray
    frequencies: np.ndarray
    threshold: float | None = None
    true: np.ndarray = field(
        init=False, repr=False
    )  # column of the true class, -1 for a class not in training
    said: np.ndarray = field(init=False, repr=False)  # column of the class decided for

    def __post_init__(self) -> None:
        column = {label: i for i, label in enumerate(self.classes)}
        object.__setattr__(self, "true", np.array([column.get(label, -1) for label in self.y], dtype=np.intp))
        object.__setattr__(self, "said", decide(self.probabilities, self.threshold))

    def __len__(self) -> int:
        return len(self.y)

    @property
    def accuracy(self) -> float:
        """The share of photographs whose class was said."""
        return float(np.mean(self.true == self.said)) if len(self) else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the accuracy."""
        return wilson_interval(int(np.sum(self.true == self.said)), len(self))

    @property
    def is_vague(self) -> bool:
        """Whether the interval is too wide for the accuracy to mean much."""
        low, high = self.interval
        return high - low > WIDE_INTERVAL

    @property
    def baseline_accuracy(self) -> float:
        """The accuracy of always saying the class that was most frequent in training."""
        return float(np.mean(self.true == int(np.argmax(self.frequencies)))) if len(self) else float("nan")

    @property
    def losses(self) -> np.ndarray:
        """Minus the logarithm of the probability given to the true class, shape (n,)."""
        of_true = self.probabilities[np.arange(len(self)), self.true]
        return -np.log(np.clip(np.where(self.true < 0, 0.0, of_true), SMALLEST_PROBABILITY, 1.0))

    def confusion_counts(self) -> np.ndarray:
        """Photographs by true class (row) and class said (column), int ndarray of shape (K, K)."""
        counts = np.zeros((len(self.classes), len(self.classes)), dtype=int)
        known = self.true >= 0
        np.add.at(counts, (self.true[known], self.said[known]), 1)
        return counts

    def summary(self) -> dict[str, Any]:
        """Return every number that describes the whole, as plain Python values; None where one is not defined."""
        counts = self.confusion_counts()
        recall, precision = _recall(counts), _precision(counts)
        with np.errstate(invalid="ignore"):
            f1 = np.nan_to_num(2 * recall * precision / (recall + precision))
        present = counts.sum(axis=1) > 0
        return {
            "n": len(self),
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.interval),
            "baseline_accuracy": self.baseline_accuracy,
            "balanced_accuracy": float(np.mean(recall[present])),
            "macro_f1": float(np.mean(f1[present])),
            "roc_auc": self.roc_auc(),
            "log_loss": float(np.mean(self.losses)),
            "brier": self.brier(),
            "calibration_error": self.calibration_error(),
            "threshold": self.threshold,
        }

    def brier(self) -> float:
        """The Brier score: the squared error of the probabilities, summed over the classes and averaged over
        photographs.

        For two classes it is half of that, the familiar mean of (p - outcome)² (Brier 1950). 0 is perfect.
        """
        outcome = np.zeros_like(self.probabilities)
        known = np.flatnonzero(self.true >= 0)
        outcome[known, self.true[known]] = 1.0
        total = float(np.mean(np.sum((self.probabilities - outcome) ** 2, axis=1)))
        return total / 2 if len(self.classes) == 2 else total

    def calibration_error(self) -> float:
        """The expected calibration error: |confidence - accuracy| of the most probable class, averaged over bins.

        `CALIBRATION_BINS` bins of equal width, weighted by the photographs in them (Naeini et al. 2015).
        """
        table = self._calibration_bins()
        weight = table["n"] / max(1, len(self))
        return float(np.sum(weight * np.abs(table["confidence"] - table["accuracy"])))

    def roc_auc(self) -> float | None:
        """The area under the ROC curve of the second of two classes; None for more, or where one does not occur."""
        positive, negative = np.sum(self.true == 1), np.sum(self.true == 0)
        if len(self.classes) != 2 or not positive or not negative:
            return None
        _, rank_of, copies = np.unique(self.probabilities[:, 1], return_inverse=True, return_counts=True)
        mean_rank = (
            np.cumsum(copies) - (copies - 1) / 2
        )  # ties share the mean of their ranks, as in Mann-Whitney's U
        rank_sum = mean_rank[rank_of][self.true == 1].sum()
        return float((rank_sum - positive * (positive + 1) / 2) / (positive * negative))

    # ------------------------------------------------------------------ tables

    def confusion(self) -> "pd.DataFrame":
        """Photographs by true class (index) and class said (columns)."""
        import pandas as pd

        names = list(self.classes)
        return pd.DataFrame(
            self.confusion_counts(),
            index=pd.Index(names, dtype=object, name="true"),
            columns=pd.Index(names, dtype=object, name="predicted"),
        )

    def per_class(self) -> "pd.DataFrame":
        """One row per class: n, recall with its interval, precision, f1, predicted (how often it was said)."""
        import pandas as pd

        counts = self.confusion_counts()
        recall, precision = _recall(counts), _precision(counts)
        intervals = [wilson_interval(int(counts[k, k]), int(counts[k].sum())) for k in range(len(counts))]
        with np.errstate(invalid="ignore"):
            f1 = 2 * recall * precision / (recall + precision)
        return pd.DataFrame(
            {
                "class": _words(self.classes),
                "n": counts.sum(axis=1),
                "recall": recall,
                "recall_low": [low for low, _ in intervals],
                "recall_high": [high for _, high in intervals],
                "precision": precision,
                "f1": f1,
                "predicted": counts.sum(axis=0),
            }
        )

    def most_confused(self, k: int = 10) -> "pd.DataFrame":
        """The pairs confused most often: true, predicted, count, and the share of the true class's photographs."""
        import pandas as pd

        counts = self.confusion_counts()
        totals = np.maximum(counts.sum(axis=1), 1)
        errors = [
            (self.classes[i], self.classes[j], int(counts[i, j]), float(counts[i, j] / totals[i]))
            for i, j in zip(*np.nonzero(counts), strict=True)
            if i != j
        ]
        errors.sort(key=lambda error: (-error[2], -error[3], error[0], error[1]))
        true, predicted, count, share = zip(*errors[:k], strict=True) if errors else ((), (), (), ())
        return pd.DataFrame(
            {"true": _words(true), "predicted": _words(predicted), "count": count, "share": share}
        )

    def predictions(self) -> "pd.DataFrame":
        """One row per photograph: path, label, predicted, its probability, loss, and p(CLASS) for every class."""
        import pandas as pd

        table = pd.DataFrame(
            {
                "path": _words(self.paths),
                "label": _words(self.y),
                "predicted": _words([self.classes[k] for k in self.said]),
                "probability": self.probabilities[np.arange(len(self)), self.said],
                "loss": self.losses,
            }
        )
        names = [*table.columns, *(f"p({label})" for label in self.classes)]
        table = pd.concat([table, pd.DataFrame(self.probabilities)], axis=1)
        table.columns = pd.Index(names, dtype=object)
        return table

    def top_losses(self, k: int = 10) -> "pd.DataFrame":
        """The k photographs whose true class got the least probability: the first columns of `predictions`."""
        order = np.argsort(-self.losses, kind="stable")[:k]
        return self.predictions().iloc[order, :5].reset_index(drop=True)

    def calibration(self) -> "pd.DataFrame":
        """The calibration curve of the most probable class: low, high (of the bin), n, confidence, accuracy."""
        import pandas as pd

        return pd.DataFrame(self._calibration_bins())

    def _calibration_bins(self) -> dict[str, np.ndarray]:
        confidence = self.probabilities.max(axis=1)
        right = self.probabilities.argmax(axis=1) == self.true
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
        """For two classes, what each threshold would give: see `threshold_curve`."""
        return threshold_curve(self.true, self.probabilities, self.classes)


def threshold_curve(true: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> "pd.DataFrame":
    """Return what each threshold on the second of two classes gives: one row per threshold from 0.01 to 0.99.

    Columns: threshold, accuracy, balanced_accuracy, and for each class its recall, "recall(CLASS)".

    Args:
        true: int ndarray of shape (n,), 0 or 1.
        probabilities: shape (n, 2).
        classes: the two classes.
    """
    import pandas as pd

    if len(classes) != 2:
        raise UsageError(f"a threshold is for two classes; there are {len(classes)}")
    thresholds = np.arange(1, 100) / 100
    said = probabilities[:, 1][None, :] >= thresholds[:, None]
    second = true == 1
    recall_first = np.mean(~said[:, ~second], axis=1) if np.any(~second) else np.full(len(thresholds), np.nan)
    recall_second = np.mean(said[:, second], axis=1) if np.any(second) else np.full(len(thresholds), np.nan)
    columns = {
        "threshold": thresholds,
        "accuracy": np.mean(said == second[None, :], axis=1),
        "balanced_accuracy": (recall_first + recall_second) / 2,
        f"recall({classes[0]})": recall_first,
        f"recall({classes[1]})": recall_second,
    }
    names = pd.Index(list(columns), dtype=object)
    return pd.DataFrame(np.stack(list(columns.values()), axis=1), columns=names)


def best_threshold(true: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> float:
    """Return the threshold with the highest balanced accuracy; of several, the one nearest to 0.5."""
    curve = threshold_curve(true, probabilities, classes)
    score = curve["balanced_accuracy"].to_numpy()
    thresholds = curve["threshold"].to_numpy()
    best = np.flatnonzero(score >= np.nanmax(score) - 1e-12)
    return float(thresholds[best[np.argmin(np.abs(thresholds[best] - 0.5))]])


def _words(values: Sequence[str] | np.ndarray) -> "pd.Series":
    """Return a column of Python strings: pandas' own cannot hold a file name that is no UTF-8."""
    import pandas as pd

    return pd.Series(list(values), dtype=object)


def _recall(counts: np.ndarray) -> np.ndarray:
    """Share of each true class that was said; NaN for a class that does not occur."""
    with np.errstate(invalid="ignore"):
        return np.diag(counts) / counts.sum(axis=1)


def _precision(counts: np.ndarray) -> np.ndarray:
    """Share of each class said that was true; NaN for a class that was never said."""
    with np.errstate(invalid="ignore"):
        return np.diag(counts) / counts.sum(axis=0)
