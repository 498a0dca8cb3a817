"""What the choices of the decoder cost and what they change.

``python benchmarks/decoding.py draft``: features of every photograph of clothes decoded in full and with the JPEG
decoder's own scaling, at a size so small that it scales all of them; the cosine of the two.

``python benchmarks/decoding.py resize``: filters and ways to make a photograph square; accuracy of a logistic regression
on the features, 5-fold cross-validation repeated three times on the training photographs of both data sets, and
the processor time of the resize.

Needs the photographs and the ImageNet weights of MobileNetV2 in ../shared.
"""

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import common
import numpy as np
from PIL import Image

from embed import images
from embed.backbones import Network
from embed.runtime import open_runtime

decoding = importlib.import_module("embed.images.decode")  # the module: its function has the same name

DRAFT_SIZE = 96  # the photographs are 400 pixels wide: those are halved from here down
FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
BATCH = 32


def features(
    root: Path, pixels: Callable[[bytes], np.ndarray], size: int, every: int = 1
) -> tuple[list[str], np.ndarray]:
    """Return the paths and the features of the photographs below a folder, decoded by the function given."""
    runtime = open_runtime(Network("mobilenetv2", size=size))
    paths = [found.path for found in images.find(root) if found.path.endswith("jpg")][::every]

    def batches() -> Iterator[np.ndarray]:
        for i in range(0, len(paths), BATCH):
            yield np.stack([pixels(images.read(root / path).data) for path in paths[i : i + BATCH]])

    return paths, np.concatenate([runtime.run(batch) for batch in batches()])


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine of each pair of rows."""
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def draft() -> None:
    """Compare features with and without scaling in the JPEG decoder."""

    def at(margin: float) -> np.ndarray:
        decoding.DRAFT_MARGIN = margin
        resize = images.Resize(DRAFT_SIZE)
        return features(common.clothing(), lambda data: images.decode(data, resize), DRAFT_SIZE)[1]

    full = at(10**6)
    results = {}
    for margin in (2, 3, 4):
        likeness = cosine(full, at(margin))
        results[f"margin {margin}"] = {
            "photographs": len(likeness),
            "lowest": float(likeness.min()),
            "1 %": float(np.quantile(likeness, 0.01)),
            "median": float(np.median(likeness)),
        }
        print(f"margin {margin}", results[f"margin {margin}"], flush=True)
    common.save("decoding-draft", {"size": DRAFT_SIZE, **results})


def resize() -> None:
    """Compare the accuracy and the time of filters and fits."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
    from sklearn.preprocessing import normalize

    results = {}
    for name, root, every in (
        ("ants and bees", common.clothing().parent / "ants_bees" / "train", 1),
        ("clothing, every third", common.clothing() / "train", 3),
    ):
        for filter_name, fit in [
            *((f, "stretch") for f in FILTERS),
            ("bilinear", "crop"),
            ("bilinear", "pad"),
        ]:
            decoding._FILTER = FILTERS[filter_name]
            way = images.Resize(224, fit)
            start = time.process_time()
            paths, X = features(root, lambda data, way=way: images.decode(data, way), 224, every)
            seconds = time.process_time() - start
            folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=3, random_state=0)
            head = LogisticRegression(C=100, max_iter=300)
            y = [path.split("/")[0] for path in paths]
            accuracy = float(cross_val_score(head, normalize(X), y, cv=folds).mean())
            results[f"{name}: {fit}, {filter_name}"] = {
                "accuracy": accuracy,
                "photographs": len(y),
                "cpu_s": seconds,
            }
            print(f"{name}: {fit}, {filter_name}: {accuracy:.4f}", flush=True)
    common.save("decoding-resize", results)


if __name__ == "__main__":
    {"draft": draft, "resize": resize}[sys.argv[1] if len(sys.argv) > 1 else "draft"]()
