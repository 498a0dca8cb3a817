"""Bring a feature set up to date with its photographs: plan, run, commit."""

import platform
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from embed import backbones, sources
from embed.cache import FeatureWriter, Moved, Recipe, Wish, list_features
from embed.extract.commit import Sink
from embed.extract.here import Executor, Here
from embed.extract.options import FeatureOptions, RunOptions
from embed.extract.plan import Plan
from embed.extract.scan import Scan
from embed.extract.summary import PREPARING, Outcome, Progress, Summary


def extract_features(
    data: Path | sources.Source,
    cache: Path,
    features: FeatureOptions | None = None,
    run: RunOptions | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
    executor: Executor | None = None,
    ask: Callable[[Moved], bool] | None = None,
) -> Summary:
    """Compute the features of every photograph below `data` that are not in `cache` yet.

    A photograph whose name, size and modification time are known is not opened; one that was moved or renamed is
    recognised by the sha256 of its content, and one that another feature set of the recipe has is copied from there; rows
    of photographs that are gone leave.

    Parameters
    ----------
    data : Path or Source
        Where the photographs are.
    cache : Path
        Folder of the feature sets.
    features : FeatureOptions, optional
    run : RunOptions, optional
    progress : callable, optional
        Told how far the extraction is.
    executor : Executor, optional
        What computes the features; by default this process.
    ask : callable, optional
        Asked whether `data` is the folder of a feature set, moved, where that is likely and not certain.

    Returns
    -------
    Summary

    Raises
    ------
    InputError
        `data` is no folder, cannot be listed, or holds no images.
    WeightsError
        The weights of the backbone cannot be had.
    UsageError
        The name of the set cannot be one, or belongs to another folder; there is nothing to move.
    CacheError
        The cache is locked, of a newer format, or cannot be written.
    """
    features, run = features or FeatureOptions(), run or RunOptions()
    started = time.perf_counter()
    outcome = Outcome(progress)

    def notify(_: str) -> None:
        outcome.progress.stage = PREPARING
        outcome.tick()

    executor = executor or Here(run, notify)
    backbones.get(
        features.network.backbone, features.network.preprocess
    )  # refused before anything is looked at
    source = sources.open(data) if isinstance(data, Path) else data
    with Scan(source) as scan:
        scan.wait_for_first()
        network = features.network.resolve()
        recipe = features.recipe(network)
        dimension = _known_dimension(cache, recipe) or executor.dimension(network, recipe)
        with FeatureWriter.open(
            cache,
            source.name,
            source.root,
            recipe,
            dimension,
            libraries=_libraries(),
            check=run.verify,
            wish=Wish(run.name, run.move, ask),
        ) as writer:
            plan = Plan(scan, writer.known, writer.failures, run, outcome)
            sink = Sink(writer, plan, outcome)
            bottleneck, removed, kept, interrupted = None, 0, 0, False
            try:
                bottleneck = executor.run(plan, network, sink)
                removed, kept = sink.remove(allowed=run.allow_removals)
            except KeyboardInterrupt:
                interrupted = True
            outcome.progress.stage = "finishing"
            outcome.tick()
            writer.commit()
            if not interrupted:
                writer.write_failures(outcome.failures)
    done = outcome.progress
    return Summary(
        features=writer.folder.name,
        folder=writer.folder,
        backbone=recipe.backbone,
        dimension=dimension,
        images=done.done,
        extracted=done.extracted,
        reused=done.reused,
        copied=done.copied,
        removed=removed,
        failed=done.failed,
        seconds=time.perf_counter() - started,
        bottleneck=bottleneck if done.extracted else None,
        damaged=tuple(writer.damaged.values()),
        interrupted=interrupted,
        unreachable=done.unreachable,
        unreachable_places=tuple(outcome.unreachable),
        kept=kept,
        moved_from=writer.claim.moved_from,
        likely=writer.claim.likely,
    )


def _known_dimension(cache: Path, recipe: Recipe) -> int | None:
    """Return how many features the recipe gives, where any set in the cache has it: then nothing need be loaded."""
    return next((s.meta.dimension for s in list_features(cache) if s.meta.recipe.hash == recipe.hash), None)


def _libraries() -> dict[str, str]:
    names = ("embed-images", "h5py", "keras", "numpy", "openvino", "pillow", "tensorflow")
    versions = {}
    for name in names:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return {"python": platform.python_version(), **versions}
