"""What the sections of a report show: each function returns what the macro of that name in ``sections.html`` takes."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embed import sources
from embed.report import figures
from embed.report.page import chart_file, counted, data_uri
from embed.report.pictures import Card, Picture, Pictures

if TYPE_CHECKING:
    import pandas as pd

    from embed.api import Review, Scores
    from embed.cache import FeatureCache
    from embed.labels import Labels
    from embed.search import Clusters

LARGE, SMALL = 240, 112  # pixels of the longer side: in a gallery, on a contact sheet
TOP_LOSSES = 24  # photographs in that gallery
MISCLASSIFIED = 48
PAIRS, PHOTOGRAPHS_OF_PAIR = 6, 6
NEAR_PAIRS = 12
CONTACT_SHEET, MOST_OF_CLASS = 240, 12  # photographs in all, and of one class
SHEETS = 60  # classes, or groups, with a contact sheet
OPEN_SHEETS = 20  # of classes; the others are folded
GROUPED = 600  # photographs in all on the contact sheets of groups
LEAST_OF_GROUP, MOST_OF_GROUP, EDGE = 12, 36, 3  # of one group; a third of them from its edge
NAMES = 3  # labels told of one group
SAMPLE = 96  # photographs of a set without labels
FAILURES, REASONS = 100, 10  # files in the table, and reasons above it
MOST_CLASSES = 40  # in a confusion matrix; of more classes, those that are confused most
WORST_CLASSES = 24  # in a table; the others are folded
BESIDE = 12  # classes of a confusion matrix that has room beside the table
OF_CELL, OF_CELLS = 12, 240  # photographs that a cell opens, and all cells
ENOUGH = 5  # photographs of a class before it is called the worst
SHADES = 10  # steps of the shade of a cell
LIGHTEST = 0.25  # shade of a rare error, which the eye should find


def summary(scores: "Scores") -> dict[str, Any]:
    """Return what it comes to: how many were right, where most errors are, and what to mind."""
    predictions = scores.predictions
    groups = scores.document.get("groups") or {}
    return {
        "scores": scores.summary,
        "right": int((predictions["predicted"] == predictions["label"]).sum()),
        "n": len(predictions),
        "worst": _worst(scores),
        "near": len(scores.near_duplicates),
        "notes": scores.document["notes"],
        "groups": [(name, groups[name]) for name in ("worst", "best") if groups],
    }


def _worst(scores: "Scores") -> dict[str, Any] | None:
    """Return the class with the least recall and what it is taken for; None where every photograph was recognised."""
    table = scores.classes
    several = table[table["n"] >= ENOUGH]
    table = several if len(several) else table[table["n"] > 0]
    table = table.sort_values(["recall", "n"], ascending=[True, False], kind="stable")
    if not len(table) or table["recall"].iloc[0] == 1:
        return None
    worst = table.iloc[0]
    pairs = scores.confused[scores.confused["true"] == worst["class"]]
    return {
        "class": worst["class"],
        "n": int(worst["n"]),
        "right": round(worst["recall"] * worst["n"]),
        "pair": pairs.to_dict("records")[0] if len(pairs) else None,
    }


def classes(scores: "Scores", root: Path | str, pictures: Pictures) -> dict[str, Any]:
    """Return the classes, the worst first, and the confusion matrix with the photographs of its cells."""
    rows = scores.classes.sort_values("recall", kind="stable").to_dict("records")
    matrix = confusion(scores.confusion)
    _fill(matrix, scores.predictions, root, pictures)
    return {
        "rows": rows[:WORST_CLASSES],
        "more": rows[WORST_CLASSES:],
        "confusion": matrix,
        "beside": len(matrix["rows"]) <= BESIDE,
    }


def confusion(table: "pd.DataFrame") -> dict[str, Any]:
    """Return the confusion matrix, shaded by the share of the true class; classes that were not trained on are rows only."""
    counts, names, columns = table.to_numpy(), list(table.index), list(table.columns)
    totals = np.maximum(counts.sum(axis=1), 1)
    wrong = np.where(np.eye(len(names), len(columns), dtype=bool), 0, counts)
    confused = wrong.sum(axis=1)
    confused[: len(columns)] += wrong.sum(axis=0)
    shown = sorted(np.argsort(-confused, kind="stable")[:MOST_CLASSES].tolist())
    rows = []
    for i in shown:
        cells = []
        for j in (j for j in shown if j < len(columns)):
            share = counts[i, j] / totals[i]
            shade = share if i == j else LIGHTEST + (1 - LIGHTEST) * share
            words = f"{counts[i, j]} of {totals[i]} {names[i]}, predicted to be {columns[j]} ({share:.0%})"
            cell = {"count": counts[i, j], "right": i == j, "shade": round(shade * SHADES), "title": words}
            cell |= {"id": f"cell-{i}-{j}", "true": names[i], "predicted": columns[j], "opens": False}
            cells.append(cell)
        rows.append((names[i], cells))
    return {"classes": len(names), "columns": [columns[j] for j in shown if j < len(columns)], "rows": rows}


def _fill(matrix: dict[str, Any], predictions: "pd.DataFrame", root: Path | str, pictures: Pictures) -> None:
    """Give the cells of a confusion matrix their photographs: the surest errors, and what was hardly recognised."""
    cells = [cell for _, row in matrix["rows"] for cell in row]
    pairs_of = list(zip(predictions["label"], predictions["predicted"], strict=True))
    left, matrix["opened"] = OF_CELLS, []
    for cell in sorted(cells, key=lambda cell: (cell["right"], -cell["count"])):
        cell["opens"] = bool(cell["count"]) and left > 0
        if not cell["opens"]:
            continue
        members = predictions[[pair == (cell["true"], cell["predicted"]) for pair in pairs_of]]
        members = members.sort_values("probability", ascending=cell["right"], kind="stable")
        paths = members["path"][: min(OF_CELL, left)].tolist()
        left -= len(paths)
        shown = _thumbnails(root, paths, pictures)
        matrix["opened"].append({**cell, "pictures": shown})


def pairs(scores: "Scores", root: Path | str, pictures: Pictures) -> list[dict[str, Any]]:
    """Return the pairs of classes confused most often, with the photographs that were the surest."""
    found = []
    for pair in scores.confused[:PAIRS].to_dict("records"):
        table = scores.predictions
        members = table[(table["label"] == pair["true"]) & (table["predicted"] == pair["predicted"])]
        members = members.sort_values("probability", ascending=False, kind="stable")[:PHOTOGRAPHS_OF_PAIR]
        found.append({**pair, "cards": _judged(members, root, pictures)})
    return found


def losses(scores: "Scores", root: Path | str, pictures: Pictures) -> dict[str, Any]:
    """Return the photographs whose true class was given the least probability, with what spoke for either class."""
    cards = _judged(scores.predictions[:TOP_LOSSES], root, pictures, scores)
    return {
        "cards": cards,
        "method": next((maps[0].method for maps in scores.maps.values()), None),
    }


def wrong(scores: "Scores", root: Path | str, pictures: Pictures) -> dict[str, Any] | None:
    """Return all other photographs that were misclassified, the surest first; None where there are none."""
    others = scores.predictions[TOP_LOSSES:]
    missed = others[others["predicted"] != others["label"]]
    surest = missed.sort_values("probability", ascending=False, kind="stable")[:MISCLASSIFIED]
    return {"cards": _judged(surest, root, pictures), "of": len(missed)} if len(missed) else None


def statistics(scores: "Scores", tuned: dict[str, Any] | None) -> dict[str, Any]:
    """Return what statisticians ask for: figures of probabilities, and charts, each as a file, too."""
    return {
        "scores": scores.summary,
        "second": scores.confusion.columns[1],
        "charts": [
            {**one, "file": data_uri(chart_file(one["chart"]), "image/svg+xml")}
            for one in _charts(scores, tuned)
        ],
    }


def _charts(scores: "Scores", tuned: dict[str, Any] | None) -> list[dict[str, Any]]:
    classes, threshold = list(scores.confusion.columns), scores.summary["threshold"]
    drawn = [("Scores", figures.score_histogram(scores.predictions, classes, threshold))]
    if scores.thresholds is not None:
        drawn.append(("Threshold", figures.threshold_curve(scores.thresholds, threshold)))
    drawn.append(("Calibration", figures.calibration_curve(scores.calibration)))
    learned = {
        "Learning": scores.document["learning_curve"],
        "Tuning": tuned and tuned.get("learning_curve"),
    }
    for name, curve in learned.items():
        if curve:
            drawn += [
                (f"{name}: {measure}", figures.learning_curve(curve, measure))
                for measure in ("loss", "accuracy")
            ]
    return [{"name": name, "chart": chart} for name, chart in drawn]


def leakage(scores: "Scores", root: Path | str, pictures: Pictures) -> dict[str, Any]:
    """Return photographs that are scored beside what they nearly equal in training."""
    shown = scores.near_duplicates[:NEAR_PAIRS]
    file_of = sources.locator(root)
    pictures.fetch(map(file_of, [*shown["scored"], *shown["trained"]]))
    cards = [
        Card(
            pictures.get(file_of(row[role])),
            row[role],
            name=row[f"{role}_label"] or "",
            figure=f"{row['similarity']:.3f}",
            note=(words,),
        )
        for row in shown.to_dict("records")
        for role, words in (("scored", "scored"), ("trained", "trained on"))
    ]
    return {"cards": cards, "shown": len(shown), "of": len(scores.near_duplicates)}


def sheets(review: "Review", pictures: Pictures) -> dict[str, Any] | None:
    """Return a few photographs of every class, spread evenly over it; None where none has one."""
    labels = review.labels
    each = int(np.clip(CONTACT_SHEET // max(1, len(labels.classes)), 3, MOST_OF_CLASS))
    found = []
    for label in labels.classes[:SHEETS]:
        members = np.flatnonzero(labels.labels == label)
        chosen = members[np.linspace(0, len(members) - 1, min(each, len(members))).astype(int)]
        shown = _thumbnails(review.features.root, review.features.paths[chosen], pictures)
        found.append({"label": label, "count": len(members), "pictures": shown})
    return {"shown": found, "classes": len(labels.classes), "open": OPEN_SHEETS} if found else None


def groups(
    features: "FeatureCache", found: "Clusters", given: "Labels", pictures: Pictures
) -> dict[str, Any]:
    """Return the photographs of every group that are nearest to its centre, and some at its edge.

    Parameters
    ----------
    features : FeatureCache
    found : Clusters
    given : Labels
        Of the photographs.
    pictures : Pictures
    """
    shown = found.groups[:SHEETS]
    each = int(np.clip(GROUPED // max(1, len(shown)), LEAST_OF_GROUP, MOST_OF_GROUP))
    sheets = []
    for number, group in enumerate(shown, 1):
        edge = each // EDGE if len(group.rows) > each else 0
        parts = [("centre", group.rows[: each - edge]), ("edge", group.rows[len(group.rows) - edge :])]
        labels = Counter(given.labels[row] for row in group.rows)
        sheets.append(
            {
                "number": number,
                "count": len(group.rows),
                "tightness": group.tightness,
                "labels": [(name, count) for name, count in labels.most_common(NAMES) if name is not None],
                "parts": [
                    {"name": name, "pictures": _thumbnails(features.root, features.paths[rows], pictures)}
                    for name, rows in parts
                    if len(rows)
                ],
            }
        )
    return {"shown": sheets, "groups": len(found.groups)}


def duplicates(review: "Review", pictures: Pictures) -> dict[str, Any] | None:
    """Return a few groups of photographs that show the same picture, or the two that look most alike; None where there are none."""
    shown = review.duplicates[:NEAR_PAIRS]
    file_of = sources.locator(review.features.root)
    several = [group.photographs[:PHOTOGRAPHS_OF_PAIR] for group in shown]
    pictures.fetch(file_of(one.path) for group in several for one in group)
    cards = [
        Card(pictures.get(file_of(one.path)), one.path, figure=f"{one.similarity:.3f}", lead=i == 0)
        for group in several
        for i, one in enumerate(group)
    ]
    if review.closest is not None:
        pair = (review.closest.one, review.closest.other)
        pictures.fetch(map(file_of, pair))
        cards = [Card(pictures.get(file_of(path)), path) for path in pair]
    return {"cards": cards, "shown": len(shown), "of": len(review.duplicates)} if cards else None


def sample(review: "Review", pictures: Pictures) -> list[tuple[str, Picture]]:
    """Return photographs spread evenly over a set that has no labels."""
    count = len(review.features)
    rows = np.unique(np.linspace(0, count - 1, min(SAMPLE, count)).astype(int))
    return _thumbnails(review.features.root, review.features.paths[rows], pictures)


def failures(review: "Review") -> dict[str, Any]:
    """Return the files without features, and why."""
    failed = review.features.failures()
    reasons = Counter(failure.reason for failure in failed)
    return {"reasons": reasons.most_common(REASONS), "files": failed[:FAILURES], "of": len(failed)}


def _thumbnails(root: Path | str, paths: Iterable[str], pictures: Pictures) -> list[tuple[str, Picture]]:
    """Return the paths of photographs, each with a small picture."""
    file_of = sources.locator(root)
    files = [(path, file_of(path)) for path in paths]
    pictures.fetch((file for _, file in files), SMALL)
    return [(path, pictures.get(file, SMALL)) for path, file in files]


def _judged(
    rows: "pd.DataFrame", root: Path | str, pictures: Pictures, scores: "Scores | None" = None
) -> Sequence[Card]:
    """Return a card for each prediction, with its maps where the scores that have them are given."""
    file_of = sources.locator(root)
    pictures.fetch(map(file_of, rows["path"]))
    cards = []
    for row in rows.to_dict("records"):
        maps = scores.maps.get(row["path"], ()) if scores else ()
        heat = [(style, one.cells) for style, one in zip(("predicted", "true"), maps, strict=False)]
        cards.append(
            Card(
                pictures.get(file_of(row["path"]), heat=heat),
                row["path"],
                label=row["label"],
                predicted=row["predicted"],
                sure=row["probability"],
                note=(row["label"], f"{row['label_probability']:.1%}, loss {row['loss']:.2f}"),
            )
        )
    return cards


def misclassified_in_words(scores: "Scores") -> str:
    """Return how many of the photographs were misclassified, and whether the top losses show them all."""
    missed = int((scores.predictions["predicted"] != scores.predictions["label"]).sum())
    if missed > TOP_LOSSES:
        return f"{missed:,} of {counted(len(scores.predictions), 'photograph')} are misclassified."
    return f"All {missed} that are misclassified are among them." if missed else "None is misclassified."
