"""What all endpoints share: the collection, the network, the jobs, and how errors are told."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from embed import api
from embed.errors import (
    CacheError,
    CacheLockedError,
    EmbedError,
    ImageError,
    InputError,
    LabelError,
    ModelError,
    NoFeaturesError,
    UsageError,
)
from embed.serve.batches import Batches, BusyError
from embed.serve.collection import Collection, Snapshot
from embed.serve.guard import picture_key
from embed.serve.jobs import Job, Jobs
from embed.serve.measures import Measures
from embed.serve.options import Options

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

LOOKS_S = 1.0  # between two looks at what an extraction has committed
BLANK = bytes.fromhex(
    "47494638396101000100800000ff0000ffffff21f90400000000002c00000000010001000002024401003b"
)  # the smallest GIF: the network is opened with the first photograph
STATUSES: tuple[tuple[type[EmbedError], int], ...] = (
    (UsageError, 400),
    (ImageError, 422),
    (InputError, 404),
    (LabelError, 409),
    (ModelError, 409),
    (CacheLockedError, 409),
    (NoFeaturesError, 503),
    (CacheError, 503),
)  # the first that fits


class Document(Response):
    """A JSON document; bytes of file names that are no UTF-8 are lone surrogates, escaped."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the bytes of it."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


class Desk:
    """What a server works with.

    Parameters
    ----------
    cache : Path
        Folder of the feature sets.
    options : Options
    data : Path, optional
        Folder of photographs, to be extracted.
    name : str, optional
        Of a feature set; by default the one extracted last.
    backbone : str
        Of the first extraction of `data`.
    """

    def __init__(
        self, cache: Path, options: Options, data: Path | None, name: str | None, backbone: str
    ) -> None:
        self.options = options
        self.data = data
        self.backbone = backbone
        self.token = options.secret()
        self.picture_key = picture_key(self.token)
        self.collection = Collection(cache, name, options.labels, data)
        self.jobs = Jobs(self.collection.refresh)
        self.measures = Measures()
        self.thumbnails = api.Thumbnails()
        self.batches = Batches(self.collection.embed, most_waiting=options.most_waiting)
        self._watching: asyncio.Task[None] | None = None
        self._put_aside: set[str] = set()  # photographs whose rows have not left yet
        self._prepared = ""  # fingerprint of the features that searches are ready for

    @property
    def now(self) -> Snapshot:
        """The feature set as it is now."""
        return self.collection.now

    async def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what a function returns that computes, or waits for a disk; it runs in a thread."""
        return await run_in_threadpool(function, *args, **kwargs)

    async def open(self) -> None:
        """Begin: look at the set, and extract where that was asked for."""
        await self.call(self.collection.refresh)
        if self.data is not None:
            self.extract()
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Stop what goes on in the background; what is finished is kept."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        await self.call(self.jobs.close)
        await self.call(self.batches.close)
        await self.call(self.thumbnails.close)

    def extract(self, *, gone: Iterable[str] = (), back: Iterable[str] = ()) -> Job:
        """Bring the feature set up to date with its photographs, in the background.

        Parameters
        ----------
        gone, back : iterable of str
            Photographs that were put into the bin, and back: rows may leave for them, however many there are.
        """
        self._put_aside = (self._put_aside | {*gone}) - {*back}
        return self.jobs.start("extract", self._extract, again=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOKS_S)
            await self.call(self.collection.refresh)
            self._prepare()

    def _prepare(self) -> None:
        """Open what searches and the network in the background, so that nobody waits for them who asks."""
        extracting = self.jobs.of("extract")
        now = self.collection.opened
        if now is None or now.cache.fingerprint == self._prepared:
            return
        if extracting is None or not extracting.running:
            self._prepared = now.cache.fingerprint
            self.jobs.start("prepare", self._opened, again=True)

    def _opened(self, job: Job) -> None:
        self.now.searcher(job.told)
        self.collection.embed([BLANK])

    def _extract(self, job: Job) -> dict[str, Any]:
        interrupted = False

        def told(progress: api.Progress) -> None:
            nonlocal interrupted
            job.stage, job.done, job.total = progress.stage, progress.done, progress.total
            if job.stopping.is_set() and not interrupted:
                interrupted = True  # once: what is finished is told, too
                raise KeyboardInterrupt

        try:
            known = api.FeatureCache.open(self.collection.found())
        except NoFeaturesError:
            if self.data is None:
                raise
            summary = api.extract_features(
                self.data, self.collection.cache, backbone=self.backbone, progress=told
            )
        else:
            aside = self._put_aside
            most = 2 * len(aside) > len(known)
            summary = api.extract_again(known, told, allow_removals=most)
            self._put_aside = self._put_aside - aside
        self.collection.name = summary.features
        return summary.to_json()


def refusal(error: Exception) -> Document:
    """Return the answer that tells an error."""
    if isinstance(error, HTTPException):
        return Document({"error": error.detail}, error.status_code, dict(error.headers or {}))
    if isinstance(error, BusyError):
        return Document(
            {"error": "Too many photographs wait; ask again in a moment."}, 429, {"retry-after": "1"}
        )
    if isinstance(error, EmbedError):
        status = next((status for kind, status in STATUSES if isinstance(error, kind)), 500)
        headers = {"retry-after": "1"} if isinstance(error, CacheLockedError) else {}
        return Document({"error": str(error)}, status, headers)
    if isinstance(error, ClientDisconnect):
        return Document({"error": "Whoever asked has gone."}, 400)
    if isinstance(error, MemoryError):
        return Document({"error": "This machine has not enough memory for that; ask for less."}, 503)
    log.error("a request failed", exc_info=error)
    return Document({"error": "Something went wrong; the terminal says what."}, 500)
