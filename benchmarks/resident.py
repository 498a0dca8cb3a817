"""A question to a set that stays open, about a photograph that is not in it; and what bfloat16 brings.

    python benchmarks/resident.py [--cache FOLDER]

The features are those of clothing by MobileNetV2. `Searcher.similar` is asked about one photograph of ants and bees after another, in
one process, after a few to begin with; then by four threads at once. Where the processor computes in bfloat16, the same network runs
over the same pixels in turn with float32, and the features are compared.
"""

import os
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import common
import numpy as np

import embed
from embed.backbones import Network, faster_in_bfloat16, open_runtime
from embed.images import Decoder, Resize

BEGIN, ASKED, THREADS = 5, 60, 4
BATCH, PAIRS = 128, 7


def questions(cache: Path, files: list[Path]) -> dict[str, float]:
    """Return milliseconds of a question, and questions a second by several threads."""
    searcher = embed.open(cache, "clothing").searcher()
    for file in files[:BEGIN]:
        searcher.similar(file)
    seconds = []
    for file in files[BEGIN : BEGIN + ASKED]:
        start = time.perf_counter()
        searcher.similar(file)
        seconds.append(time.perf_counter() - start)
    others = files[BEGIN + ASKED : BEGIN + 3 * ASKED]
    start = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(searcher.similar, others))
    return {
        "median_ms": 1000 * statistics.median(seconds),
        "slowest_ms": 1000 * max(seconds),
        f"per_second_by_{THREADS}_threads": len(others) / (time.perf_counter() - start),
    }


def bfloat16(files: list[Path]) -> dict[str, object]:
    """Return how many times as fast a forward pass is in bfloat16, and how far its features are away."""
    if not faster_in_bfloat16("cpu"):
        return {}
    with Decoder(Resize(224)) as decoder:
        pixels = np.stack([decoder.decode(file.read_bytes()) for file in files[:BATCH]])
    runtimes = [open_runtime(Network("mobilenetv2"), "cpu", name) for name in ("float32", "bf16")]
    features = [runtime.run(pixels) for runtime in runtimes]  # and warm

    def timed(runtime):
        def run() -> float:
            start = time.perf_counter()
            runtime.run(pixels)
            return time.perf_counter() - start

        return run

    slow, fast = common.alternating(PAIRS, *map(timed, runtimes))
    exact, near = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in features)
    cosines = np.einsum("nd,nd->n", exact, near)
    return {
        "times_as_fast": common.ratio(slow, fast),
        "median_cosine": float(np.median(cosines)),
        "least_cosine": float(cosines.min()),
    }


def main() -> None:
    parser = common.arguments(__doc__)
    common.takes_cache(parser)
    options = parser.parse_args()
    os.environ.update(common.environment())
    files = sorted(common.photographs("ants_bees").rglob("*.jpg"))
    files = [files[i] for i in np.random.default_rng(0).permutation(len(files))]
    with tempfile.TemporaryDirectory() as folder:
        cache = common.cached(options.cache, folder, "clothing")
        results = {"searcher": questions(cache, files), "bfloat16": bfloat16(files)}
    common.save("resident", results)
    common.print_table([results["searcher"]])
    common.print_table([results["bfloat16"]])


if __name__ == "__main__":
    main()
