"""The figures of the last runs as a picture: ``docs/images/speed.png``.

    python benchmarks/picture.py

Reads what `extraction.py` and `classic.py` left in `results/`: how many times as fast, the median of the pairs as a bar
and the lowest and highest pair as a line.
"""

import json

import common
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

NAMES = {"mobilenetv2": "MobileNetV2", "resnet50": "ResNet50", "efficientnetb0": "EfficientNetB0"}
OURS, LINE = "#0f766e", "#134e4a"


def rows() -> list[tuple[str, dict[str, float]]]:
    """Return what is compared, and its ratio, in the order of the picture."""
    found = []
    for path in sorted(common.RESULTS.glob("extraction-*.json")):
        for backbone, result in json.loads(path.read_text()).items():
            if backbone in NAMES:
                found.append(
                    (f"extract {NAMES[backbone]}\nagainst Keras's own pipeline", result["against_keras"])
                )
                if "against_onnxruntime" in result:
                    name = f"extract {NAMES[backbone]}\nagainst ONNX Runtime by hand"
                    found.append((name, result["against_onnxruntime"]))
    path = common.RESULTS / "classic.json"
    if path.exists():
        classic = json.loads(path.read_text())
        name = f"extract + fit against the network\nin the training loop, {classic['epochs']} epochs"
        found.append((name, classic["faster"]))
    return found


def main() -> None:
    common.arguments(__doc__).parse_args()
    compared = rows()
    figure, axes = plt.subplots(figsize=(8, 0.62 * len(compared) + 0.9), layout="constrained")
    for place, (_, ratio) in enumerate(compared):
        axes.barh(place, ratio["median"], height=0.55, color=OURS)
        axes.hlines(place, ratio["low"], ratio["high"], color=LINE, linewidth=2)
        axes.annotate(
            f"{ratio['median']:.2g} ×",
            (max(ratio["high"], ratio["median"]), place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontweight="bold",
        )
    axes.axvline(1, color="#6b7280", linewidth=1, linestyle=(0, (4, 3)))
    axes.set_yticks(range(len(compared)), [name for name, _ in compared])
    axes.set_xlabel("times as fast")
    axes.margins(x=0.12)
    axes.invert_yaxis()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    path = common.ROOT / "docs" / "images" / "speed.png"
    figure.savefig(path, dpi=144, facecolor="white")
    print(path)


if __name__ == "__main__":
    main()
