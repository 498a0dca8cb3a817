"""What is there twice, doubtfully labelled, or unlike everything else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from embed import api
from embed.errors import LabelError
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
            (now.cache.fingerprint, grade),
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

    async def _computed(
        self, kind: str, key: tuple[Any, ...], make: Callable[[Told], dict[str, Any]]
    ) -> dict[str, Any]:
        kept = self._kept.get(kind)
        if kept is not None and kept.key == key:
            return {"found": kept.document, "job": None}

        def work(job: Job, _: Any) -> None:
            def told(what: str, done: int, total: int) -> None:
                job.stage, job.done, job.total = what, done, total

            self._kept[kind] = Kept(key, make(told))

        return {"found": None, "job": self._desk.jobs.start(kind, work).document()}


def _duplicates(now: Snapshot, grade: str, told: Told) -> list[list[dict[str, Any]]]:
    groups = []
    for group in now.features.duplicates(grade=grade, progress=told):
        members = [
            {
                **described(now, one.path),
                "similarity": one.similarity,
                "grade": str(one.grade),
                "bytes": int(now.cache.sizes[row_of(now, one.path)]),
            }
            for one in group.photographs
        ]
        groups.append(sorted(members, key=lambda one: (-one["bytes"], one["path"])))
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
