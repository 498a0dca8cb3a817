"""What a classifier is for: a folder sorted by class, and the classifier in a file."""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from starlette.responses import Response

from embed import api
from embed.errors import ModelError, UsageError
from embed.serve.collection import Snapshot
from embed.serve.desk import Desk
from embed.serve.endpoint import Asked, Endpoint, Takes
from embed.serve.jobs import Job

FORMATS = {"onnx": "classifier.onnx", "keras": "classifier.keras", "tflite": "classifier.tflite"}


def endpoints(desk: Desk) -> list[Endpoint]:
    """Return what this module answers."""
    use = Use(desk)
    return [
        Endpoint(
            "POST",
            "/api/sort",
            "Copy all photographs into folders beside the data folder, one for each class: by the label given, or predicted.",
            use.sort,
            body={
                "folder": Takes(str, "Name of the folder; by default that of the data folder with -sorted."),
                "min_probability": Takes(
                    float, "Leave those where they are that are less sure.", 0.0, least=0, most=1
                ),
                "carry_out": Takes(bool, "Do it, rather than say what would be done.", default=False),
            },
        ),
        Endpoint(
            "POST",
            "/api/model",
            "Write the classifier into one file, for an app, a phone or a service, in the background.",
            use.export,
            body={"format": Takes(str, "Kind of file.", "onnx", choices=tuple(FORMATS))},
        ),
        Endpoint(
            "GET",
            "/api/model",
            "The classifier in one file, once it is written.",
            use.model,
            query={"format": Takes(str, "Kind of file.", "onnx", choices=tuple(FORMATS))},
            answer="application/octet-stream",
        ),
    ]


class Use:
    """Uses the classifier."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._files: dict[str, tuple[api.Model, bytes]] = {}  # by the format: of which model, and the file

    async def sort(self, asked: Asked) -> dict[str, Any]:
        """Say what sorting would do, or do it in the background."""
        now = self._desk.now
        into = _beside(now, asked["folder"])
        if not asked["carry_out"]:
            placed = await self._desk.call(_placed, now, into, asked["min_probability"])
            return _told(into, placed)

        def work(job: Job) -> dict[str, Any]:
            placed = _placed(now, into, asked["min_probability"])
            going = [one for one in placed if one is not None and not one.there]
            for done, _ in enumerate(api.carry_out(going), 1):
                job.told("copying", done, len(going))
            return _told(into, placed)

        job = self._desk.jobs.start("sort", work)
        return {"into": str(into), "job": job.document()}

    async def export(self, asked: Asked) -> dict[str, Any]:
        """Start to write the classifier into a file."""
        kind, now = asked["format"], self._desk.now

        def work(job: Job) -> None:
            job.stage = "writing and trying the file"
            model, data = _exported(now, FORMATS[kind])
            self._files[kind] = (model, data)

        return self._desk.jobs.start("export", work).document()

    async def model(self, asked: Asked) -> Response:
        """Return the classifier in a file."""
        name = FORMATS[asked["format"]]
        model, data = self._files.get(asked["format"], (None, b""))
        if model is None or model is not self._desk.now.model:
            raise ModelError("The file is not written yet: ask for it by POST.")
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(data, media_type="application/octet-stream", headers=headers)


def _beside(now: Snapshot, name: str | None) -> Path:
    """Return a folder beside the data folder. Raises UsageError where the name leads elsewhere."""
    if not isinstance(now.features.root, Path):
        raise UsageError(
            f"is for photographs in a folder of this machine, not in {now.features.root}", "folder"
        )
    root = now.features.root.resolve()
    name = f"{root.name}-sorted" if name is None else name.strip()
    if not name or name != Path(name).name or name.startswith(".") or not name.isprintable() or "\\" in name:
        raise UsageError(f"{name!r} is no plain name of a folder", "folder")
    return root.parent / name


def _placed(now: Snapshot, into: Path, least: float) -> list[api.Placed | None]:
    """Return where each photograph goes."""
    if now.model is None:
        raise ModelError(now.no_model or "There is no classifier yet.")
    labels = now.features.y
    predictions = []
    for first, block in now.cache.blocks():
        rows = range(first, first + len(block))
        embedded = [
            api.Embedded(now.file_of(now.cache.path(row)), b"", values[None], cached=True)
            for row, values in zip(rows, block, strict=True)
        ]
        for row, predicted in zip(rows, api.judge(embedded, now.model, least), strict=True):
            known = labels[row]
            predictions.append(predicted if known is None else api.Prediction(predicted.file, known, 1.0))
    classes = sorted({*now.model.classes, *now.features.classes})
    return api.place(predictions, classes, into, data=now.features.root)


def _told(into: Path, placed: list[api.Placed | None]) -> dict[str, Any]:
    going = [one for one in placed if one is not None]
    return {
        "into": str(into),
        "folders": dict(sorted(Counter(one.to.parent.name for one in going).items())),
        "new": sum(not one.there for one in going),
        "there": sum(one.there for one in going),
        "left_out": len(placed) - len(going),
    }


def _exported(now: Snapshot, name: str) -> tuple[api.Model, bytes]:
    if now.model is None:
        raise ModelError(now.no_model or "There is no classifier yet.")
    with tempfile.TemporaryDirectory(prefix="embed-") as folder:
        done = api.export_model(now.features, Path(folder) / name, now.model.name)
        return now.model, done.files[0].read_bytes()
