"""What is to be reached, and what the last runs reached: the table at the end of `make bench`.

    python benchmarks/table.py

Reads what the other scripts left in `results/`; what was not run is said to be missing.
"""

import json
import operator
from collections.abc import Callable, Iterator
from typing import Any

import common

WIDTH = 62
KEEPS = {">=": operator.ge, "<=": operator.le}

Results = dict[str, Any]
Target = tuple[str, str, float, Callable[[Results], float]]  # what, comparison, bound, where the figure is


def targets() -> Iterator[Target]:
    """Yield what is to be reached, and how to find what was."""
    for name, against, bound in (
        ("MobileNetV2", "keras", 2),
        ("MobileNetV2", "onnxruntime", 1),
        ("ResNet50", "keras", 1.3),
        ("EfficientNetB0", "keras", 2),
    ):
        what = f"{name}, times {'Keras' if against == 'keras' else 'ONNX Runtime'}"
        yield (
            what,
            ">=",
            bound,
            lambda r, b=name.lower(), a=against: extraction(r, b)[f"against_{a}"]["median"],
        )
    yield (
        "MobileNetV2, share of the ceiling",
        ">=",
        0.9,
        lambda r: extraction(r, "mobilenetv2")["of_ceiling"]["median"],
    )
    yield "3,781 known files, seconds", "<=", 1, lambda r: r["rerun"]["again_3781_seconds"]
    yield "100,000 known files, seconds", "<=", 8, lambda r: r["rerun"]["again_100000_seconds"]
    yield (
        "peak memory, 60,000 files, times that of 3,000",
        "<=",
        1.1,
        lambda r: r["rerun"]["peak_mb_60000"] / r["rerun"]["peak_mb_3000"],
    )
    yield "peak memory, MobileNetV2, MB", "<=", 800, lambda r: r["rerun"]["peak_mb_mobilenetv2_3781"]
    yield "extract + fit, times the classic recipe", ">=", 7, lambda r: r["classic"]["faster"]["median"]
    for part, what, bound in (("heads", "clothing", 15), ("large", "25,000 photographs", 40)):
        yield f"slowest head, {what}, seconds", "<=", bound, lambda r, p=part: slowest(r["heads"][p])
    for head in ("logistic", "linear-svm", "knn"):
        yield f"{head}, clothing, seconds", "<=", 8, lambda r, h=head: r["heads"]["heads"][h]["seconds"]
    yield "slowest cold predict, seconds", "<=", 2.5, lambda r: max(r["heads"]["predict"].values())
    preferred = "accuracy of what cross-validation prefers"
    yield f"clothing, {preferred}", ">=", 0.9, lambda r: r["heads"]["dearer"]["accuracy"]
    yield f"ants and bees, {preferred}", ">=", 0.955, lambda r: r["options"]["scored"]["chosen"]["accuracy"]
    for count, photograph, seconds in (
        (3_781, "cached", 0.6),
        (3_781, "not cached", 1),
        (50_000, "cached", 0.6),
        (50_000, "not cached", 1),
    ):
        what = f"similar, {count:,} photographs, {photograph}"
        yield f"{what}, seconds", "<=", seconds, lambda r, c=count, p=photograph: cold(r, c, p)["seconds"]
        yield (
            f"{what}, times import tensorflow",
            "<=",
            0.2,
            lambda r, c=count, p=photograph: cold(r, c, p)["against importing TensorFlow"]["median"],
        )
    yield "a million vectors, recall of what is chosen", ">=", 0.99, lambda r: chosen(r)["recall@10"]
    yield (
        "a million vectors, times IndexFlatIP",
        ">=",
        10,
        lambda r: chosen(r)["times as fast as IndexFlatIP"],
    )
    yield (
        "duplicates of 50,000 x 1,280, seconds",
        "<=",
        60,
        lambda r: r["duplicates"]["comparing"]["seconds"],
    )
    yield "edited copies found, eight edits", ">=", 0.95, lambda r: of_edit(r, "all eight")["recall"]
    yield (
        "edited copies found, the worst edit",
        ">=",
        0.85,
        lambda r: min(row["recall"] for row in r["duplicates"]["edits"] if row["set"] == "clothing"),
    )
    yield (
        "same pictures that are, the worst set",
        ">=",
        0.99,
        lambda r: min(row["precision"] for row in r["duplicates"]["sets"]),
    )
    for own in ("clothing", "ants_bees"):
        yield f"unlike a model of {own}, area", ">=", 0.99, lambda r, o=own: r["unlike"][o]["auc"]


def extraction(results: Results, backbone: str) -> Results:
    """Return what `extraction.py` found of a backbone."""
    return results[f"extraction-{backbone}"][backbone]


def slowest(heads: Results) -> float:
    """Return the seconds of the head that takes longest."""
    return max(head["seconds"] for head in heads.values())


def cold(results: Results, count: int, photograph: str) -> Results:
    """Return what `coldstart.py` found with so many photographs cached, for one that is or is not."""
    rows = {(row["cached photographs"], row["photograph"]): row for row in results["coldstart"]["cold start"]}
    return rows[count, photograph]


def of_edit(results: Results, edit: str) -> Results:
    """Return what `duplicates.py` found of an edit of photographs of clothing."""
    return next(
        row for row in results["duplicates"]["edits"] if (row["set"], row["edit"]) == ("clothing", edit)
    )


def chosen(results: Results) -> Results:
    """Return what `search.py` found of the index that is chosen for a million vectors."""
    return {row["index"]: row for row in results["search"]["sizes"]["1000000x128"]}["compressed"]


def main() -> None:
    common.arguments(__doc__).parse_args()
    results = {path.stem: json.loads(path.read_text()) for path in common.RESULTS.glob("*.json")}
    print(f"{'':{WIDTH}} {'measured':>9} {'to reach':>10}")
    for what, comparison, bound, figure in targets():
        reach = f"{comparison} {bound:g}"
        try:
            value = figure(results)
        except KeyError:
            print(f"{what:{WIDTH}} {'missing':>9} {reach:>10}")
            continue
        verdict = "reached" if KEEPS[comparison](value, bound) else "not reached"
        print(f"{what:{WIDTH}} {value:9.3g} {reach:>10}   {verdict}")


if __name__ == "__main__":
    main()
