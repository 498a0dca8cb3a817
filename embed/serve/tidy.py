"""What is there twice, doubtfully labelled, or unlike everything else; and the bin that a photograph can be put into, and back from."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from embed import api
from embed.errors import InputError, LabelError, UsageError
from embed.serve.answers import described, row_of
from embed.serve.collection import Snapshot
from embed.serve.desk import Desk
from embed.serve.endpoint import Asked, Endpoint, Takes
from embed.serve.jobs import Job

GRADES = ("identical", "same", "alike")
MOST_LISTED = 1000
Told = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Kept:
    """Something that was computed, and what it belongs to."""

    key: tuple[Any, ...]
    document: dict[str, Any]


def endpoints(desk: Desk) -> list[Endpoint]:
    """Return what this module answers."""
    tidy = Tidy(desk)
    grade = Takes(str, "How alike the photographs of a group are at least.", "same", choices=GRADES)
    return [
        Endpoint(
            "GET",
            "/api/duplicates",
            "Photographs that are there more than once, the largest of each first; null until they are computed.",
            tidy.duplicates,
            query={"grade": grade},
        ),
        Endpoint(
            "GET",
            "/api/mislabelled",
            "Labels that the others contradict; null until computed.",
            tidy.mislabelled,
        ),
        Endpoint(
            "GET", "/api/outliers", "Photographs unlike all others; null until computed.", tidy.outliers
        ),
        Endpoint("GET", "/api/failures", "Files that could not be used, and why.", tidy.failures),
        Endpoint("GET", "/api/bin", "What was put into the bin, the latest first.", tidy.bin),
        Endpoint(
            "POST",
            "/api/bin",
            "Put photographs into the bin beside the others: moved, never deleted, and no more extracted.",
            tidy.move,
            body={
                "paths": Takes(list, "Photographs of the collection, by their paths.", needed=True),
                "reason": Takes(str, "Why, for whoever looks into the bin.", ""),
            },
        ),
        Endpoint(
            "POST",
            "/api/bin/restore",
            "Put photographs back where they were, over no file that has come there meanwhile.",
            tidy.restore,
            body={
                "batch": Takes(str, "What was put aside together; by default the last."),
                "paths": Takes(list, "Only these, by the paths that they had."),
            },
        ),
    ]


class Tidy:
    """Answers what is about order. What takes long is begun when it is asked for first, and kept until something changes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._kept: dict[str, Kept] = {}

    async def duplicates(self, asked: Asked) -> dict[str, Any]:
        """Return the groups of duplicates."""
        now, grade = self._desk.now, asked["grade"]
        return await self._computed(
            "duplicates",
            (now.cache.fingerprint, now.stamps[0], grade),
            lambda told: {"groups": _duplicates(now, grade, told)},
        )

    async def mislabelled(self, asked: Asked) -> dict[str, Any]:
        """Return the doubtful labels."""
        now = self._desk.now
        return await self._computed(
            "mislabelled", (now.cache.fingerprint, now.stamps[0]), lambda told: _mislabelled(now, told)
        )

    async def outliers(self, asked: Asked) -> dict[str, Any]:
        """Return the outliers."""
        now = self._desk.now
        return await self._computed(
            "outliers",
            (now.cache.fingerprint,),
            lambda told: {
                "photographs": [
                    {**described(now, one.path), "similarity": one.similarity}
                    for one in api.outliers(now.cache, label_rule=now.features.rule, progress=told)[
                        :MOST_LISTED
                    ]
                ]
            },
        )

    async def failures(self, asked: Asked) -> dict[str, Any]:
        """Return the files that could not be used."""
        found = await self._desk.call(self._desk.now.cache.failures)
        listed = [{"path": one.path, "reason": one.reason} for one in found[:MOST_LISTED]]
        return {"count": len(found), "failures": listed}

    async def bin(self, asked: Asked) -> dict[str, Any]:
        """Return what is in the bin."""
        return await self._desk.call(_binned, self._desk.now)

    async def move(self, asked: Asked) -> dict[str, Any]:
        """Put photographs into the bin."""
        return await self._desk.call(move_to_bin, self._desk, asked["paths"], asked["reason"])

    async def restore(self, asked: Asked) -> dict[str, Any]:
        """Put photographs back."""
        return await self._desk.call(self._restored, self._desk.now, asked["paths"], asked["batch"])

    def _restored(self, now: Snapshot, paths: Sequence[str] | None, batch: str | None) -> dict[str, Any]:
        done = api.restore(now.cache, photographs=paths, batch=batch)
        if done.photographs:
            self._desk.extract(back=done.photographs)
        return {"photographs": list(done.photographs), "left": _left(done.left)}

    async def _computed(
        self, kind: str, key: tuple[Any, ...], make: Callable[[Told], dict[str, Any]]
    ) -> dict[str, Any]:
        kept = self._kept.get(kind)
        if kept is not None and kept.key == key:
            return {"found": kept.document, "job": None}

        def work(job: Job) -> None:
            self._kept[kind] = Kept(key, make(job.told))

        return {"found": None, "job": self._desk.jobs.start(kind, work).document()}


def move_to_bin(desk: Desk, paths: Sequence[str], reason: str) -> dict[str, Any]:
    """Put photographs into the bin, and let the feature set follow in the background.

    Raises
    ------
    InputError
        Something is no photograph of the set, and nothing is moved then.
    CacheWriteError
        The journal cannot be written; nothing has moved then.
    """
    for path in paths:
        row_of(desk.now, path)
    moved = api.move_to_bin(desk.now.cache, paths, reason=reason)
    gone = [one.path for one in moved.photographs]
    if gone:
        desk.extract(gone=gone)
    return {
        "bin": str(moved.bin),
        "batch": moved.photographs[0].batch if gone else None,
        "photographs": gone,
        "bytes": moved.bytes,
        "left": _left(moved.left),
    }


def _left(left: Sequence[api.Left]) -> list[dict[str, str]]:
    return [{"path": one.path, "problem": one.problem} for one in left]


def _binned(now: Snapshot) -> dict[str, Any]:
    batches: dict[str, dict[str, Any]] = {}
    for one in api.bin_contents(now.cache):
        batch = batches.setdefault(
            one.batch,
            {
                "batch": one.batch,
                "time": one.time,
                "reason": one.reason,
                "count": 0,
                "bytes": 0,
                "photographs": [],
            },
        )
        batch["count"] += 1
        batch["bytes"] += one.size
        if len(batch["photographs"]) < MOST_LISTED:
            batch["photographs"].append({"path": one.path, "bytes": one.size, "version": one.sha256[:16]})
    return {"batches": [*batches.values()][::-1]}


def _duplicates(now: Snapshot, grade: str, told: Told) -> list[list[dict[str, Any]]]:
    """Return the groups, of each first what is kept; ``kept`` is null where somebody has to say first what is right."""
    found = api.duplicates(now.cache, grade=grade, label_rule=now.features.rule, progress=told)
    kept: dict[str, bool] = {}
    with suppress(InputError, UsageError):  # photographs in an archive cannot be moved
        kept = dict(api.put_aside(now.features, found, dry_run=True, progress=told).kept)
    groups = []
    for group in found:
        members = [
            {
                **described(now, one.path),
                "similarity": one.similarity,
                "grade": str(one.grade),
                "bytes": int(now.cache.sizes[row_of(now, one.path)]),
                "kept": kept.get(one.path),
            }
            for one in group.photographs
        ]
        groups.append(sorted(members, key=lambda one: (not one["kept"], -one["bytes"], one["path"])))
    return groups


def _mislabelled(now: Snapshot, told: Told) -> dict[str, Any]:
    try:
        issues = api.mislabelled(now.cache, label_rule=now.features.rule, progress=told)
    except LabelError as error:
        return {"reason": str(error), "photographs": [], "wrong": 0}
    listed = [
        {
            **described(now, one.path),
            "suggested": one.suggested,
            "probability": one.probability,
            "suggested_probability": one.suggested_probability,
            "probably_wrong": one.probably_wrong,
        }
        for one in issues[:MOST_LISTED]
    ]
    return {"reason": "", "photographs": listed, "wrong": issues.wrong}
