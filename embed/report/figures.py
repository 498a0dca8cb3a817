"""The figures of a report, each from one result of `embed.learn.evaluation` or of a fitted head."""

from typing import TYPE_CHECKING, Any

import numpy as np

from embed.learn.evaluation import Evaluation, wilson_interval
from embed.report.chart import Chart

if TYPE_CHECKING:
    import pandas as pd

HISTOGRAM_BINS = 25
LEAST_COUNT = 0.6  # bottom of a logarithmic axis of counts: a single photograph still has a bar
LARGEST_DOT = 11.0  # radius of the calibration bin with the most photographs


def score_histogram(evaluation: Evaluation) -> str:
    """How sure the head was: of two classes the probability of the second, by true class; of more that of the true one."""
    edges = np.linspace(0, 1, HISTOGRAM_BINS + 1)
    if len(evaluation.classes) == 2:
        second = evaluation.probabilities[:, 1]
        groups = [(f"is {label}", second[evaluation.true == k]) for k, label in enumerate(evaluation.classes)]
        x_name = f"probability of {evaluation.classes[1]}"
    else:
        known = evaluation.true >= 0
        of_true = evaluation.probabilities[np.arange(len(evaluation)), evaluation.true]
        right = evaluation.predicted == evaluation.true
        groups = [("classified right", of_true[known & right]), ("wrong", of_true[known & ~right])]
        x_name = "probability of the true class"
    counts = [np.histogram(values, edges)[0] for _, values in groups]
    most = max(1, *(int(count.max()) for count in counts))
    chart = Chart(
        (0, 1),
        (LEAST_COUNT, most * 1.4),
        x_name,
        "photographs",
        log_y=True,
        described=f"Histogram of the {x_name} on a logarithmic axis",
    )
    for style, (name, _), count in zip(("first", "second"), groups, counts, strict=True):
        chart.bars(edges.tolist(), count.tolist(), style, name)
    if evaluation.threshold is not None:
        chart.upright(evaluation.threshold, LEAST_COUNT, most * 1.4, "dashed")
    return chart.svg()


def threshold_curve(curve: "pd.DataFrame", threshold: float | None) -> str:
    """What each threshold would give, for two classes; `curve` is `Evaluation.threshold_curve()`."""
    recalls = [column for column in curve.columns if column.startswith("recall(")]
    drawn = {
        "accuracy": "main",
        "balanced_accuracy": "faint dashed",
        recalls[0]: "first",
        recalls[1]: "second",
    }
    low = min(float(np.nanmin(curve[column])) for column in drawn)
    chart = Chart(
        (0, 1),
        (min(0.9, np.floor(low * 10) / 10), 1.0),
        "threshold",
        "share",
        described="Accuracy and the recall of both classes for every threshold",
    )
    for column, style in drawn.items():
        name = column.replace("_", " ").replace("recall(", "recall of ").rstrip(")")
        chart.line(curve["threshold"].tolist(), curve[column].tolist(), style, name)
    chart.upright(0.5 if threshold is None else threshold, chart.y_range[0], 1, "dashed")
    return chart.svg()


def calibration_curve(curve: "pd.DataFrame") -> str:
    """Confidence against accuracy by bin; `curve` is `Evaluation.calibration()`."""
    used = curve[curve["n"] > 0]
    start = float(min(used["low"].min(), np.floor(used["accuracy"].min() * 10) / 10)) if len(used) else 0.0
    chart = Chart(
        (start, 1),
        (start, 1),
        "confidence",
        "accuracy",
        described="Accuracy against confidence; on the diagonal a probability means what it says",
    )
    chart.line([start, 1], [start, 1], "faint dashed", "perfect")
    chart.line(used["confidence"].tolist(), used["accuracy"].tolist(), "first", "this model")
    most = max(1, int(used["n"].max())) if len(used) else 1
    for row in used.itertuples():
        low, high = wilson_interval(round(row.accuracy * row.n), int(row.n))
        chart.upright(row.confidence, max(low, start), high, "first thin")
        chart.dot(
            row.confidence,
            row.accuracy,
            "first",
            2.5 + (LARGEST_DOT - 2.5) * float(np.sqrt(row.n / most)),
            f"{row.n} photographs: confidence {row.confidence:.2f}, accuracy {row.accuracy:.2f}",
        )
    return chart.svg()


def learning_curves(curve: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Loss and accuracy by epoch, each as (name, drawing); the epoch that was kept is marked.

    Args:
        curve: one row per epoch: epoch, loss, accuracy, validation_loss, validation_accuracy (None without a validation part).
    """
    epochs = [row["epoch"] for row in curve]
    drawings = []
    for measure in ("loss", "accuracy"):
        lines = {
            name: np.array([row[key] for row in curve], dtype=float)
            for key, name in ((measure, "training"), (f"validation_{measure}", "validation"))
        }
        values = np.concatenate(list(lines.values()))
        if measure == "loss":
            low, high = 0.0, float(np.nanmax(values)) * 1.05 or 1.0
        else:
            low, high = max(0.0, float(np.floor(np.nanmin(values) * 10 - 1e-9) / 10)), 1.0
        described = f"{measure.capitalize()} by epoch, in training and on the validation part"
        chart = Chart((1, max(2, epochs[-1])), (low, high), "epoch", measure, described=described)
        for style, (name, line) in zip(("first", "second"), lines.items(), strict=True):
            if not np.isnan(line).all():
                chart.line(epochs, line.tolist(), style, name)
        held_out = np.array([row["validation_loss"] for row in curve], dtype=float)
        if not np.isnan(held_out).all():
            chart.upright(epochs[int(np.nanargmin(held_out))], low, high, "dashed")
        drawings.append((measure, chart.svg()))
    return drawings
