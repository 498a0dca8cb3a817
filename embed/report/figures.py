"""The charts of a report, each from one table of a review."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from embed.report.chart import Chart
from embed.report.page import counted

if TYPE_CHECKING:
    import pandas as pd

HISTOGRAM_BINS = 25
LEAST_COUNT = 0.6  # bottom of a logarithmic axis of counts: a single photograph still has a bar
SMALLEST_DOT, LARGEST_DOT = 2.5, 11.0  # radius of a calibration bin with no photograph, and with the most


def score_histogram(
    predictions: "pd.DataFrame", classes: Sequence[str], threshold: float | None = None
) -> Chart:
    """Return how sure the head was, as a histogram.

    Of two classes it shows the probability of the second, by true class; of more that of the true one.
    """
    edges = np.linspace(0, 1, HISTOGRAM_BINS + 1)
    if len(classes) == 2:
        x_name, values = f"probability of {classes[1]}", predictions[f"p({classes[1]})"]
        groups = [(f"is {label}", values[predictions["label"] == label]) for label in classes]
    else:
        x_name, known = "probability of the true class", predictions[predictions["label"].isin(classes)]
        right = known["predicted"] == known["label"]
        groups = [
            (name, known["label_probability"][chosen])
            for name, chosen in (("classified right", right), ("wrong", ~right))
        ]
    counts = [np.histogram(values.to_numpy(float), edges)[0] for _, values in groups]
    most = max(1, *(int(count.max()) for count in counts)) * 1.4
    described = f"Histogram of the {x_name} on a logarithmic axis"
    chart = Chart((0, 1), (LEAST_COUNT, most), x_name, "photographs", log_y=True, described=described)
    for style, (name, _), count in zip(("first", "second"), groups, counts, strict=True):
        chart.bars(edges.tolist(), count.tolist(), style, name)
    if threshold is not None:
        chart.upright(threshold, LEAST_COUNT, most, "dashed")
    return chart


def threshold_curve(curve: "pd.DataFrame", threshold: float | None) -> Chart:
    """Return what each threshold on the second of two classes would give."""
    recalls = [column for column in curve.columns if column.startswith("recall(")]
    styles = {"accuracy": "main", "balanced_accuracy": "faint dashed"}
    styles |= dict(zip(recalls, ("first", "second"), strict=True))
    low = min(float(curve[column].min()) for column in styles)
    described = "Accuracy and the recall of both classes for every threshold"
    chart = Chart((0, 1), (min(0.9, np.floor(low * 10) / 10), 1.0), "threshold", "share", described=described)
    for column, style in styles.items():
        name = column.replace("_", " ").replace("recall(", "recall of ").rstrip(")")
        chart.line(curve["threshold"].tolist(), curve[column].tolist(), style, name)
    chart.upright(0.5 if threshold is None else threshold, chart.y_range[0], 1, "dashed")
    return chart


def calibration_curve(curve: "pd.DataFrame") -> Chart:
    """Return confidence against accuracy by bin, each with its interval."""
    used = curve[curve["n"] > 0]
    start = float(min(used["low"].min(), np.floor(used["accuracy"].min() * 10) / 10)) if len(used) else 0.0
    described = "Accuracy against confidence; on the diagonal a probability means what it says"
    chart = Chart((start, 1), (start, 1), "confidence", "accuracy", described=described)
    chart.line([start, 1], [start, 1], "faint dashed", "perfect")
    chart.line(used["confidence"].tolist(), used["accuracy"].tolist(), "first", "this model")
    for row in used.itertuples():
        chart.upright(row.confidence, max(row.accuracy_low, start), row.accuracy_high, "first thin")
        radius = SMALLEST_DOT + (LARGEST_DOT - SMALLEST_DOT) * float(np.sqrt(row.n / used["n"].max()))
        title = (
            f"{counted(row.n, 'photograph')}: confidence {row.confidence:.2f}, accuracy {row.accuracy:.2f}"
        )
        chart.dot(row.confidence, row.accuracy, "first", radius, title)
    return chart


def learning_curve(curve: Sequence[dict[str, Any]], measure: str) -> Chart:
    """Return loss or accuracy by epoch; the epoch with the least validation loss, which was kept, is marked.

    Parameters
    ----------
    curve : sequence of dict
        One for each epoch: epoch, loss, accuracy, validation_loss, validation_accuracy (None without a validation part).
    measure : {"loss", "accuracy"}
    """
    table = {key: np.array([row[key] for row in curve], dtype=float) for key in curve[0]}
    lines = {"training": table[measure], "validation": table[f"validation_{measure}"]}
    values = np.concatenate(list(lines.values()))
    if measure == "loss":
        low, high = 0.0, float(np.nanmax(values)) * 1.05 or 1.0
    else:
        low, high = max(0.0, float(np.floor(np.nanmin(values) * 10 - 1e-9) / 10)), 1.0
    epochs = table["epoch"].tolist()
    described = f"{measure.capitalize()} by epoch, in training and on the validation part"
    chart = Chart((1, max(2, epochs[-1])), (low, high), "epoch", measure, described=described)
    for style, (name, line) in zip(("first", "second"), lines.items(), strict=True):
        if not np.isnan(line).all():
            chart.line(epochs, line.tolist(), style, name)
    if not np.isnan(table["validation_loss"]).all():
        chart.upright(epochs[int(np.nanargmin(table["validation_loss"]))], low, high, "dashed")
    return chart
