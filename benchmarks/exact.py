"""Comparing everything, beside FAISS: `IndexFlatIP` for questions, its `range_search` for duplicates, in pairs of whole processes.

    python benchmarks/exact.py [--pairs 5] [--cached 3781 50000] [--what duplicates] [--cache FOLDER]

Both read the same features from the same cache. Of a process that stays, single questions are timed one by one; of the others the
whole process is, and its processors' seconds beside it, which other work on the machine does not lengthen. The cache holds the
clothing photographs and, beyond those, means of two of them.
"""

import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common
import numpy as np
from coldstart import enlarged

from embed.cache import FeatureCache, open_features
from embed.search import Index
from embed.search.pairs import near_pairs
from embed.search.vectors import normalise

K = 10
THRESHOLD = 0.92  # similarity of the pairs that are looked for
QUESTIONS = 100
AT_ONCE = 1024  # rows of range_search: its answers lie in memory
WHAT = ("a question to a process that stays", "a process with one question", "duplicates")


def asker(engine: str, features: FeatureCache, *, keep: bool) -> Callable[[np.ndarray], Any]:
    """Return what answers a question."""
    if engine == "ours":
        index = Index(features).keep() if keep else Index(features)
        return lambda query: index.search(query, K)
    import faiss

    flat = faiss.IndexFlatIP(features.dimension)
    flat.add(normalise(features.X))
    return lambda query: flat.search(query, K)


def pairs_found(engine: str, features: FeatureCache) -> int:
    """Return how many pairs are at least as similar as duplicates are."""
    X = normalise(features.X)
    if engine == "ours":
        return sum(len(i) for i, _, _ in near_pairs(X, THRESHOLD))
    import faiss

    flat = faiss.IndexFlatIP(X.shape[1])
    flat.add(X)
    found = sum(
        int(flat.range_search(X[start : start + AT_ONCE], THRESHOLD)[0][-1])
        for start in range(0, len(X), AT_ONCE)
    )
    return (found - len(X)) // 2


def work(what: str, engine: str, cache: str) -> dict[str, float]:
    """Do one thing in this process; return its seconds where they are not those of the process."""
    features = open_features(Path(cache))
    if what == "duplicates":
        return {"pairs": pairs_found(engine, features)}
    ask = asker(engine, features, keep=what == WHAT[0])
    times = []
    for row in range(1 if what == WHAT[1] else QUESTIONS):
        query = normalise(features.rows([row]) + np.float32(0.01))
        start = time.perf_counter()
        ask(query)
        times.append(time.perf_counter() - start)
    return {"seconds": statistics.median(times)} if what == WHAT[0] else {}


def run(what: str, engine: str, cache: Path) -> dict[str, float]:
    """Run a process; return the seconds that it took, or measured, and those of its processors."""
    start, used = time.perf_counter(), processor_seconds()
    found = common.measure(__file__, what, engine, cache)
    return {"seconds": time.perf_counter() - start, "processor seconds": processor_seconds() - used, **found}


def processor_seconds() -> float:
    """Return the seconds of the processors that the processes which have ended used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compared(pairs: int, *runs: Callable[[], dict[str, float]]) -> dict[str, Any]:
    """Let both run in turn; return their seconds, how many times as fast ours is, and the pairs that each found."""
    ours, theirs = common.alternating(pairs, *runs)
    row: dict[str, Any] = {}
    for name in ("seconds", "processor seconds"):
        mine, other = ([one[name] for one in some] for some in (ours, theirs))
        row[name] = statistics.median(mine)
        row[f"{name}, FAISS"] = statistics.median(other)
        row[f"{name}, times as fast"] = common.ratio(other, mine)
    if "pairs" in ours[0]:
        row["pairs found"] = [ours[0]["pairs"], theirs[0]["pairs"]]
    return row


def main() -> None:
    if sys.argv[1:2] == ["worker"]:
        print(json.dumps(work(*sys.argv[2:])))
        return
    parser = common.arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--cached", type=int, nargs="*", default=[3781, 50_000])
    parser.add_argument("--what", nargs="*", choices=WHAT, default=WHAT)
    common.takes_cache(parser)
    options = parser.parse_args()
    os.environ.update(common.environment())
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        cache = common.cached(options.cache, folder, "clothing")
        features = open_features(cache)
        for count in options.cached:
            at = cache
            if count != len(features):
                at = Path(folder) / str(count)
                enlarged(features, count, at)
            for what in options.what:
                runs = [
                    lambda engine=engine, what=what, at=at: run(what, engine, at)
                    for engine in ("ours", "faiss")
                ]
                rows.append({"cached photographs": count, "what": what, **compared(options.pairs, *runs)})
                print(rows[-1], file=sys.stderr)
                common.save("exact", {"comparing everything": rows})
    common.print_table(rows)


if __name__ == "__main__":
    main()
