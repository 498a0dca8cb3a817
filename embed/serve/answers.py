"""`POST /api/predict` and `POST /api/similar`: photographs that are handed over, or that are there, and what is to be said of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed import api
from embed.errors import InputError, ModelError, UsageError
from embed.serve.collection import Snapshot
from embed.serve.desk import Desk
from embed.serve.endpoint import Asked, Endpoint, Takes, Upload

MOST_NEIGHBOURS = 1000
LESS = 0.5  # weight of what the answer should not be like
PATHS = Takes(list, "Photographs of the collection, by their paths.", default=[])


def endpoints(desk: Desk) -> list[Endpoint]:
    """Return what this module answers."""
    answers = Answers(desk)
    return [
        Endpoint(
            "POST",
            "/api/predict",
            "The class of photographs, by the classifier fitted last.",
            answers.predict,
            body={
                "paths": PATHS,
                "top": Takes(int, "Classes to name, the likeliest first.", default=5, least=1, most=1000),
                "min_probability": Takes(float, "Name no class that is less probable.", 0.0, least=0, most=1),
            },
            photographs=("photographs",),
        ),
        Endpoint(
            "POST",
            "/api/similar",
            "The photographs that look most like others: like each of them, or together like some and unlike others.",
            answers.similar,
            body={
                "paths": PATHS,
                "less_paths": Takes(list, "With together: what the answer should be unlike.", default=[]),
                "together": Takes(bool, "One answer, for the mean of all.", default=False),
                "k": Takes(int, "Photographs to name for each.", 10, least=1, most=MOST_NEIGHBOURS),
                "threshold": Takes(float, "Only photographs at least this similar.", -1.0, least=-1, most=1),
                "label": Takes(str, "Only photographs with this label."),
                "split": Takes(str, "Only photographs of train, validation or test."),
                "where": Takes(str, "Only photographs as this condition on columns of a table says."),
                "include_self": Takes(bool, "A photograph may be found by itself.", default=False),
            },
            photographs=("photographs", "less"),
        ),
    ]


class Answers:
    """Answers questions about photographs."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def predict(self, asked: Asked) -> dict[str, Any]:
        """Return the class of each photograph."""
        now = self._desk.now
        if now.model is None:
            raise ModelError(now.no_model or "There is no classifier yet.")
        uploads = asked.uploads.get("photographs", [])
        questions = [*await self._embedded(uploads), *await self._desk.call(rows_of, now, asked["paths"])]
        _need(questions)
        predicted = await self._desk.call(
            lambda: list(api.judge(questions, now.model, asked["min_probability"]))  # type: ignore[arg-type]
        )
        names = [*_names(uploads), *asked["paths"]]
        return {
            "model": now.model.name,
            "classes": now.model.classes,
            "photographs": [
                {
                    "photograph": name,
                    "label": one.label,
                    "probability": one.probability,
                    "top": [{"label": label, "probability": p} for label, p in one.ranked[: asked["top"]]],
                    "similarity": one.similarity,
                    "unlike": one.unlike,
                    "problem": one.problem,
                }
                for name, one in zip(names, predicted, strict=True)
            ],
        }

    async def similar(self, asked: Asked) -> dict[str, Any]:
        """Return what looks like photographs."""
        now = self._desk.now
        more, less = (asked.uploads.get(name, []) for name in ("photographs", "less"))
        if (less or asked["less_paths"]) and not asked["together"]:
            raise UsageError("is for a question about several together", "less")
        embedded = await self._embedded([*more, *less])
        questions = [*embedded[: len(more)], *await self._desk.call(rows_of, now, asked["paths"])]
        against = [*embedded[len(more) :], *await self._desk.call(rows_of, now, asked["less_paths"])]
        _need(questions)
        names = [*_names(more), *asked["paths"]]
        found = await self._desk.call(self._search, now, questions, against, asked)
        if asked["together"]:
            problems = [
                {"photograph": name, "problem": one.problem}
                for name, one in zip(
                    [*names, *_names(less), *asked["less_paths"]], [*questions, *against], strict=True
                )
                if one.problem is not None
            ]
            return {"problems": problems, "neighbours": found[0]["neighbours"] if found else []}
        return {"queries": [{"photograph": name, **one} for name, one in zip(names, found, strict=True)]}

    async def _embedded(self, uploads: Sequence[Upload]) -> list[api.Embedded]:
        return await self._desk.batches.of([upload.data for upload in uploads])

    def _search(
        self, now: Snapshot, questions: list[api.Embedded], against: list[api.Embedded], asked: Asked
    ) -> list[dict[str, Any]]:
        k, together = asked["k"], asked["together"]
        known = {one.sha256 for one in (*questions, *against) if one.sha256} if together else set()
        if together:
            usable = [one for one in questions if one.features is not None]
            if not usable:
                return []
            mean = _mean(usable) - LESS * _mean([one for one in against if one.features is not None])
            questions = [api.Embedded(Path(), b"", mean[None])]
        options = {
            "threshold": asked["threshold"],
            "label": asked["label"],
            "split": asked["split"],
            "include_self": asked["include_self"],
        }
        most = min(k + len(known), MOST_NEIGHBOURS)
        searcher = now.searcher()
        if asked["where"]:
            searcher = searcher.relabelled(api.with_where(now.features.rule, asked["where"]))
        answers = []
        for found in searcher.ask(questions, most, **options):
            neighbours = [
                {**described(now, one.path), "similarity": one.similarity}
                for one in found.neighbours
                if not (together and not asked["include_self"] and content(now, one.path) in known)
            ]
            answers.append({"problem": found.problem, "neighbours": neighbours[:k]})
        return answers


def rows_of(now: Snapshot, paths: Sequence[str]) -> list[api.Embedded]:
    """Return photographs of the collection with their features. Raises InputError where one is not there."""
    rows = [row_of(now, path) for path in paths]
    features = now.cache.rows(rows) if rows else ()
    return [
        api.Embedded(now.file_of(path), now.cache.sha256[row].tobytes(), values[None], cached=True)
        for path, row, values in zip(paths, rows, features, strict=True)
    ]


def row_of(now: Snapshot, path: str) -> int:
    """Return the row of a photograph. Raises InputError where it is not there."""
    row = now.cache.index_of(path)
    if row is None:
        raise InputError(f"There is no photograph {path!r} here.")
    return row


def content(now: Snapshot, path: str) -> bytes:
    """Return what identifies the content of a photograph."""
    return now.cache.sha256[row_of(now, path)].tobytes()


def described(now: Snapshot, path: str) -> dict[str, Any]:
    """Return what a photograph is shown with."""
    row = row_of(now, path)
    return {
        "path": path,
        "label": now.features.y[row],
        "split": now.features.splits[row],
        "version": version(now, row),
    }


def version(now: Snapshot, row: int) -> str:
    """Return what tells one content of a photograph from another in the address of its picture."""
    return now.cache.sha256[row, :8].tobytes().hex()


def _mean(questions: Sequence[api.Embedded]) -> NDArray[np.float32]:
    """Return the mean of photographs, each of length one; zero where there is none."""
    vectors = [one.features[0] for one in questions if one.features is not None]
    units = [vector / max(float(np.linalg.norm(vector)), 1e-12) for vector in vectors]
    return np.mean(units, axis=0, dtype=np.float32) if units else np.zeros(1, np.float32)


def _names(uploads: Sequence[Upload]) -> list[str]:
    return [upload.name or f"photograph {place}" for place, upload in enumerate(uploads)]


def _need(questions: Sequence[object]) -> None:
    if not questions:
        raise UsageError("are missing: send files in the field photographs, or paths", "photographs")
