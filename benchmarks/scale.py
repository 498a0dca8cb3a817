"""What a large collection costs: whole processes over so many rows, and the table of it.

    python benchmarks/scale.py [--photographs 300000] [--folder FOLDER] [--cache CLOTHING] [ROW ...]

The rows are mixtures of two of the 3,781 photographs of clothing, every value scaled at random, under names of their own; half of
the second set (`bursts`) are near copies, twelve of each. Every file is a hard link to one of a few photographs, so that an
extraction finds what it knows. What is made is kept in FOLDER, and a row can be measured alone; their names are printed by `--help`.
"""

import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common
import numpy as np
from PIL import Image

from embed import search
from embed.cache import FeatureCache, FeatureWriter, open_features
from embed.search.vectors import normalise, normalised

ORIGINALS = 40  # photographs that the files are links to
LABELS = 20  # each of 5 % of the photographs
FOLDER_FILES = 1000
SPREAD, BURST_SPREAD = 0.3, 0.03  # of the logarithm of the factors of every value
BURST = 12
NEW = 300  # photographs that are in no set
K = 10


class Collection:
    """Rows that are made anew from their seed whenever they are asked for."""

    def __init__(self, real: np.ndarray, bursts: bool = False, seed: int = 0) -> None:
        self._real, self._bursts, self._seed = real, bursts, seed

    def block(self, number: int, count: int = FOLDER_FILES) -> np.ndarray:
        """Return some rows, float32 (count, d)."""
        generator = np.random.default_rng([self._seed, number])
        originals = -(-count // BURST) if self._bursts else count
        one, other = self._real[generator.integers(0, len(self._real), (2, originals))]
        share = generator.uniform(0.5, 1, (originals, 1)).astype(np.float32)
        X = share * one + (1 - share) * other
        X *= np.exp(np.float32(SPREAD) * generator.standard_normal(X.shape, np.float32))
        if self._bursts:
            X = X.repeat(BURST, axis=0)[:count]
            X *= np.exp(np.float32(BURST_SPREAD) * generator.standard_normal(X.shape, np.float32))
        return X

    def new(self, sets: int) -> np.ndarray:
        """Return rows that are in no set, of bursts one more of some that are."""
        if not self._bursts:
            return self.block(10**9, NEW)
        X = self.block(sets // 2)[: NEW * BURST : BURST][:NEW]
        return X * np.exp(
            np.float32(BURST_SPREAD) * np.random.default_rng(1).standard_normal(X.shape, np.float32)
        )


def make(folder: Path, clothing: FeatureCache, count: int, bursts: bool = False) -> Path:
    """Write files and their rows, where they are not there yet, and return the cache."""
    name = f"{'bursts' if bursts else 'files'}-{count}"
    data, cache = folder / name, folder / f"cache-{name}"
    if cache.is_dir():
        return cache
    originals = folder / "originals"
    if not originals.is_dir():
        originals.mkdir(parents=True)
        for number, path in enumerate(clothing.paths[:ORIGINALS]):
            shutil.copy(clothing.root / path, originals / f"{number}.jpg")
    files = sorted(originals.iterdir())
    status = [file.stat() for file in files]
    rows = Collection(clothing.X, bursts)
    decoder = clothing.decoders[0].decode()
    data.mkdir(parents=True)
    with FeatureWriter.open(
        cache, data.name, data, clothing.recipe, clothing.dimension, seconds_per_part=3600
    ) as writer:
        blocks = -(-count // FOLDER_FILES)
        for block in range(blocks):
            place = data / "train" / f"label {block * LABELS // blocks:02d}" / f"{block:05d}"
            place.mkdir(parents=True)
            for i, X in enumerate(rows.block(block, min(FOLDER_FILES, count - block * FOLDER_FILES))):
                number = block * FOLDER_FILES + i
                original = number % len(files)
                path = place / f"{number:07d}-4f8a.jpg"
                os.link(files[original], path)
                content = hashlib.sha256(b"%d" % number).digest()
                if number == 0:  # the one that is asked about
                    content = hashlib.sha256(path.read_bytes()).digest()
                one = status[original]
                writer.put(
                    path.relative_to(data).as_posix(),
                    content,
                    one.st_size,
                    one.st_mtime_ns,
                    X,
                    decoder=decoder,
                )
        writer.fold()
        writer.write_failures([])
    return cache


# A process begins with the memory of the one that starts it: a small one starts what is measured.
STARTER = """
import json, os, subprocess, sys, time
start = time.perf_counter()
_, status, usage = os.wait4(subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL).pid, 0)
print(json.dumps({"seconds": time.perf_counter() - start, "processor_seconds": usage.ru_utime + usage.ru_stime,
    "peak_mb": usage.ru_maxrss / 1024, "status": status}))
"""


def process(*arguments: str, repeat: int = 1) -> dict[str, float]:
    """Run a command of embed as a process of its own; medians of seconds, of those of the processor, and of peak memory in MB."""
    command = [sys.executable, "-S", "-c", STARTER, *common.EMBED, *arguments]
    runs = []
    for _ in range(repeat):
        done = subprocess.run(command, env=common.environment(), stdout=subprocess.PIPE, check=True)
        runs.append(json.loads(done.stdout))
        if runs[-1].pop("status"):
            sys.exit(f"embed {' '.join(arguments)} failed")
    return {key: round(statistics.median(run[key] for run in runs), 3) for key in runs[0]}


class Table:
    """The rows of the table; the methods are named as they are on the command line."""

    def __init__(self, folder: Path, clothing: FeatureCache, count: int) -> None:
        self.folder, self.clothing, self.count = folder, clothing, count
        self.cache = make(folder, clothing, count)

    def open(self) -> FeatureCache:
        return open_features(self.cache)

    def build(self) -> dict[str, Any]:
        """The first build of the index, beside FAISS's own of the same index."""
        for index in self.cache.glob("*/index"):
            shutil.rmtree(index)
        ours = process("index", "--cache", str(self.cache))
        faiss_own = common.measure(__file__, "faiss-build", self.cache)
        return {"ours": ours, "faiss": faiss_own}

    def similar(self) -> dict[str, Any]:
        """A question from a cold start, with a fifth as many photographs as well."""
        few = make(self.folder, self.clothing, max(1000, self.count // 6))
        found: dict[str, Any] = {}
        for cache in (few, self.cache):
            features = open_features(cache)
            known = str(features.root / features.paths[0])
            new = str(self.folder / "new.jpg")
            Image.open(self.clothing.root / self.clothing.paths[99]).convert("RGB").save(new, quality=85)
            process("similar", known, "--cache", str(cache))  # builds what is missing
            found[str(len(features))] = {
                "cached": process("similar", known, "--cache", str(cache), repeat=5),
                "not cached": process("similar", new, "--cache", str(cache), repeat=5),
            }
        return found

    def recall(self) -> dict[str, Any]:
        """Recall@10 of photographs that are in no set, among all and within a label of 5 %."""
        return self._recall(self.cache, bursts=False)

    def bursts(self) -> dict[str, Any]:
        """The same where every photograph has many near copies."""
        return self._recall(make(self.folder, self.clothing, self.count, bursts=True), bursts=True)

    def _recall(self, cache: Path, *, bursts: bool) -> dict[str, Any]:
        features = open_features(cache)
        index = search.open_index(features)
        queries = normalise(Collection(self.clothing.X, bursts).new(self.count // FOLDER_FILES))
        label = search.labels_of(features).labels == "label 07"
        return {
            "reported": search.measured(index).to_json(),
            "recall": _recall(index, queries, None),
            "within a label": _recall(index, queries, label),
        }

    def warm(self) -> dict[str, Any]:
        """Milliseconds of a query in a process that stays, beside FAISS's."""
        return common.measure(__file__, "warm", self.cache, self.folder, self.clothing.folder)

    def change(self) -> dict[str, Any]:
        """Seconds until the index follows one photograph more, and one less."""
        features = self.open()
        search.open_index(features)
        found = {}
        root, recipe, dimension = features.root, features.recipe, features.dimension
        for what in ("added", "removed"):
            with FeatureWriter.open(self.cache, root.name, root, recipe, dimension) as writer:
                if what == "added":
                    writer.put("train/zzz.jpg", bytes(32), 1, 1, features.rows([5])[0] + np.float32(0.01))
                else:
                    writer.remove("train/zzz.jpg")
                writer.write_failures([])
            start, of_processor = time.perf_counter(), time.process_time()
            search.open_index(self.open())
            found[what] = {
                "seconds": round(time.perf_counter() - start, 3),
                "processor_seconds": round(time.process_time() - of_processor, 3),
            }
        return found

    def again(self) -> dict[str, Any]:
        """Another extraction, nothing new: seconds, megabytes read, bytes of memory for a known row."""
        known = common.measure(__file__, "again", self.open().root, self.cache)
        whole = process("extract", str(self.open().root), "--cache", str(self.cache), "-q", repeat=3)
        return {**whole, **known}

    def open_and_info(self) -> dict[str, Any]:
        """Opening a reader, and `embed info` as a whole process."""
        return {
            "open": common.measure(__file__, "open", self.cache),
            "info": process("info", "--cache", str(self.cache), repeat=3),
        }

    def verify(self) -> dict[str, Any]:
        """`embed verify`, quick and whole."""
        return {
            "quick": process("verify", "--quick", "--cache", str(self.cache), repeat=3),
            "whole": process("verify", "--cache", str(self.cache)),
        }

    def duplicates(self) -> dict[str, Any]:
        """`embed duplicates`."""
        return process("duplicates", "--cache", str(self.cache))

    def outliers(self) -> dict[str, Any]:
        """`embed outliers`."""
        return process("outliers", "--cache", str(self.cache))

    def map(self) -> dict[str, Any]:
        """`embed map`."""
        return process("map", "--out", str(self.folder / "map.png"), "--cache", str(self.cache))


ROWS = ("build", "similar", "recall", "bursts", "warm", "change", "again", "open_and_info", "verify", "map")
LONG = ("duplicates", "outliers")  # minutes


def _tenth(features: FeatureCache, queries: np.ndarray, allowed: np.ndarray | None) -> np.ndarray:
    best = np.full((len(queries), K), -2, np.float32)
    for start, X in features.blocks():
        scores = queries @ normalise(X).T
        if allowed is not None:
            scores[:, ~allowed[start : start + len(X)]] = -2
        best = np.sort(np.concatenate([best, scores], axis=1), axis=1)[:, -K:]
    return best[:, 0] - 2e-6


def _recall(index: search.Index, queries: np.ndarray, allowed: np.ndarray | None) -> float:
    tenth = _tenth(index.features, queries, allowed)
    found = index.search(queries, K, allowed)
    near = [min(K, int((scores >= least).sum())) for (_, scores), least in zip(found, tenth, strict=True)]
    return round(float(np.mean(near)) / K, 4)


def faiss_build(cache: str) -> dict[str, float]:
    """Build by FAISS alone what is chosen by itself, in memory."""
    import resource

    import faiss

    from embed.search.kinds import COMPRESSED, TRAINING_VALUES, TRAINING_VECTORS_PER_CELL, cell_count

    features = open_features(Path(cache))
    X = normalised(features.X)
    start = time.perf_counter()
    cells = cell_count(len(X))
    index = COMPRESSED.empty(features.dimension, cells)
    most = min(cells * TRAINING_VECTORS_PER_CELL, TRAINING_VALUES // features.dimension)
    index.train(X[np.sort(np.random.default_rng(0).permutation(len(X))[:most])])
    index.add(X)
    seconds = time.perf_counter() - start
    faiss.write_index(index, os.devnull)
    return {
        "seconds": round(seconds, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def warm(cache: str, folder: str, clothing: str) -> dict[str, Any]:
    """Time single queries of a resident index, of FAISS's exact one, and of the same cells searched by FAISS alone."""
    import faiss

    features = open_features(Path(cache))
    real = open_features(Path(clothing).parent).X
    queries = normalise(Collection(real).new(0))
    index = search.open_index(features).keep()
    tenth = _tenth(features, queries, None)
    flat = faiss.IndexFlatIP(features.dimension)
    for _, X in features.blocks():
        flat.add(normalise(X))
    asked: dict[str, Callable[[np.ndarray], Any]] = {
        "ours": lambda query: index.search(query, K),
        "IndexFlatIP": lambda query: flat.search(query, K),
    }
    found: dict[str, Any] = {}
    if index.store is not None:
        cells = faiss.IndexIVFFlat(
            base := index.store._segments[0].segment.index.quantizer,
            features.dimension,
            base.ntotal,
            faiss.METRIC_INNER_PRODUCT,
        )
        cells.is_trained = True
        for _, X in features.blocks():
            cells.add(normalise(X))
        for cells.nprobe in (2**power for power in range(12)):
            scores = cells.search(queries, K)[0]
            if (recall := (scores >= tenth[:, None]).mean()) >= 0.99:
                break
        found["IVFFlat"] = {"nprobe": cells.nprobe, "recall": round(float(recall), 4)}
        asked["IVFFlat"] = lambda query: cells.search(query, K)
    for threads in (1, 4):
        for name, ask in asked.items():
            some = queries[:40] if name == "IndexFlatIP" else queries
            found.setdefault(name, {})[f"{threads} threads"] = _percentiles(ask, some, threads)
    return found


def _percentiles(ask: Callable[[np.ndarray], Any], queries: np.ndarray, threads: int) -> dict[str, float]:
    times: list[float] = []

    def run(some: np.ndarray) -> None:
        for query in some:
            start = time.perf_counter()
            ask(query[None])
            times.append(1000 * (time.perf_counter() - start))

    run(queries[:20])
    times.clear()
    workers = [threading.Thread(target=run, args=(queries[i::threads],)) for i in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return {
        "p50": round(float(np.percentile(times, 50)), 2),
        "p99": round(float(np.percentile(times, 99)), 2),
    }


def _read() -> int:
    """Return how many bytes this process has read from files."""
    return int(Path("/proc/self/io").read_text().split("rchar: ")[1].split()[0])


def again(data: str, cache: str) -> dict[str, float]:
    """Open a writer and plan an extraction in which nothing is new."""
    import tracemalloc

    features = open_features(Path(cache))
    root, recipe, dimension = features.root, features.recipe, features.dimension
    del features
    tracemalloc.start()
    before = _read()
    with FeatureWriter.open(Path(cache), root.name, root, recipe, dimension) as writer:
        held, peak = tracemalloc.get_traced_memory()
        rows = len(writer.known)
        writer.write_failures([])
    return {
        "bytes a known row": round(held / rows, 1),
        "at the peak": round(peak / rows, 1),
        "MB read": round((_read() - before) / 1e6, 1),
    }


def opened(cache: str) -> dict[str, float]:
    """Open a reader, twice; the second time without what Python imports."""
    import tracemalloc

    for _ in range(2):
        tracemalloc.start()
        before, start = _read(), time.perf_counter()
        features = open_features(Path(cache))
        seconds, read = time.perf_counter() - start, _read() - before
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    return {
        "seconds": round(seconds, 3),
        "MB read": round(read / 1e6, 2),
        "bytes a row": round(held / len(features), 2),
    }


WORKERS = {"faiss-build": faiss_build, "warm": warm, "again": again, "open": opened}


def main() -> None:
    if sys.argv[1:2] == ["worker"]:
        print(json.dumps(WORKERS[sys.argv[2]](*sys.argv[3:])))
        return
    parser = common.arguments(__doc__)
    parser.add_argument("rows", nargs="*", help=f"of {', '.join((*ROWS, *LONG))}; all but the last two")
    parser.add_argument("--photographs", type=int, default=300_000)
    parser.add_argument("--folder", type=Path, help="keep what is made there")
    common.takes_cache(parser)
    options = parser.parse_args()
    os.environ.update(common.environment())
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        cache = common.cached(options.cache, folder / "clothing", "clothing")
        table = Table(folder.resolve(), open_features(cache), options.photographs)
        kept = common.RESULTS / "scale.json"
        results = json.loads(kept.read_text())["sizes"] if kept.is_file() else {}
        of_size = results.setdefault(f"{options.photographs}x{table.clothing.dimension}", {})
        for row in options.rows or ROWS:
            of_size[row] = getattr(table, row)()
            print(row, json.dumps(of_size[row]), flush=True)
            common.save("scale", {"sizes": results})


if __name__ == "__main__":
    main()
