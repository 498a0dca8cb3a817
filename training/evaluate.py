"""How good `tiny` is: a logistic head on frozen features, on two sets of photographs it was not trained on.

    python -m training.evaluate    # the table: accuracy of every contender, speed of tiny
    python -m training.evaluate --only tiny speed --sizes 96 112 128

The head is that of `embed fit`, which chooses its strength on the photographs it is fitted on, here the training part
alone; the test part, `test` of clothing and `val` of ants_bees, is for the number alone. Nothing of the network was chosen by
it. Rows go to results/table.csv.
"""

import argparse
import csv
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.model_selection import StratifiedKFold, cross_val_score

from embed.backbones import Network
from embed.backbones.onnx_file import TINY, OnnxFile
from embed.learn import choice, selection
from training.data import SHARED, WORK
from training.teacher import compile_teacher

SETS = {"clothing": ("train", "test"), "ants_bees": ("train", "val")}
TABLE = Path(__file__).resolve().parent / "results" / "table.csv"
PAIRS = 7  # alternated timings of the two networks
BATCH = 32
FOLDS = 3  # of the cross-validation within the training part


def photographs(name: str, part: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Photographs resized to squares (bilinear), uint8 (n, size, size, 3), and their classes."""
    kept = WORK / f"{name}-{part}-{size}.npz"
    if not kept.exists():
        pixels, classes = [], []
        for path in sorted((SHARED / "data" / name / part).glob("*/*")):
            try:
                with Image.open(path) as picture:
                    picture.draft("RGB", (2 * size, 2 * size))
                    pixels.append(
                        np.asarray(picture.convert("RGB").resize((size, size), Image.Resampling.BILINEAR))
                    )
            except OSError:  # the two stray files that are no images
                continue
            classes.append(path.parent.name)
        WORK.mkdir(parents=True, exist_ok=True)
        np.savez(kept, pixels=np.stack(pixels), classes=np.array(classes))
    with np.load(kept) as file:
        return file["pixels"], file["classes"]


def compiled(model, batch: int = BATCH, threads: int = 0):
    """An OpenVINO model at float32, average-pooled features out."""
    import openvino

    model.reshape([batch, *list(model.inputs[0].partial_shape)[1:]])
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_NUM_THREADS": threads,
    }
    return openvino.Core().compile_model(model, "CPU", settings)


def tiny_graph(size: int, file: OnnxFile = TINY):
    """The graph of `tiny`, without pooling."""
    return file.graph(Network(TINY.name, size=size).resolve())


def tiny_features(size: int, file: OnnxFile = TINY) -> Callable:
    network = compiled(tiny_graph(size, file))
    return lambda pixels: batched(pixels, lambda batch: network(batch)[0].mean((1, 2)))


def mobilenet_features(size: int) -> Callable:
    network = compile_teacher(size, BATCH)
    return lambda pixels: batched(pixels, lambda batch: network(batch.astype(np.float32))[0].mean((1, 2)))


def batched(pixels: np.ndarray, run: Callable) -> np.ndarray:
    """Apply `run` to batches of a fixed length, the last one filled up with black."""
    missing = -len(pixels) % BATCH
    padded = np.concatenate([pixels, np.zeros((missing, *pixels.shape[1:]), np.uint8)])
    return np.concatenate([run(padded[i : i + BATCH]).copy() for i in range(0, len(padded), BATCH)])[
        : len(pixels)
    ]


def colour_histogram(pixels: np.ndarray) -> np.ndarray:
    """Joint histogram of the three channels in 4 steps each: 64 values."""
    codes = (pixels // 64).reshape(len(pixels), -1, 3) @ np.array([16, 4, 1])
    return np.stack([np.bincount(code, minlength=64) for code in codes]).astype(np.float32)


def untrained_weights() -> Path:
    """The architecture as initialised (He), before any training."""
    import torch

    from training.network import Network, save_weights

    path = WORK / "untrained.onnx"
    torch.manual_seed(0)
    network = Network()
    for norm in network.norms.values():
        torch.nn.init.ones_(norm.weight)
    save_weights(network, path)
    return path


def score(features: Callable, name: str, size: int) -> tuple[float, float, float]:
    """Accuracy on the test part, then what chose the head: its cross-validated accuracy and its strength."""
    (X, y), (X_test, y_test) = (photographs(name, part, size) for part in SETS[name])
    X, X_test = features(X), features(X_test)
    pairs = list(StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(X, y))
    head = selection.fit_head("logistic", X, y, choice.Folds(pairs, whole=True))
    validated = cross_val_score(head.estimator, X, y, cv=pairs).mean()
    return head.estimator.score(X_test, y_test), validated, head.chosen["C"]


def speed(size: int) -> None:
    """Print images per second of both networks, timed in turn, and the time to load tiny."""
    started = time.perf_counter()
    small = compiled(tiny_graph(size))
    loading = time.perf_counter() - started
    import openvino

    from training.teacher import export

    large = openvino.Core().read_model(export())
    large.reshape([BATCH, 224, 224, 3])
    large = compiled(large)
    rng = np.random.default_rng(0)
    first = rng.integers(0, 256, (BATCH, size, size, 3), dtype=np.uint8)
    second = rng.integers(0, 256, (BATCH, 224, 224, 3)).astype(np.float32)
    times = np.zeros((PAIRS, 2))
    small(first), large(second)
    for pair in range(PAIRS):
        for column, (network, batch, repeats) in enumerate([(small, first, 8), (large, second, 2)]):
            started = time.perf_counter()
            for _ in range(repeats):
                network(batch)
            times[pair, column] = (time.perf_counter() - started) / repeats / BATCH
    here, there = 1 / np.median(times, axis=0)
    ratio = np.median(times[:, 1] / times[:, 0])
    print(f"tiny at {size} px {here:.0f} images/s, MobileNetV2 at 224 px {there:.0f}: {ratio:.1f} times")
    print(f"tiny read and compiled in {1000 * loading:.0f} ms")


def contenders(sizes: list[int]) -> dict[str, list[tuple[str, Callable, int]]]:
    """What to measure, by kind: the label of a row, what makes its features, the size of its pictures."""
    return {
        "tiny": [(f"tiny, {size} px", partial(tiny_features, size), size) for size in sizes],
        "mobilenet": [
            (f"MobileNetV2, {size} px", partial(mobilenet_features, size), size) for size in (224, 128, 96)
        ],
        "untrained": [
            (
                "tiny, untrained",
                lambda: tiny_features(TINY.input_size, replace(TINY, file=untrained_weights())),
                TINY.input_size,
            )
        ],
        "histogram": [("colour histogram", lambda: colour_histogram, TINY.input_size)],
    }


def record(row: dict[str, str]) -> None:
    """Put a row into results/table.csv, in place of an earlier one with the same label."""
    rows = {}
    if TABLE.exists():
        with TABLE.open(newline="") as file:
            rows = {old["features"]: old for old in csv.DictReader(file)}
    rows[row["features"]] = row
    with TABLE.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows.values())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = ["tiny", "mobilenet", "untrained", "histogram", "speed"]
    parser.add_argument("--only", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--sizes", type=int, nargs="+", default=[TINY.input_size], help="inputs for tiny")
    options = parser.parse_args()
    for kind, members in contenders(options.sizes).items():
        if kind not in options.only:
            continue
        for label, make, size in members:
            features = make()
            row = {"features": label}
            for name in SETS:
                accuracy, validated, strength = score(features, name, size)
                row[name] = f"{accuracy:.3f}"
                row[f"{name}_cross_validated"] = f"{validated:.3f}"
                row[f"{name}_strength"] = f"{strength:g}"
            record(row)
            print(row, flush=True)
    if "speed" in options.only:
        speed(TINY.input_size)


if __name__ == "__main__":
    main()
