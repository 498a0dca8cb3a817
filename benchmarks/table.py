"""What is to be reached, and what the last runs reached: the table at the end of `make bench`.

    python benchmarks/table.py

Reads what the other scripts left in `results/`; what was not run is said to be missing.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import common

WIDTH = 62


def at_least(bound: float) -> tuple[str, Callable[[float], bool]]:
    """Return how a lower bound reads, and what keeps to it."""
    return f">= {bound:g}", lambda value: value >= bound


def at_most(bound: float) -> tuple[str, Callable[[float], bool]]:
    """Return how an upper bound reads, and what keeps to it."""
    return f"<= {bound:g}", lambda value: value <= bound


def targets(
    results: dict[str, Any],
) -> Iterator[tuple[str, tuple[str, Callable[[float], bool]], Callable[[], float]]]:
    """Yield what is measured, its bound, and where its figure is found."""

    def extraction(backbone: str, against: str) -> Callable[[], float]:
        return lambda: results[f"extraction-{backbone}"][backbone][against]["median"]

    def rerun(name: str) -> Callable[[], float]:
        return lambda: results["rerun"][name]

    def slowest_head(part: str) -> Callable[[], float]:
        return lambda: max(head["seconds"] for head in results["heads"][part].values())

    def cold(count: int, photograph: str, figure: Callable[[dict[str, Any]], float]) -> Callable[[], float]:
        return lambda: next(
            figure(row)
            for row in results["coldstart"]["cold start"]
            if (row["cached photographs"], row["photograph"]) == (count, photograph)
        )

    def index(size: str, figure: str) -> Callable[[], float]:
        return lambda: next(row[figure] for row in results["search"]["sizes"][size] if row["index"] == "ivf")

    yield "MobileNetV2, times Keras's own pipeline", at_least(2), extraction("mobilenetv2", "against_keras")
    yield (
        "MobileNetV2, times ONNX Runtime by hand",
        at_least(1),
        extraction("mobilenetv2", "against_onnxruntime"),
    )
    yield "MobileNetV2, share of the ceiling", at_least(0.9), extraction("mobilenetv2", "of_ceiling")
    yield "ResNet50, times Keras's own pipeline", at_least(1.3), extraction("resnet50", "against_keras")
    yield (
        "EfficientNetB0, times Keras's own pipeline",
        at_least(2),
        extraction("efficientnetb0", "against_keras"),
    )
    yield "3,781 known files, seconds", at_most(1), rerun("again_3781_seconds")
    yield "100,000 known files, seconds", at_most(8), rerun("again_100000_seconds")
    yield (
        "peak memory, 60,000 files, times that of 3,000",
        at_most(1.1),
        lambda: results["rerun"]["peak_mb_60000"] / results["rerun"]["peak_mb_3000"],
    )
    yield "peak memory, MobileNetV2, MB", at_most(800), rerun("peak_mb_mobilenetv2_3781")
    yield (
        "extract + fit, times the classic recipe",
        at_least(7),
        lambda: results["classic"]["faster"]["median"],
    )
    yield "slowest head, clothing, seconds", at_most(6), slowest_head("heads")
    yield "slowest head, 25,000 photographs, seconds", at_most(15), slowest_head("large")
    yield (
        "logistic, times the seconds of scikit-learn's",
        at_most(1),
        lambda: results["heads"]["synthetic"]["logistic"]["ratio"],
    )
    yield (
        "clothing, accuracy of what cross-validation prefers",
        at_least(0.9),
        lambda: results["heads"]["dearer"]["accuracy"],
    )
    yield (
        "ants and bees, accuracy of what cross-validation prefers",
        at_least(0.955),
        lambda: results["options"]["scored"]["chosen"]["accuracy"],
    )
    for count in (3781, 50_000):
        for photograph, seconds in (("cached", 0.6), ("not cached", 1.0)):
            what = f"similar, {count:,} photographs, {photograph}"
            yield f"{what}, seconds", at_most(seconds), cold(count, photograph, lambda row: row["seconds"])
            yield (
                f"{what}, times import tensorflow",
                at_most(0.2),
                cold(count, photograph, lambda row: row["against importing TensorFlow"]["median"]),
            )
    yield "a million vectors, recall of ivf", at_least(0.99), index("1000000x128", "recall@10")
    yield (
        "a million vectors, times IndexFlatIP",
        at_least(10),
        index("1000000x128", "times as fast as IndexFlatIP"),
    )
    yield (
        "duplicates of 50,000 x 1,280, seconds",
        at_most(60),
        lambda: results["duplicates"]["comparing"]["seconds"],
    )
    yield (
        "flipped labels in the most doubtful tenth",
        at_least(0.8),
        lambda: results["duplicates"]["wrong labels"]["in the most doubtful tenth"],
    )


def main() -> None:
    results = {path.stem: json.loads(path.read_text()) for path in common.RESULTS.glob("*.json")}
    print(f"{'':{WIDTH}} {'measured':>9} {'to reach':>9}")
    for what, (bound, keeps), figure in targets(results):
        try:
            value = figure()
        except (KeyError, StopIteration):
            print(f"{what:{WIDTH}} {'missing':>9} {bound:>9}")
            continue
        print(f"{what:{WIDTH}} {value:9.3g} {bound:>9}   {'reached' if keeps(value) else 'not reached'}")


if __name__ == "__main__":
    main()
