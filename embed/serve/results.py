"""How the classifier fitted last did, and a map of all photographs."""

import math
from typing import Any

import numpy as np

from embed import api
from embed.errors import ModelError
from embed.serve.answers import version
from embed.serve.collection import Snapshot
from embed.serve.desk import Desk
from embed.serve.endpoint import Asked, Endpoint
from embed.serve.jobs import Job

MOST_PREDICTIONS = 5000  # that are told one by one, the greatest losses first
MOST_CLASSES = 200  # in a confusion matrix
GRID = 65535  # positions on the map are whole numbers up to it


def endpoints(desk: Desk) -> list[Endpoint]:
    """Return what this module answers."""
    results = Results(desk)
    return [
        Endpoint(
            "GET",
            "/api/results",
            "How the classifier fitted last did on photographs it had not seen.",
            results.results,
        ),
        Endpoint(
            "GET",
            "/api/curve",
            "Accuracy by the number of photographs of each class, once computed.",
            results.curve,
        ),
        Endpoint(
            "POST", "/api/curve", "Compute the learning curve, in the background.", results.compute_curve
        ),
        Endpoint("GET", "/api/map", "Where each photograph lies on a plane, once computed.", results.map),
        Endpoint("POST", "/api/map", "Compute the map, in the background.", results.compute_map),
    ]


class Results:
    """Answers what is about results."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._curve: tuple[Any, list[dict[str, Any]]] | None = None
        self._map: tuple[str, dict[str, Any]] | None = None

    async def results(self, asked: Asked) -> dict[str, Any]:
        """Return how the classifier did."""
        return await self._desk.call(_results, self._desk.now)

    async def curve(self, asked: Asked) -> dict[str, Any]:
        """Return the learning curve, or that there is none yet."""
        there = self._curve is not None and self._curve[0] == self._desk.now.stamps
        return {"curve": self._curve[1] if there and self._curve is not None else None}

    async def compute_curve(self, asked: Asked) -> dict[str, Any]:
        """Start to compute the learning curve."""

        def work(job: Job) -> None:
            now = self._desk.now
            rows: list[dict[str, Any]] = []
            for one in now.features.learning_curve():
                rows.append({key: number(value) for key, value in one.row().items()})
                job.told("fitting", len(rows), 0)
            self._curve = (now.stamps, rows)

        return self._desk.jobs.start("curve", work).document()

    async def map(self, asked: Asked) -> dict[str, Any]:
        """Return the map, or that there is none yet."""
        now = self._desk.now
        if self._map is None or self._map[0] != now.cache.fingerprint:
            return {"map": None}
        return {"map": await self._desk.call(self._labelled_map, now, self._map[1])}

    async def compute_map(self, asked: Asked) -> dict[str, Any]:
        """Start to compute the map."""

        def work(job: Job) -> None:
            now = self._desk.now
            found = api.layout(now.cache, label_rule=now.features.rule, progress=job.told)
            places = np.round(found.positions * GRID).astype(int)
            self._map = (
                now.cache.fingerprint,
                {"paths": found.paths, "x": places[:, 0].tolist(), "y": places[:, 1].tolist()},
            )

        return self._desk.jobs.start("map", work).document()

    def _labelled_map(self, now: Snapshot, found: dict[str, Any]) -> dict[str, Any]:
        classes = now.features.classes
        place = {name: i for i, name in enumerate(classes)}
        label = [place.get(one, -1) for one in now.features.y.tolist()]
        versions = [version(now, row) for row in range(len(now.cache))]
        return {**found, "grid": GRID, "classes": classes, "label": label, "version": versions}


def _results(now: Snapshot) -> dict[str, Any]:
    if now.model is None:
        raise ModelError(now.no_model or "There is no classifier yet.")
    model, document = now.model, now.model.document
    evaluation = model.evaluation()
    counts = evaluation.confusion()
    table = evaluation.predictions().sort_values("loss", ascending=False, kind="stable")
    wrong_first = table.iloc[np.argsort((table["predicted"] == table["label"]).to_numpy(), kind="stable")]
    thresholds = None
    if len(evaluation.classes) == 2:
        curve = evaluation.threshold_curve()
        thresholds = {name: [number(value) for value in curve[name].tolist()] for name in curve.columns}
    return {
        "model": model.name,
        "classifier": document["classifier"],
        "threshold": model.threshold,
        "evaluated_on": document["evaluated_on"],
        "split": document.get("split", ""),
        "n_train": document.get("n_train"),
        "notes": document.get("notes", []),
        "summary": {key: number(value) for key, value in evaluation.summary().items()},
        "classes": [
            {key: number(value) for key, value in row.items()}
            for row in evaluation.per_class().to_dict("records")
        ],
        "confusion": {
            "true": counts.index.tolist()[:MOST_CLASSES],
            "predicted": counts.columns.tolist()[:MOST_CLASSES],
            "counts": counts.to_numpy()[:MOST_CLASSES, :MOST_CLASSES].tolist(),
        },
        "predictions": [
            {
                "path": row.path,
                "label": row.label,
                "predicted": row.predicted,
                "probability": number(row.probability),
                **_picture(now, row.path),
            }
            for row in wrong_first[["path", "label", "predicted", "probability"]][
                :MOST_PREDICTIONS
            ].itertuples()
        ],
        "thresholds": thresholds,
        "changed": document.get("fingerprint") != now.cache.fingerprint,
    }


def _picture(now: Snapshot, path: str) -> dict[str, Any]:
    row = now.cache.index_of(path)
    return {"there": row is not None, "version": "" if row is None else version(now, row)}


def number(value: Any) -> Any:
    """Return a value as JSON has it: numbers of Python, None for what is not defined."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [number(one) for one in value]
    return value
