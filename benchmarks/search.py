"""Every kind of index beside FAISS's own exact index, at the same queries: photographs that are in none of them.

    python benchmarks/search.py [--sizes 1000000x128 200000x1280] [--kinds exact compressed ivf hnsw]

The vectors are synthetic and clustered, kept as a feature set. Each kind is built, tuned to a recall of 0.99 and asked one
query at a time, as is `IndexFlatIP`. Then one photograph is added, and one removed. (`benchmarks/coldstart.py` has the times of the command.)
"""

import hashlib
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import common
import numpy as np

from embed.cache import FeatureCache, FeatureWriter, Recipe, open_features
from embed.search import IndexOptions, measured, open_index
from embed.search.vectors import normalised

CLUSTERS = 1000
SPREAD = 0.7  # of a cluster, for centres of standard deviation 1
QUERIES = 200
KINDS = ("exact", "compressed", "ivf")  # hnsw takes a quarter of an hour to build over a million vectors


def synthetic(count: int, dimension: int, seed: int) -> np.ndarray:
    """Return clustered vectors, float32 (count, dimension); another seed draws others around the same centres."""
    centres = np.random.default_rng(0).standard_normal((CLUSTERS, dimension), dtype=np.float32)
    generator = np.random.default_rng(seed)
    vectors = centres[generator.integers(0, CLUSTERS, count)]
    for start in range(0, count, 65_536):
        block = vectors[start : start + 65_536]
        block += np.float32(SPREAD) * generator.standard_normal(block.shape, dtype=np.float32)
    return vectors


def write(cache: Path, numbers: range, X: np.ndarray) -> FeatureCache:
    """Add rows to a feature set, and return it."""
    recipe = Recipe(
        backbone="synthetic", weights="none", weights_sha256="00" * 32, layer="", size=1, decoder=1
    )
    with FeatureWriter.open(cache, "synthetic", cache, recipe, X.shape[1]) as writer:
        for number, values in zip(numbers, X, strict=True):
            path = f"train/{number:08d}.jpg"
            writer.put(path, hashlib.sha256(path.encode()).digest(), 1, 1, values)
        writer.write_failures([])
    return open_features(cache)


def per_query(ask, queries: np.ndarray) -> float:
    """Return the median time of one query in milliseconds."""
    times = []
    for query in queries:
        start = time.perf_counter()
        ask(query[None])
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def seconds_of(call) -> tuple[float, object]:
    """Return how long a call takes, and what it returns."""
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def kinds(cache: Path, count: int, dimension: int, names: list[str]) -> list[dict[str, object]]:
    """Build, tune and time every kind of index on synthetic vectors."""
    import faiss

    features = write(cache, range(count), synthetic(count, dimension, 1))
    queries = normalised(synthetic(QUERIES, dimension, 2))
    flat = faiss.IndexFlatIP(dimension)
    for _, X in features.blocks():
        flat.add(normalised(X))
    tenth = flat.search(queries, 10)[0][:, -1]
    rows: list[dict[str, object]] = [
        {"index": "IndexFlatIP", "milliseconds": per_query(lambda q: flat.search(q, 10), queries[:20])}
    ]
    flat.reset()
    for kind in names:
        built, index = seconds_of(lambda kind=kind: open_index(features, IndexOptions(kind)))
        few = queries[:20] if kind == "exact" else queries
        found = [
            int((scores >= least - 2e-6).sum())
            for (_, scores), least in zip(index.search(few, 10), tenth[: len(few)], strict=True)
        ]
        figures = measured(index)
        rows.append(
            {
                "index": kind,
                "effort": index.store.effort if index.store else 0,
                "seconds to build and tune": built,
                "recall@10 reported": (figures.recall, figures.recall_low, figures.recall_high),
                "recall@10 with a filter, reported": figures.filtered_recall,
                "recall@10": float(np.minimum(found, 10).mean() / 10),
                "megabytes": figures.megabytes,
                "milliseconds": per_query(lambda q, index=index: index.search(q, 10), few),
            }
        )
        rows[-1]["times as fast as IndexFlatIP"] = rows[0]["milliseconds"] / rows[-1]["milliseconds"]
        print(rows[-1], file=sys.stderr)
    rows.append(changing(cache, count, dimension))
    print(rows[-1], file=sys.stderr)
    return rows


def changing(cache: Path, count: int, dimension: int) -> dict[str, object]:
    """Add a photograph and remove one, and return how long the index takes to follow."""
    features = write(cache, range(count, count + 1), synthetic(1, dimension, 3))
    added, _ = seconds_of(lambda: open_index(features))
    with FeatureWriter.open(cache, "synthetic", cache, features.recipe, dimension) as writer:
        writer.remove(features.paths[count // 2])
    features = open_features(cache)
    removed, _ = seconds_of(lambda: open_index(features))
    return {"index": "follows", "seconds, one added": added, "seconds, one removed": removed}


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--sizes", nargs="*", default=["1000000x128", "200000x1280"])
    parser.add_argument("--kinds", nargs="*", default=KINDS)
    options = parser.parse_args()
    os.environ.update(common.environment())
    results: dict[str, list[dict[str, object]]] = {}
    for size in options.sizes:
        print(size, file=sys.stderr)
        folder = Path(tempfile.mkdtemp())
        try:
            results[size] = kinds(folder, *map(int, size.split("x")), options.kinds)
        finally:
            shutil.rmtree(folder)
        common.save("-".join(["search", *sorted(set(options.kinds) - set(KINDS))]), {"sizes": results})
    for size, rows in results.items():
        print(size)
        common.print_table(rows)


if __name__ == "__main__":
    main()
