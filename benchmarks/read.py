"""Reading a cache of 100,000 photographs against ``numpy.load`` of the same rows, side by side.

    python benchmarks/read.py [--rows 100000] [--dimension 1280]

Seconds and ratios: all features, a few rows, and opening the set alone or for its paths.
"""

import tempfile
import time
from pathlib import Path

import common
import numpy as np

import embed
from embed.cache import FeatureWriter, Recipe, open_features


def best(work, repeat=3):
    """Return the least number of seconds that ``work`` took."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=1280)
    arguments = parser.parse_args()
    recipe = Recipe(backbone="benchmark", weights="none", weights_sha256="", layer="", size=1, decoder=1)
    X = np.random.default_rng(0).random((arguments.rows, arguments.dimension), np.float32)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        cache = Path(folder) / "cache"
        with FeatureWriter.open(cache, "data", Path(folder), recipe, arguments.dimension) as writer:
            for i, features in enumerate(X):
                writer.put(f"{i:07d}.jpg", i.to_bytes(32, "little"), i, i, features)
        np.save(Path(folder) / "X.npy", X)
        some = np.random.default_rng(1).integers(0, len(X), 20)
        load = best(lambda: np.load(Path(folder) / "X.npy"))
        parts = len(open_features(cache).parts)
        rows = []
        for name, work in {
            "numpy.load": lambda: np.load(Path(folder) / "X.npy"),
            "open and all features": lambda: open_features(cache).X,
            "embed.open(cache).X": lambda: embed.open(cache).X,
            "open": lambda: len(open_features(cache)),
            "open, paths, sizes, times": lambda: (open_features(cache).paths, open_features(cache).sizes),
            "open and 20 rows": lambda: open_features(cache).rows(some),
            "open and blocks": lambda: [block.sum() for _, block in open_features(cache).blocks()],
        }.items():
            seconds = best(work)
            rows.append({"work": name, "seconds": seconds, "times numpy.load": seconds / load})
    size = {"rows": arguments.rows, "dimension": arguments.dimension, "parts": parts}
    common.save("read", {**size, "reading": rows})
    common.print_table([size])
    common.print_table(rows)


if __name__ == "__main__":
    main()
