"""The charts of a report, drawn from tables."""

import numpy as np
import pandas as pd
import pytest

from embed.report import figures
from embed.report.page import environment


def predictions(probabilities, labels, classes):
    """The table of a review, for these probabilities."""
    predicted = [classes[k] for k in np.argmax(probabilities, axis=1)]
    of_label = [
        p[classes.index(label)] if label in classes else 0.0
        for p, label in zip(probabilities, labels, strict=True)
    ]
    table = pd.DataFrame(
        {"label": labels, "predicted": predicted, "label_probability": of_label}, dtype=object
    )
    for k, label in enumerate(classes):
        table[f"p({label})"] = [row[k] for row in probabilities]
    return table


def calibration(n, accuracy):
    bins = {"low": np.arange(10) / 10, "high": np.arange(1, 11) / 10, "n": [0] * 9 + [n]}
    values = {"confidence": [0.0] * 9 + [0.95], "accuracy": [0.0] * 9 + [accuracy]}
    ends = {"accuracy_low": [0.0] * 9 + [accuracy * 0.9], "accuracy_high": [1.0] * 10}
    return pd.DataFrame({**bins, **values, **ends})


def thresholds(of_first=1.0):
    table = pd.DataFrame({"threshold": np.arange(1, 100) / 100, "accuracy": 1.0, "balanced_accuracy": 0.95})
    return table.assign(**{"recall(a)": of_first, "recall(b)": 0.9})


def finite(chart):
    drawing = str(environment().get_template("chart.html").module.draw(chart))
    return "<svg" in drawing and "nan" not in drawing and "inf" not in drawing


def test_the_histogram_counts_every_photograph_on_a_log_axis():
    p = np.array([0.01] * 100 + [0.99])
    table = predictions(np.stack([1 - p, p], 1).tolist(), ["a"] * 100 + ["b"], ["a", "b"])
    chart = figures.score_histogram(table, ["a", "b"], threshold=0.4)
    bars = [(mark.style, mark.points[0][3]) for mark in chart.marks if mark.kind == "bar"]
    assert [style for style, _ in bars] == ["first", "second"] and 2 < bars[0][1] / bars[1][1] < 20
    assert [number for _, number in chart.y_ticks] == ["1", "10", "100"]
    assert [entry.name for entry in chart.legend] == ["is a", "is b"]


def test_of_several_classes_the_histogram_divides_right_from_wrong():
    rows = [[0.8, 0.1, 0.1], [0.8, 0.1, 0.1], [0.8, 0.1, 0.1]]
    chart = figures.score_histogram(predictions(rows, ["a", "b", "unknown"], list("abc")), list("abc"))
    lefts = {mark.style: mark.points[0][0] for mark in chart.marks}
    assert len(chart.marks) == 2, "the photograph of an unknown class has no probability of its own"
    assert lefts["first"] > lefts["second"] and chart.x_name == "probability of the true class"


@pytest.mark.parametrize("n", [1, 2, 30])
def test_figures_of_few_or_perfect_answers_can_be_drawn(n):
    table = predictions([[0.9, 0.1], [0.2, 0.8]] * n, ["a", "b"] * n, ["a", "b"])
    assert finite(figures.score_histogram(table, ["a", "b"]))
    assert finite(figures.threshold_curve(thresholds(), 0.3))
    assert finite(figures.threshold_curve(thresholds(of_first=np.nan), None))
    assert finite(figures.threshold_curve(thresholds() * np.nan, None))
    assert finite(figures.calibration_curve(calibration(n, 1.0)))
    assert finite(figures.calibration_curve(calibration(0, 0.0)))
    row = {"loss": 0.5, "accuracy": 1.0, "validation_loss": None, "validation_accuracy": None}
    curve = [{"epoch": i + 1, **row} for i in range(n)]
    assert finite(figures.learning_curve(curve, "loss")) and finite(figures.learning_curve(curve, "accuracy"))


def test_the_epoch_that_was_kept_is_marked():
    losses = [0.9, 0.4, 0.7]
    curve = [
        {"epoch": i + 1, "loss": x, "accuracy": 1 - x, "validation_loss": x, "validation_accuracy": 1 - x}
        for i, x in enumerate(losses)
    ]
    chart = figures.learning_curve(curve, "accuracy")
    (kept,) = [mark for mark in chart.marks if mark.style == "dashed"]
    training = next(mark for mark in chart.marks if mark.style == "first")
    assert kept.points[0][0] == training.points[1][0]
