"""`embed similar` from a cold start: whole processes, side by side with `python -c "import tensorflow"`.

    python benchmarks/coldstart.py [--pairs 5] [--cached 3781 50000] [--cache FOLDER]

Asked for is a photograph that is in the cache, and one that is not: another photograph saved again. The cache holds the
clothing photographs and, beyond those, rows that are each the mean of two of them, under names and contents of their own.
"""

import os
import statistics
import sys
import tempfile
from pathlib import Path

import common
import numpy as np
from PIL import Image

from embed.cache import FeatureCache, FeatureWriter, open_features

TARGETS = {"cached": 0.6, "not cached": 1.0}  # seconds
TARGET_RATIO = 0.2  # of importing TensorFlow
SEED = 0


def enlarged(features: FeatureCache, count: int, cache: Path) -> None:
    """Write a feature set of so many rows: those of another one, and means of two of them."""
    generator = np.random.default_rng(SEED)
    X = features.X
    rows = [
        (
            os.fsencode(path),
            features.sha256[row].tobytes(),
            features.sizes[row],
            features.mtimes_ns[row],
            X[row],
        )
        for row, path in enumerate(features.paths)
    ]
    for number in range(count - len(features)):
        one, other = generator.integers(0, len(X), 2)
        path = b"train/made up %d/%06d-4f8a-4c1e-9d3b.jpg" % (number % 10, number)
        rows.append((path, generator.bytes(32), 1, 1, (X[one] + X[other]) / 2))
    with FeatureWriter.open(cache, "many", features.root, features.recipe, features.dimension) as writer:
        for path, sha256, size, mtime_ns, values in sorted(rows, key=lambda row: row[0]):
            writer.put(os.fsdecode(path), sha256, int(size), int(mtime_ns), values)
        writer.write_failures([])


def measured(features: FeatureCache, cache: Path, count: int, pairs: int) -> list[dict[str, object]]:
    """Time whole processes in turn, after one of each that nobody times."""
    known = features.root / features.paths[len(features) // 2]
    with tempfile.TemporaryDirectory() as folder:
        new = Path(folder) / "new.jpg"
        Image.open(features.root / features.paths[0]).convert("RGB").save(new, quality=85)
        similar = [sys.executable, "-m", "embed.cli", "similar", "--cache", str(cache)]
        commands = {
            "cached": [*similar, str(known)],
            "not cached": [*similar, str(new)],
            "import tensorflow": [sys.executable, "-c", "import tensorflow"],
        }
        for command in commands.values():
            common.whole_process(
                command
            )  # builds the index, prepares the backbone, compiles what Python imports
        runs = [
            lambda command=command: common.whole_process(command)["seconds"] for command in commands.values()
        ]
        seconds = dict(zip(commands, common.alternating(pairs, *runs), strict=True))
    rows: list[dict[str, object]] = []
    for name, target in TARGETS.items():
        ratio = common.ratio(seconds[name], seconds["import tensorflow"])
        median = statistics.median(seconds[name])
        rows.append(
            {
                "cached photographs": count,
                "photograph": name,
                "seconds": median,
                "slowest": max(seconds[name]),
                "against importing TensorFlow": ratio,
                "reached": median <= target and ratio["median"] <= TARGET_RATIO,
            }
        )
        print(rows[-1], file=sys.stderr)
    return rows


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--cached", type=int, nargs="*", default=[3781, 50_000])
    common.takes_cache(parser)
    options = parser.parse_args()
    os.environ.update(common.environment())
    with tempfile.TemporaryDirectory() as folder:
        cache = common.cached(options.cache, folder, "clothing")
        features = open_features(cache)
        rows = []
        for count in options.cached:
            at = cache
            if count != len(features):
                at = Path(folder) / str(count)
                enlarged(features, count, at)
            rows += measured(features, at, count, options.pairs)
    common.save("coldstart", {"cold start": rows})
    common.print_table(rows)


if __name__ == "__main__":
    main()
