"""The tables of a report: numbers, classes, confusion, the recipe."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from embed.learn.evaluation import Evaluation
from embed.report.page import text

NUMBERS = ("n", "recall", "95% interval", "precision", "F1", "said")  # columns that are set to the right
MOST_CLASSES = 40  # in a confusion matrix; of more classes, those that are confused most


def tiles(values: Sequence[tuple[str, str, str]]) -> str:
    """Figures in large print: (name, value, what it says)."""
    cells = "".join(
        f'<div title="{text(says)}"><dt>{text(name)}</dt><dd>{text(value)}</dd></div>'
        for name, value, says in values
    )
    return f'<dl class="tiles">{cells}</dl>'


def accuracy_bars(evaluation: Evaluation) -> str:
    """The accuracy with its interval, above what always saying the most frequent class gets."""
    low, high = evaluation.interval
    rows = (
        ("accuracy", evaluation.accuracy, f"{low:.1%}–{high:.1%} at 95% confidence", (low, high)),
        ("baseline", evaluation.baseline_accuracy, "always the most frequent class", None),
    )
    lines = []
    for name, share, words, interval in rows:
        whisker = ""
        if interval is not None:
            whisker = f'<i style="--low:{interval[0]:.4f};--high:{interval[1]:.4f}"></i>'
        lines.append(
            f'<div class="level {name}"><span>{name}</span><b>{share:.1%}</b>'
            f'<div class="track" style="--share:{share:.4f}">{whisker}</div><small>{words}</small></div>'
        )
    return f'<div class="levels">{"".join(lines)}</div>'


def summary_tiles(evaluation: Evaluation) -> str:
    """The numbers that describe an evaluation as a whole."""
    summary = evaluation.summary()
    shares = [
        (
            "balanced accuracy",
            "balanced_accuracy",
            "the mean over the classes of the share that was recognised",
        ),
        ("macro F1", "macro_f1", "the mean over the classes of precision and recall, harmonically joined"),
        (
            "ROC AUC",
            "roc_auc",
            "how often a photograph of the second class has the higher score of a random pair",
        ),
    ]
    plain = [
        (
            "log loss",
            "log_loss",
            "the mean of minus the logarithm of the true class's probability; lower is better",
        ),
        ("Brier score", "brier", "the squared error of the probabilities; lower is better"),
        (
            "calibration error",
            "calibration_error",
            "how far confidence and accuracy are apart; lower is better",
        ),
    ]
    values = [
        (name, f"{summary[key]:.1%}", says) for name, key, says in shares if summary[key] is not None
    ] + [(name, f"{summary[key]:.3f}", says) for name, key, says in plain if summary[key] is not None]
    if evaluation.threshold is not None:
        says = f"the probability from which a photograph is called {evaluation.classes[1]}"
        values.append(("threshold", f"{evaluation.threshold:.2f}", says))
    return tiles(values)


def per_class(evaluation: Evaluation) -> str:
    """One row per class, with a bar for its recall."""
    rows = []
    for row in evaluation.per_class().to_dict("records"):
        interval = f"{row['recall_low']:.0%}–{row['recall_high']:.0%}" if row["n"] else ""
        share = 0.0 if np.isnan(row["recall"]) else row["recall"]
        rows.append(
            f'<tr><th scope="row">{text(row["class"])}</th><td class="number">{row["n"]:,}</td>'
            f'<td class="number">{_share(row["recall"])}</td>'
            f'<td class="meter"><span style="--share:{share:.4f}"></span></td>'
            f'<td class="number faint">{interval}</td><td class="number">{_share(row["precision"])}</td>'
            f'<td class="number">{_share(row["f1"])}</td><td class="number">{row["predicted"]:,}</td></tr>'
        )
    heads = ("class", "n", "recall", "", "95% interval", "precision", "F1", "said")
    return _scrolling(_table(heads, rows))


def confusion(evaluation: Evaluation) -> str:
    """The confusion matrix, shaded by the share of the true class."""
    counts = evaluation.confusion_counts()
    note, shown = "", list(range(len(counts)))
    if len(counts) > MOST_CLASSES:
        wrong = counts - np.diag(np.diag(counts))
        worst = np.argsort(-(wrong.sum(axis=0) + wrong.sum(axis=1)), kind="stable")[:MOST_CLASSES]
        shown = sorted(worst.tolist())
        note = f'<p class="faint">The {MOST_CLASSES} classes of {len(counts)} that are confused most.</p>'
    names = [text(evaluation.classes[k]) for k in shown]
    totals = np.maximum(counts.sum(axis=1), 1)
    rows = []
    for i, name in zip(shown, names, strict=True):
        cells = "".join(_confusion_cell(evaluation, counts, totals, i, j) for j in shown)
        rows.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
    heads = "".join(f'<th scope="col"><span>{name}</span></th>' for name in names)
    return note + _scrolling(
        '<table class="confusion">'
        f"<thead><tr><td></td>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _confusion_cell(evaluation: Evaluation, counts: np.ndarray, totals: np.ndarray, i: int, j: int) -> str:
    if not counts[i, j]:
        return '<td class="none">·</td>'
    share = counts[i, j] / totals[i]
    words = (
        f"{counts[i, j]} of {totals[i]} {evaluation.classes[i]}, said {evaluation.classes[j]} ({share:.0%})"
    )
    kind = "right" if i == j else "wrong"
    # The eye should find a rare error: its shade starts at a quarter.
    shade = share if i == j else 0.25 + 0.75 * share
    return f'<td class="{kind}" style="--share:{shade:.3f}" title="{text(words)}">{counts[i, j]:,}</td>'


def two_columns(rows: Iterable[tuple[str, Any]]) -> str:
    """Names and values."""
    return _scrolling(
        '<table class="facts">'
        + "".join(f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>' for name, value in rows)
        + "</table>"
    )


def plain(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table of words."""
    lines = ["<tr>" + "".join(f"<td>{text(value)}</td>" for value in row) + "</tr>" for row in rows]
    return _scrolling(_table(heads, lines))


def _table(heads: Sequence[str], rows: Sequence[str]) -> str:
    columns = "".join(
        f'<th scope="col"{" class=number" if head in NUMBERS else ""}>{text(head)}</th>' for head in heads
    )
    return f"<table><thead><tr>{columns}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _scrolling(table: str) -> str:
    return f'<div class="scroll" tabindex="0">{table}</div>'


def _share(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.1%}"
