"""Bring a feature set up to date with a folder of photographs."""

import bisect
import marshal
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache as once
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from queue import Queue

import numpy as np

from embed import backbones, images, sources
from embed.backbones.runtime import Runtime, open_runtime
from embed.cache import Failure, FeatureWriter, Recipe, list_features
from embed.errors import EmbedError, InputError
from embed.extract import pipeline
from embed.extract.options import FeatureOptions, RunOptions
from embed.extract.summary import PREPARING, Progress, Summary

SCAN_AHEAD = 100_000  # files that the scan may run ahead of the decoding
SCAN_BLOCK = 250  # files handed over at a time, packed: some 60 bytes for a file instead of 240


LEAST_REMOVALS = 20  # rows that may leave at once whatever the size of the set
MOST_REMOVALS = 0.5  # of the rows of a larger set that may leave at once without being asked for

FOUND, UNREACHABLE, GONE = 1, 2, 3  # what the scan says of a known row; 0 is nothing so far

_KINDS = (sources.Found, sources.Listed, sources.Failed)
_Told = sources.Found | sources.Listed | sources.Failed


class _Scan:
    """Finds files in a thread of its own, so that decoding starts before the last folder was read."""

    def __init__(self, root: Path) -> None:
        self.total: int | None = None
        self._queue: Queue[bytes | BaseException | None] = Queue(SCAN_AHEAD // SCAN_BLOCK)
        self._told = self._taken()
        self._first: list[_Told] = []
        threading.Thread(target=self._run, args=(root,), name="scan", daemon=True).start()

    def _run(self, root: Path) -> None:
        count = 0
        block: list[tuple[int, tuple[object, ...]]] = []
        end: BaseException | None = None
        try:
            for told in sources.find(root):
                count += isinstance(told, sources.Found)
                fields = tuple(getattr(told, name) for name in told.__dataclass_fields__)
                block.append((_KINDS.index(type(told)), fields))
                # Nobody waits for a block to fill up, however slow the disk.
                if len(block) == SCAN_BLOCK or self._queue.empty():
                    self._queue.put(marshal.dumps(block))
                    block.clear()
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits for the files
            end = error
        self._queue.put(marshal.dumps(block))
        self.total = count
        self._queue.put(end)

    def _taken(self) -> Iterator[_Told]:
        while isinstance(block := self._queue.get(), bytes):
            yield from (_KINDS[kind](*fields) for kind, fields in marshal.loads(block))
        if isinstance(block, (EmbedError, KeyboardInterrupt)):
            raise block
        if block is not None:
            raise InputError(f"The photographs cannot be listed: {block!r}.") from block

    def wait_for_first(self, root: Path) -> None:
        """Wait for the first file. Raises InputError where there is none."""
        for told in self._told:
            self._first.append(told)
            if isinstance(told, sources.Found):
                return
        for told in self._first:
            if isinstance(told, sources.Failed):
                raise InputError(f"There are no images in {root}, but {told.place}: {told.reason}.")
        raise InputError(
            f"There are no images in {root}: no file there has the name or the first bytes of one."
        )

    def __iter__(self) -> Iterator[_Told]:
        yield from self._first
        yield from self._told


class _Sync:
    """One extraction under way: decides for each file, keeps the counts, writes the results."""

    def __init__(
        self, writer: FeatureWriter, run: RunOptions, progress: Progress, report: Callable[[Progress], None]
    ) -> None:
        self.writer = writer
        self.known = writer.known
        self.run = run
        self.progress = progress
        self.report = report
        self.row_of_content = {digest.tobytes(): row for row, digest in enumerate(self.known.sha256)}
        self.state = np.zeros(len(self.known), np.int8)
        self.moved = np.zeros(len(self.known), bool)  # rows whose content was met under another path
        self.old_failures = {failure.path: failure for failure in self.known.failures()}
        self.failures: list[Failure] = []
        self.unreachable: list[tuple[str, str]] = []  # places, each with the reason, at which rows stay
        self.started: float | None = None

    def tick(self) -> None:
        if self.started is not None:
            self.progress.seconds = time.perf_counter() - self.started
        self.report(self.progress)

    def undecided(self, scan: _Scan) -> Iterator[sources.Found]:
        """Yield the files that have to be read; settle the others."""
        for found in scan:
            self.progress.total = scan.total
            if not isinstance(found, sources.Found):
                self._settle_place(found)
                continue
            row = self.known.index_of(found.path)
            if row is not None:
                self.state[row] = FOUND
            old = self.old_failures.get(found.path)
            if found.problem is not None:
                self.fail(found, found.problem)
            elif row is not None and not self.run.rehash and self._unchanged(row, found):
                self.progress.reused += 1
            elif (
                old is not None
                and not self.run.retry_failed
                and (old.size, old.mtime_ns) == (found.size, found.mtime_ns)
            ):
                self.fail(found, old.reason)
            else:
                if self.started is None:
                    self.started = time.perf_counter()
                    self.progress.stage = "extracting"
                yield found
                continue
            if self.progress.done % 1000 == 0:
                self.tick()
        self.progress.total = scan.total

    def _unchanged(self, row: int, found: sources.Found) -> bool:
        return bool(self.known.sizes[row] == found.size and self.known.mtimes_ns[row] == found.mtime_ns)

    def _settle_place(self, told: sources.Listed | sources.Failed) -> None:
        """Decide about the rows of a place at which the scan has come to an end, or could not look."""
        row = self.known.index_of(told.place)
        below = self._rows_below(told.place)
        rows = self.state[below]
        if isinstance(told, sources.Listed):
            rows[rows == 0] = GONE
            return
        stay = int((rows == 0).sum())
        rows[rows == 0] = UNREACHABLE
        if row is not None:
            self._keep(row, told.place, told.reason)
        elif stay or told.expected:
            self.failures.append(Failure(told.place, told.reason))
            self.progress.failed += 1
        if stay:
            self.unreachable.append((told.place, told.reason))
            self.progress.unreachable += stay

    def _rows_below(self, place: str) -> slice:
        if not place:
            return slice(0, len(self.known))
        prefix = os.fsencode(place)
        # "0" is what follows "/".
        return slice(*(bisect.bisect_left(self.known.keys, prefix + end) for end in (b"/", b"0")))

    def _keep(self, row: int, place: str, reason: str) -> None:
        """Let a row stay whose photograph cannot be looked at."""
        self.state[row] = UNREACHABLE
        self.unreachable.append((place, reason))
        self.progress.unreachable += 1

    def fail(self, found: sources.Found, reason: str, judged: bool = True) -> None:
        """Note a failure; where it was not the content that was judged, the row stays and the next run tries again."""
        row = self.known.index_of(found.path)
        if row is not None and not judged:
            self._keep(row, found.path, reason)
            return
        size, mtime_ns = (found.size, found.mtime_ns) if judged else (None, None)
        self.failures.append(Failure(found.path, reason, size, mtime_ns))
        self.progress.failed += 1
        if row is not None:
            self.writer.remove(found.path)  # the row was of what the file held before

    def settle(self, result: pipeline.Result) -> None:
        """Write one result of the pipeline."""
        found = result.found
        if result.problem is not None:
            self.fail(found, result.problem, judged=bool(result.sha256))
        elif result.features is None:
            self._reuse(found, result.sha256)
        else:
            self.writer.put(
                path=found.path,
                sha256=result.sha256,
                size=found.size,
                mtime_ns=found.mtime_ns,
                features=result.features[0],
                views=result.features[1:] if len(result.features) > 1 else None,
            )
            self.progress.extracted += 1
        self.tick()

    def _reuse(self, found: sources.Found, sha256: bytes) -> None:
        row = self.row_of_content[sha256]
        if self.known.index_of(found.path) != row or not self._unchanged(row, found):
            self.writer.copy(path=found.path, size=found.size, mtime_ns=found.mtime_ns, from_row=row)
            self.moved[row] = True
        self.progress.reused += 1

    def remove_gone(self, allowed: bool) -> tuple[int, int]:
        """Let the rows go whose photographs are gone; return how many went, and how many were kept from it.

        Rows of contents that lie elsewhere now go in any case. The others stay where they are so many that the
        folder may not be what it was, unless their removal is allowed.
        """
        gone = np.flatnonzero(self.state == GONE)
        kept = 0
        if not allowed and len(gone) > max(LEAST_REMOVALS, MOST_REMOVALS * len(self.known)):
            stays = self.moved | (self.state != GONE)
            contents = {digest.tobytes() for digest in self.known.sha256[stays]}
            lost = np.array([digest.tobytes() not in contents for digest in self.known.sha256[gone]], bool)
            if lost.sum() > max(LEAST_REMOVALS, MOST_REMOVALS * len(self.known)):
                kept, gone = int(lost.sum()), gone[~lost]
        for row in gone:
            self.writer.remove(os.fsdecode(self.known.keys[row]))
        return len(gone), kept


def extract_features(
    data: Path,
    cache: Path,
    features: FeatureOptions | None = None,
    run: RunOptions | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Summary:
    """Compute the features of every photograph below ``data`` that are not in ``cache`` yet.

    A file whose path, size and modification time are known is not opened; one that was moved or renamed is recognised
    by the sha256 of its content; rows of files that are gone leave.

    Raises
    ------
    InputError
        ``data`` is no folder or holds no images.
    WeightsError
        The weights of the backbone cannot be had.
    CacheError
        The cache is locked, of a newer format, or cannot be written.
    """
    features, run = features or FeatureOptions(), run or RunOptions()
    started = time.perf_counter()
    if not data.is_dir():
        what = "is a file" if data.exists() else "does not exist"
        raise InputError(f"{data} {what}; give the folder that holds the photographs.")
    backbones.get(features.network.backbone)
    scan = _Scan(data)
    scan.wait_for_first(data)
    network = features.network.resolve()
    recipe = features.recipe(network)
    shown = Progress()

    @once
    def runtime() -> Runtime:
        def notify(_: str) -> None:
            shown.stage = PREPARING
            progress(shown)

        return open_runtime(network, run.device, recipe.precision, notify)

    dimension = _known_dimension(cache, recipe) or runtime().dimension
    root = data.resolve()
    with FeatureWriter.open(cache, root.name, root, recipe, dimension, libraries=_libraries()) as writer:
        sync = _Sync(writer, run, shown, progress)
        timing = pipeline.Timing()
        removed = kept = 0
        interrupted = False
        decoder = images.Decoder(
            images.Resize(network.size, features.fit),
            views=features.views,
            seed=features.view_seed,
            workers=run.decoding_threads,
            max_pixels=run.max_pixels,
        )
        try:
            with decoder:
                decoded = decoder.map(data, sync.undecided(scan), skip=sync.row_of_content.__contains__)
                for result in pipeline.run(decoded, runtime, run.batch_size, timing):
                    sync.settle(result)
            removed, kept = sync.remove_gone(run.allow_removals)
        except KeyboardInterrupt:
            interrupted = True
        shown.stage = "finishing"
        sync.tick()
        writer.commit()
        if not interrupted:
            writer.write_failures(sync.failures)
    return Summary(
        features=writer.folder.name,
        folder=writer.folder,
        backbone=recipe.backbone,
        dimension=dimension,
        images=shown.done,
        extracted=shown.extracted,
        reused=shown.reused,
        removed=removed,
        failed=shown.failed,
        seconds=time.perf_counter() - started,
        bottleneck=timing.bottleneck if shown.extracted else None,
        damaged=tuple(writer.damaged.values()),
        interrupted=interrupted,
        unreachable=shown.unreachable,
        unreachable_places=tuple(sync.unreachable),
        kept=kept,
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
