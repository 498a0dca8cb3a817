"""How long a map of many photographs takes, and how well it keeps neighbours together.

    python benchmarks/maps.py [--cache FOLDER] [--many 100000]

The vectors are those of clothing by MobileNetV2, and means of two of them where there are more. Placed by scikit-learn's t-SNE, which
of more than 4,000 places as many and puts the others beside them, and by openTSNE; each in a process of its own. How many of the ten
nearest photographs on the map have the label of the photograph, and how many of the thirty nearest vectors are among the thirty
nearest on the map, of a sample of 2,000.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import coldstart
import common
import numpy as np

SAMPLE, LABEL_NEIGHBOURS, NEIGHBOURS = 2_000, 10, 30


def work(cache: Path, library: str) -> dict[str, object]:
    """Place the photographs of a cache, and judge the map."""
    from sklearn.neighbors import NearestNeighbors

    from embed.cache import open_features
    from embed.search import layout as module_of
    from embed.search.vectors import normalised

    module = sys.modules[module_of.__module__]
    if library == "scikit-learn":
        module.find_spec = lambda name: None
    features = open_features(cache)
    start = time.perf_counter()
    placed = module_of(features)
    seconds = time.perf_counter() - start
    sample = np.random.default_rng(0).permutation(len(features))[:SAMPLE]
    X = normalised(features.X)

    def nearest(points: np.ndarray) -> np.ndarray:
        found = NearestNeighbors(n_neighbors=NEIGHBOURS + 1).fit(points)
        return found.kneighbors(points[sample], return_distance=False)[:, 1:]

    on_map, of_vectors = nearest(placed.positions), nearest(X)
    labels = np.array(placed.labels)
    same = labels[on_map[:, :LABEL_NEIGHBOURS]] == labels[sample, None]
    kept = np.mean([len(set(a) & set(b)) for a, b in zip(on_map, of_vectors, strict=True)]) / NEIGHBOURS
    return {
        "photographs": len(features),
        "method": placed.method,
        "seconds": seconds,
        "label": float(same.mean()),
        "kept": float(kept),
    }


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--many", type=int, default=100_000)
    common.takes_cache(parser)
    options = parser.parse_args()
    os.environ.update(common.environment())
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        from embed.cache import open_features

        cache = common.cached(options.cache, folder, "clothing")
        known = open_features(cache, "clothing")
        for count in sorted({20_000, options.many}):
            many = Path(folder) / str(count)
            coldstart.enlarged(known, count, many)
            for library in ("scikit-learn", "openTSNE"):
                rows.append(common.measure(__file__, many, library))
                print(rows[-1], file=sys.stderr)
        rows.insert(0, common.measure(__file__, cache, "scikit-learn"))
    common.save("maps", {"maps": rows})
    common.print_table(rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        print(json.dumps(work(Path(sys.argv[2]), sys.argv[3])))
    else:
        main()
