"""Every head on the photographs of clothing: seconds of the whole process, accuracy; and on many made-up rows.

    python benchmarks/heads.py [--runs 3]

Accuracy is that on the test folder; for the plain features and for those of `--size 288 --pooling grid --mirror`, also
that of cross-validation without the test folder. On 25,000 × 1,280 synthetic values in two classes every head is timed
as a whole process as well. `predict` is timed from a cold start with every head, on a photograph of the cache.
"""

import hashlib
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import common
import numpy as np

SYNTHETIC = (25_000, 1_280)
MORE = ("--size", "288", "--pooling", "grid", "--mirror")


def photographs(cache: str, runs: int) -> dict[str, Any]:
    """Time and score every head on plain features."""
    from embed.learn import HEADS

    common.embed("extract", str(common.clothing()), "--cache", cache)
    heads = {}
    for head in HEADS:
        heads[head] = timed(("fit", "--clf", head, "--cache", cache), runs)
        print(head, heads[head], file=sys.stderr)
    return heads


def dearer_features(cache: str) -> dict[str, Any]:
    """Score the SVM on dearer features, and cross-validate it on plain and on dearer ones."""
    dearer = common.embed("extract", str(common.clothing()), "--cache", cache, *MORE)["features"]
    scored = common.embed("fit", "--clf", "svm", "--cache", cache, "--features", dearer)
    rows = common.embed("compare", "--clf", "svm", "--cache", cache)
    return {
        "dearer": {"accuracy": scored["accuracy"], "interval": scored["accuracy_interval"]},
        "cross_validated": {
            "dearer" if row["features"] == dearer else "plain": {
                k: row[k] for k in ("accuracy", "low", "high")
            }
            for row in rows
        },
    }


def timed(command: tuple[str, ...], runs: int) -> dict[str, Any]:
    report = common.embed(*command)
    taken = [common.whole_process([*common.EMBED, *command, "-q"])["seconds"] for _ in range(runs)]
    return {
        "seconds": statistics.median(taken),
        "slowest": max(taken),
        "accuracy": report["accuracy"],
        "interval": report["accuracy_interval"],
    }


def predictions(cache: str, runs: int) -> dict[str, float]:
    """Time the prediction of one photograph by every head, whole processes."""
    from embed.learn import HEADS

    photograph = str(next(common.clothing().glob("test/*/*.jpg")))
    taken = {}
    for head in HEADS:
        command = [*common.EMBED, "predict", photograph, "--model", head, "--cache", cache]
        taken[head] = statistics.median(common.whole_process(command)["seconds"] for _ in range(runs))
    return taken


def made_up() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    n, d = SYNTHETIC
    target = random.integers(0, 2, n)
    centre = 0.08 * random.standard_normal(d)
    X = np.maximum(random.standard_normal((n, d)) + target[:, None] * centre, 0).astype(np.float32)
    return X, np.array(["cat", "dog"])[target]


def large(folder: str, runs: int) -> dict[str, Any]:
    """Time every head as a whole process on a feature set of the synthetic values."""
    from embed.cache import FeatureWriter, Recipe
    from embed.learn import HEADS

    X, y = made_up()
    data, cache = Path(folder, "synthetic"), Path(folder, "large")
    data.mkdir()
    recipe = Recipe(
        backbone="none", weights="none", weights_sha256="00" * 32, layer="none", size=224, decoder=1
    )
    with FeatureWriter.open(cache, "synthetic", data, recipe, X.shape[1]) as writer:
        for i, label in enumerate(y):
            path = f"{label}/{i:05d}.jpg"
            writer.put(path, hashlib.sha256(path.encode()).digest(), 1, 1, X[i])
        writer.commit()
        writer.write_failures([])
    return {head: timed(("fit", "--clf", head, "--cache", str(cache)), runs) for head in HEADS}


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache = f"{folder}/cache"
        results = {
            "heads": photographs(cache, options.runs),
            "predict": predictions(cache, options.runs),
            "large": large(folder, 1),
        }
        common.save("heads", results)
        # Many minutes, and no times.
        common.save("heads", results := {**results, **dearer_features(cache)})
    print(f"{'head':14} {'seconds':>8} {'accuracy':>9}   interval")
    for name, head in [*results["heads"].items(), ("svm, dearer", results["dearer"])]:
        low, high = head["interval"]
        print(f"{name:14} {head.get('seconds', 0):8.1f} {head['accuracy']:9.3f}   {low:.3f} to {high:.3f}")
    for name, row in results["cross_validated"].items():
        print(f"svm, {name}, cross-validated: {row['accuracy']:.3f} ({row['low']:.3f} to {row['high']:.3f})")
    print(f"{'25,000 rows':14} {'seconds':>8} {'accuracy':>9}   as whole processes")
    for name, head in results["large"].items():
        print(f"{name:14} {head['seconds']:8.1f} {head['accuracy']:9.3f}")
    print(f"{'predict':14} {'seconds':>8}   cold")
    for name, taken in results["predict"].items():
        print(f"{name:14} {taken:8.2f}")


if __name__ == "__main__":
    main()
