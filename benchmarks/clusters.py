"""How well groups agree with labels that they did not see: adjusted mutual information, 1 the same and 0 by chance.

    python benchmarks/clusters.py [--cache FOLDER] [--many 100000]

`embed cluster` on clothing and on ants and bees, beside k-means and HDBSCAN of scikit-learn on the same features, five
seeds each; HDBSCAN has none, and what it leaves over counts as a group of its own. Then `embed cluster` as a whole process
on a set of many rows, made of means of two photographs.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import coldstart
import common
import numpy as np
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_mutual_info_score

from embed.cache import FeatureCache, list_features
from embed.labels import of
from embed.search.clusters import AXES, STARTS, clusters
from embed.search.vectors import normalised

SEEDS = range(5)
SMALLEST = (5, 10, 20)  # groups of HDBSCAN, which is told the fewest photographs of one


def ours(features: FeatureCache, count: int | None, seed: int) -> np.ndarray:
    """Return the group of each row by `embed cluster`."""
    groups = np.empty(len(features), int)
    for number, group in enumerate(clusters(features, count, seed=seed).groups):
        groups[group.rows] = number
    return groups


def agreement(features: FeatureCache) -> list[dict[str, object]]:
    """Return the adjusted mutual information with the labels, by method."""
    labels = of(features).labels.astype(str)
    classes = len(set(labels))
    X = normalised(features.X)
    axes = PCA(AXES, random_state=0).fit_transform(X)
    chosen = int(ours(features, None, 0).max()) + 1

    def k_means(points: np.ndarray, count: int):
        return lambda seed: KMeans(count, n_init=STARTS, random_state=seed).fit_predict(points)

    methods = {
        "embed cluster": lambda seed: ours(features, None, seed),
        f"embed cluster --groups {classes}": lambda seed: ours(features, classes, seed),
        "k-means, as many groups, the axes as they are": k_means(axes, chosen),
        "k-means, as many groups, the features themselves": k_means(X, chosen),
    }
    for least in SMALLEST:
        methods[f"HDBSCAN, {least} photographs or more, scaled axes"] = lambda _, least=least: HDBSCAN(
            min_cluster_size=least, min_samples=5, copy=True
        ).fit_predict(normalised(axes))
    rows = []
    for name, grouped in methods.items():
        started = time.perf_counter()
        found = [grouped(seed) for seed in (SEEDS if not name.startswith("HDBSCAN") else [0])]
        seconds = (time.perf_counter() - started) / len(found)
        scores = [adjusted_mutual_info_score(labels, groups) for groups in found]
        counts = [int(groups.max()) + 1 for groups in found]
        rows.append(
            {
                "data": features.name.split("--")[0],
                "method": name,
                "groups": sorted(set(counts)),
                "ami": statistics.median(scores),
                "low": min(scores),
                "high": max(scores),
                "in no group": float(np.mean(found[0] < 0)),
                "seconds": seconds,
            }
        )
        print(rows[-1], file=sys.stderr)
    return rows


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--many", type=int, default=100_000)
    common.takes_cache(parser)
    options = parser.parse_args()
    os.environ.update(common.environment())
    with tempfile.TemporaryDirectory() as folder:
        cache = common.cached(options.cache, folder, "ants_bees", "clothing")
        sets = {one.name.split("--")[0]: FeatureCache.open(one) for one in list_features(cache)}
        rows = [row for name in ("ants_bees", "clothing") for row in agreement(sets[name])]
        many = Path(folder) / "many"
        coldstart.enlarged(sets["clothing"], options.many, many)
        command = [sys.executable, "-m", "embed.cli", "cluster", "--cache", str(many)]
        large = {"photographs": options.many, **common.whole_process(command, stderr=-3)}
    common.save("clusters", {"agreement": rows, "large": large})
    common.print_table(rows)
    common.print_table([large])


if __name__ == "__main__":
    main()
