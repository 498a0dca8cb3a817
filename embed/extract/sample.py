"""A sample of the photographs in a folder: drawn by content, computed once, and how fast that goes."""

import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from embed import files
from embed.backbones import open_runtime
from embed.cache import SAMPLES, FeatureCache, list_features
from embed.extract import pipeline
from embed.extract.options import FeatureOptions, RunOptions
from embed.extract.plan import GROUP_ITEMS
from embed.extract.route import extract_features
from embed.extract.summary import Progress
from embed.sources import Item, Some, Source

READERS = 4
MEASURED_S = 4.0  # for which a recipe is timed, at most
MOST_TIMED = 512  # photographs

Tell = Callable[[str, int, int], None]  # what is done, how many of it are, and of how many


def contents_of(source: Source, items: Sequence[Item], cache: Path, tell: Tell) -> list[bytes]:
    """Return the sha256 of each photograph; empty where it cannot be read. One that the cache knows is not read.

    Parameters
    ----------
    source : Source
    items : sequence of Item
    cache : Path
        Folder of feature sets; those of the same photographs tell the contents of files that have not changed.
    tell : callable
    """
    known: dict[tuple[str, int, int | None], bytes] = {}
    wanted = {item.name for item in items}
    for found in [*list_features(cache), *list_features(cache / SAMPLES)]:
        if found.meta.root == str(source.root):
            features = FeatureCache.open(found)
            for row, path in enumerate(features.paths):
                if path in wanted:
                    key = path, int(features.sizes[row]), int(features.mtimes_ns[row])
                    known[key] = features.sha256[row].tobytes()

    def content(item: Item) -> bytes:
        before = known.get((item.name, item.size, item.stamp))
        if before is not None:
            return before
        ((_, read),) = source.read([item])
        return b"" if isinstance(read, str) else read.sha256

    contents: list[bytes] = []
    with ThreadPoolExecutor(READERS, "read") as pool:
        waiting = iter(items)
        while group := list(islice(waiting, 16 * READERS)):  # few in memory at a time
            contents += pool.map(content, group)
            tell("reading photographs", len(contents), len(items))
    return contents


def extract_sample(
    sample: Some, cache: Path, features: FeatureOptions, run: RunOptions, progress: Callable[[Progress], None]
) -> FeatureCache:
    """Compute a sample that is not in the cache yet, into a set that is not listed; a later extraction takes its rows over.

    Raises
    ------
    WeightsError, UsageError, CacheError
        As `extract_features`.
    """
    folder = cache / SAMPLES
    summary = extract_features(sample, folder, features, run, progress)
    if summary.interrupted:
        raise KeyboardInterrupt
    return FeatureCache.open(next(one for one in list_features(folder) if one.name == summary.features))


def photographs_per_second(sample: Some, features: FeatureOptions, run: RunOptions) -> float:
    """Return how many photographs are computed in a second, from their files, once the network is at work; none is kept."""
    network = features.network.resolve()
    recipe = features.recipe(network)
    runtime = open_runtime(network, run.device, recipe.precision)
    items = sample.items[:MOST_TIMED]
    groups = (items[start : start + GROUP_ITEMS] for start in range(0, len(items), GROUP_ITEMS))
    # What comes first waits for threads and processes to start; of a few photographs nothing can be left out.
    warm = runtime.batch_size if len(items) >= 3 * runtime.batch_size else 0
    started = time.perf_counter()
    done = 0
    with pipeline.open_decoder(recipe, run) as decoder:
        results: Any = pipeline.compute(
            sample, groups, decoder, lambda: runtime, skip=lambda _: False, batch_size=run.batch_size
        )
        with closing(results):  # it may be left before its end
            for done, _ in enumerate(results, 1):
                if done == warm:
                    started = time.perf_counter()
                elif done > 2 * warm and time.perf_counter() - started > MEASURED_S:
                    break
    return (done - warm) / max(time.perf_counter() - started, 1e-9)


def record(cache: Path, sample: Some, asked: int, seed: int, contents: Sequence[bytes]) -> Path:
    """Write down which photographs a sample is made of, and return the file."""
    folder = cache / SAMPLES
    files.make_folder(folder)
    about = hashlib.sha256(f"{sample.root}\0{sample.again}\0{asked}\0{seed}".encode(errors="surrogateescape"))
    name = f"sample-{about.hexdigest()[:16]}.json"
    document = {
        "format_version": 1,
        "root": str(sample.root),
        "asked": asked,
        "seed": seed,
        "contents": [content.hex() for content in contents],
    }
    files.write_document(folder, name, document)
    return folder / name
