"""Search: `embed similar` from a cold start, and every kind of index at a million vectors.

    python benchmarks/search.py [--pairs 5] [--cached 3000 50000] [--large 1000000x128 200000x1280]

The first table is of whole processes beside `python -c "import tensorflow"`, with that many photographs cached, for one
that is among them and for one that is not. The second is of synthetic clustered vectors: each kind of index is built,
tuned to a recall of 0.99, and asked one query at a time, beside `IndexFlatIP` with one thread and a product in NumPy.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import common
import numpy as np

from embed.backbones import Network
from embed.cache import FeatureWriter, Recipe
from embed.extract import FeatureOptions
from embed.search.index import Slots
from embed.search.tuning import Demand, choose

CLUSTERS = 1000
SPREAD = 0.7  # of a cluster, for centres of standard deviation 1
QUERIES = 200
KINDS = ("ivf", "compressed", "hnsw")


def synthetic(count: int, dimension: int, seed: int = 0) -> np.ndarray:
    """Return clustered vectors of length one, float32 (count, dimension)."""
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((CLUSTERS, dimension), dtype=np.float32)
    vectors = centres[generator.integers(0, CLUSTERS, count)]
    for start in range(0, count, 65_536):
        block = vectors[start : start + 65_536]
        block += np.float32(SPREAD) * generator.standard_normal(block.shape, dtype=np.float32)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    return vectors


def cold_start(photographs: Path, count: int, pairs: int) -> list[dict[str, object]]:
    """Time whole processes on a cache of so many photographs, most of them made up."""
    recipe: Recipe = FeatureOptions(network=Network("mobilenetv2")).recipe(Network("mobilenetv2").resolve())
    known = sorted(photographs.glob("test/*/*"))[:2]
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        with FeatureWriter.open(cache, "many", photographs, recipe, 1280) as writer:
            from embed import images

            digest = images.read(known[0]).sha256
            writer.put(
                str(known[0].relative_to(photographs)), digest, 1, 1, generator.random(1280, np.float32)
            )
            for i in range(count - 1):
                features = np.maximum(generator.standard_normal(1280, dtype=np.float32), 0)
                writer.put(f"train/class {i % 10}/{i:06d}.jpg", generator.bytes(32), 1, 1, features)
        similar = [sys.executable, "-m", "embed.cli", "similar", "--cache", str(cache)]
        commands = {
            "cached": [*similar, str(known[0])],
            "not cached": [*similar, str(known[1])],
            "import tensorflow": [sys.executable, "-c", "import tensorflow"],
        }
        for command in commands.values():
            common.whole_process(command)  # builds the index, exports the backbone, fills the page cache
        runs = [
            lambda command=command: common.whole_process(command)["seconds"] for command in commands.values()
        ]
        seconds = dict(zip(commands, common.alternating(pairs, *runs), strict=True))
    return [
        {
            "cached photographs": count,
            "query": name,
            "seconds": float(np.median(seconds[name])),
            "against importing TensorFlow": common.ratio(seconds[name], seconds["import tensorflow"]),
        }
        for name in ("cached", "not cached")
    ]


def per_query(ask, queries: np.ndarray) -> float:
    """Return the median time of one query in milliseconds."""
    times = []
    for query in queries:
        start = time.perf_counter()
        ask(query[None])
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def kinds(count: int, dimension: int) -> list[dict[str, object]]:
    """Build, tune and time every kind of index on synthetic vectors."""
    import faiss

    vectors = synthetic(count, dimension)
    queries = vectors[np.random.default_rng(1).integers(0, count, QUERIES)]
    slots = Slots(np.zeros((count, 32), np.uint8), np.arange(count))
    flat = faiss.IndexFlatIP(dimension)
    flat.add(vectors)
    few = queries[:20]
    rows: list[dict[str, object]] = [
        {
            "index": "NumPy",
            "milliseconds": per_query(lambda q: np.argpartition(-(vectors @ q[0]), 10)[:10], few),
        },
        {"index": "IndexFlatIP", "milliseconds": per_query(lambda q: flat.search(q, 10), few)},
    ]
    for kind in KINDS:
        start = time.perf_counter()
        index = choose(vectors, slots, Demand(kind))
        built = time.perf_counter() - start
        one = per_query(lambda q, index=index: index.search(q, 10), queries)
        rows.append(
            {
                "index": kind,
                "effort": index.kind.effort,
                "seconds to build and tune": built,
                "recall@10": index.measured.recall,
                "megabytes": index.measured.megabytes,
                "milliseconds": one,
            }
        )
    for row in rows:
        row["queries per second"] = 1000 / row["milliseconds"]
        row["times as fast as IndexFlatIP"] = rows[1]["milliseconds"] / row["milliseconds"]
        print(count, dimension, row, flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--cached", type=int, nargs="*", default=[3000, 50_000])
    parser.add_argument("--large", nargs="*", default=["1000000x128", "200000x1280"])
    options = parser.parse_args()
    os.environ.update(common.environment())
    results: dict[str, object] = {"cold start": [], "kinds": {}}
    for count in options.cached:
        rows = cold_start(common.clothing(), count, options.pairs)
        results["cold start"] += rows
        for row in rows:
            print(row, flush=True)
    for size in options.large:
        results["kinds"][size] = kinds(*map(int, size.split("x")))
    common.save("search", results)


if __name__ == "__main__":
    main()
