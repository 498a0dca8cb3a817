"""Bring a feature set up to date with its photographs: plan, run, commit."""

import platform
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from embed import backbones, labels, sources
from embed.cache import (
    FeatureWriter,
    Moved,
    Origin,
    Recipe,
    Wish,
    exif,
    list_features,
    open_features,
    origin_of,
    write_origin,
    write_tuned,
)
from embed.extract.commit import Sink
from embed.extract.exif import note
from embed.extract.here import Executor, Here
from embed.extract.options import FeatureOptions, RunOptions
from embed.extract.plan import Plan
from embed.extract.scan import Scan
from embed.extract.summary import PREPARING, Outcome, Progress, Summary


def extract_features(
    data: sources.Address | Sequence[sources.Address] | sources.Source,
    cache: Path,
    features: FeatureOptions | None = None,
    run: RunOptions | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
    executor: Executor | None = None,
    ask: Callable[[Moved], bool] | None = None,
    filters: sources.Filters | None = None,
) -> Summary:
    """Compute the features of every photograph below `data` that are not in `cache` yet.

    A photograph whose name, size and modification time are known is not opened; one that was moved or renamed is
    recognised by the sha256 of its content, and one that another feature set of the recipe has is copied from there; rows
    of photographs that are gone leave.

    Parameters
    ----------
    data : path or URL, sequence of them, or Source
        Where the photographs are: a folder, an archive, a table, a place in object storage; several; or another source.
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
    filters : Filters, optional
        What is left out of folders and lists, and taken in; by default what was given for the same one before.

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
    # Refused before anything is looked at.
    backbones.get(features.network.backbone, features.network.preprocess)
    before = filters
    source = sources.open(data) if isinstance(data, (Path, Sequence)) else data
    remembers = isinstance(data, (Path, Sequence, sources.Listing))
    if remembers:
        before = _filters_before(cache, source) if filters is None else filters
        source = _filtered(data, before)
    with ExitStack() as scans:
        scan = scans.enter_context(Scan(source))
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
            libraries=libraries(),
            check=run.verify,
            wish=Wish(run.name, run.move, ask),
            again=source.again,
        ) as writer:
            origin = writer.known.origin
            of_set = sources.Filters(origin.exclude, origin.include)
            if filters is None and remembers and of_set != before:
                # The folder has moved, and what holds for it was found with its set.
                before = of_set
                source = _filtered(data, before)
                scan = scans.enter_context(Scan(source))
                scan.wait_for_first()
            filters = before or sources.Filters()
            origin = Origin(filters.exclude, filters.include, origin.left_out, source.again, source.places)
            write_origin(writer.folder, origin)
            if (tuning := backbones.tuning(network)) is not None:
                write_tuned(writer.folder, tuning.to_json())
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
                labels.brought.write(writer.folder, source.described)
                writer.write_failures(outcome.failures)
                write_origin(writer.folder, replace(origin, left_out=tuple(sorted(outcome.left_out))))
        if not interrupted and (run.exif or (writer.folder / exif.NAME).exists()):
            try:
                _note_exif(writer.folder, source, run, outcome)
            except KeyboardInterrupt:
                interrupted = True
    done = outcome.progress
    slow = bottleneck == "forward" and recipe.precision == "float32"
    return Summary(
        features=writer.folder.name,
        folder=writer.folder,
        backbone=recipe.backbone,
        dimension=dimension,
        images=done.done - done.left_out,
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
        left_out=tuple(outcome.left_out),
        filters=filters,
        bfloat16=slow and backbones.faster_in_bfloat16(run.device),
        moved_from=writer.claim.moved_from,
        likely=writer.claim.likely,
    )


def _note_exif(folder: Path, source: sources.Source, run: RunOptions, outcome: Outcome) -> None:
    """Note what the photographs of a feature set say about themselves."""

    def tell(done: int, total: int) -> None:
        outcome.progress.stage = f"reading EXIF, {done:,} of {total:,}"
        outcome.tick()

    note(open_features(folder.parent, folder.name), source, run, tell)


def _filtered(
    data: sources.Address | Sequence[sources.Address] | sources.Source, filters: sources.Filters
) -> sources.Source:
    """Return a source that leaves out, and takes in, what filters say."""
    if isinstance(data, (Path, Sequence)):
        return sources.open(data, filters)
    return data.filtered(filters) if isinstance(data, sources.Listing) else data


def _filters_before(cache: Path, source: sources.Source) -> sources.Filters:
    """Return what was left out of folders, and taken in, when they were extracted last."""
    before = origin_of(cache, source.root, source.again)
    return sources.Filters(before.exclude, before.include)


def _known_dimension(cache: Path, recipe: Recipe) -> int | None:
    """Return how many features the recipe gives, where any set in the cache has it: then nothing need be loaded."""
    return next((s.meta.dimension for s in list_features(cache) if s.meta.recipe.hash == recipe.hash), None)


def libraries() -> dict[str, str]:
    """Return the versions, on this machine, of what computes features."""
    names = ("embed-images", "h5py", "keras", "numpy", "openvino", "pillow", "tensorflow")
    versions = {}
    for name in names:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return {"python": platform.python_version(), **versions}
