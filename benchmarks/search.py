"""Every kind of index at a million vectors, beside FAISS's own exact index and a product in NumPy.

    python benchmarks/search.py [--sizes 1000000x128 200000x1280] [--kinds exact ivf compressed hnsw]

The vectors are synthetic and clustered. Each kind is built, tuned to a recall of 0.99 and asked one query at a time, as
are `IndexFlatIP` and NumPy. (`benchmarks/coldstart.py` has the times of the command.)
"""

import argparse
import time

import common
import numpy as np

from embed.search.index import Slots
from embed.search.tuning import Demand, choose

CLUSTERS = 1000
SPREAD = 0.7  # of a cluster, for centres of standard deviation 1
QUERIES = 200
KINDS = ("exact", "ivf", "compressed")  # hnsw takes a quarter of an hour to build over a million vectors


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


def per_query(ask, queries: np.ndarray) -> float:
    """Return the median time of one query in milliseconds."""
    times = []
    for query in queries:
        start = time.perf_counter()
        ask(query[None])
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def kinds(count: int, dimension: int, names: list[str]) -> list[dict[str, object]]:
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
    for row in rows:
        _compared(row, rows)
    for kind in names:
        start = time.perf_counter()
        index = choose(vectors, slots, Demand(kind))
        built = time.perf_counter() - start
        rows.append(
            {
                "index": kind,
                "effort": index.kind.effort,
                "seconds to build and tune": built,
                "recall@10": index.measured.recall,
                "megabytes": index.measured.megabytes,
                "milliseconds": per_query(lambda q, index=index: index.search(q, 10), queries),
            }
        )
        _compared(rows[-1], rows)
    return rows


def _compared(row: dict, rows: list[dict]) -> None:
    row["queries per second"] = 1000 / row["milliseconds"]
    row["times as fast as IndexFlatIP"] = rows[1]["milliseconds"] / row["milliseconds"]
    print(row, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="*", default=["1000000x128", "200000x1280"])
    parser.add_argument("--kinds", nargs="*", default=KINDS)
    options = parser.parse_args()
    results: dict[str, object] = {}
    for size in options.sizes:
        print(size, flush=True)
        results[size] = kinds(*map(int, size.split("x")), options.kinds)
        common.save("-".join(["search", *sorted(set(options.kinds) - set(KINDS))]), {"sizes": results})


if __name__ == "__main__":
    main()
