"""The photographs themselves: lists of them, one by one, their pictures; and those that are handed over to stay."""

import asyncio
import shutil
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.responses import Response

from embed import api
from embed.errors import InputError, UsageError
from embed.serve.answers import described, row_of, rows_of, version
from embed.serve.collection import Snapshot
from embed.serve.desk import Desk, Document
from embed.serve.endpoint import Asked, Endpoint, Takes
from embed.serve.options import is_this_machine
from embed.serve.tidy import move_to_bin

SIZES = {"small": 240, "large": 1600}  # pixels of the longer side
MOST_LISTED = 1000
LISTS_KEPT = 32
NEIGHBOURS = 12
NONE = "(none)"  # in the place of a label: photographs without one
ORDERS = ("path", "unsure", "sure")
POLL_S = 0.02
FOREVER = "private, max-age=31536000, immutable"
MOST_FOLDERS = 500
MOST_VALUES = 200  # of a column, to choose from; one with more is asked about by a condition

FILTERS = {
    "label": Takes(str, f"Only those with this label; {NONE}: those without one."),
    "split": Takes(str, "Only those of train, validation or test."),
    "folder": Takes(str, "Only those in this folder, or below it."),
    "predicted": Takes(str, "Only those for which the classifier predicts this class."),
    "from_probability": Takes(
        float, "Only those whose predicted class is at least as probable.", least=0, most=1
    ),
    "to_probability": Takes(
        float, "Only those whose predicted class is at most as probable.", least=0, most=1
    ),
    "column": Takes(str, "With value: only those with this value in this column of a table."),
    "value": Takes(str, "The value.", ""),
    "where": Takes(str, "Only those as this condition says, on path, label, split and columns of a table."),
    "order": Takes(str, "path, unsure (the least sure first) or sure.", "path", choices=ORDERS),
}


def endpoints(desk: Desk) -> list[Endpoint]:
    """Return what this module answers."""
    photographs = Photographs(desk)
    return [
        Endpoint(
            "GET",
            "/api/photos",
            "Some of the photographs, in order.",
            photographs.some,
            query={
                **FILTERS,
                "offset": Takes(int, "How many come before.", 0, least=0),
                "limit": Takes(int, "How many at most.", 100, least=0, most=MOST_LISTED),
            },
        ),
        Endpoint(
            "GET",
            "/api/folders",
            "What photographs can be filtered by: labels, splits, folders.",
            photographs.facets,
        ),
        Endpoint(
            "GET", "/api/photos/{photograph}", "One photograph and what looks like it.", photographs.one
        ),
        Endpoint(
            "PUT",
            "/api/photos/{photograph}",
            "Put a photograph into uploads/ in the data folder, and compute its features.",
            photographs.put,
            photographs=("photograph",),
        ),
        Endpoint(
            "DELETE",
            "/api/photos/{photograph}",
            "Put a photograph into the bin; /api/bin/restore puts it back.",
            photographs.delete,
        ),
        Endpoint(
            "GET",
            "/api/pictures/{photograph}",
            "A photograph as a JPEG, small or large.",
            photographs.picture,
            query={
                "size": Takes(str, "small or large.", "small", choices=tuple(SIZES)),
                "version": Takes(str, "Makes another address of it when it changes."),
                "batch": Takes(str, "One in the bin: what was put aside together."),
            },
            answer="image/jpeg",
        ),
        Endpoint(
            "POST",
            "/api/show/{photograph}",
            "Show a photograph in the file manager of this machine.",
            photographs.show,
        ),
        Endpoint(
            "GET",
            "/api/explanations/{photograph}",
            "Which parts of a photograph speak for a class, by the classifier fitted last.",
            photographs.explain,
            query={"label": Takes(str, "The class; by default the likeliest.")},
        ),
    ]


class Photographs:
    """Answers what is about the photographs of the collection."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lists: OrderedDict[tuple[Any, ...], NDArray[np.int64]] = OrderedDict()
        self._explainer: tuple[api.Model, api.Explainer] | None = None
        self._explaining = asyncio.Lock()
        self._binned: dict[tuple[str, str], api.Binned] = {}

    async def some(self, asked: Asked) -> dict[str, Any]:
        """Return some of the photographs."""
        return await self._desk.call(self._listed, self._desk.now, asked.values)

    async def facets(self, asked: Asked) -> dict[str, Any]:
        """Return what photographs can be filtered by, with their counts."""
        return await self._desk.call(self._facets, self._desk.now)

    async def one(self, asked: Asked) -> dict[str, Any]:
        """Return one photograph."""
        return await self._desk.call(self._one, self._desk.now, _path_of(self._desk.now, asked.path))

    async def delete(self, asked: Asked) -> dict[str, Any]:
        """Put one photograph into the bin."""
        path = _path_of(self._desk.now, asked.path)
        return await self._desk.call(move_to_bin, self._desk, [path], "")

    async def put(self, asked: Asked) -> Response:
        """Add a photograph, and answer once it can be searched for."""
        if len(asked.uploads["photograph"]) != 1:
            raise UsageError("is one photograph, sent as the body", "photograph")
        name = asked.path.removeprefix(f"{api.UPLOADS}/")
        (upload,) = asked.uploads["photograph"]
        path, new = await self._desk.call(api.add_photograph, self._desk.now.cache, name, upload.data)
        if self._desk.now.cache.index_of(path) is None:
            await self._extracted(path)
        return Document(await self._desk.call(self._one, self._desk.now, path), 201 if new else 200)

    async def picture(self, asked: Asked) -> Response:
        """Return a photograph as a JPEG."""
        now, path = self._desk.now, asked.path
        if asked["batch"] is None:
            row = row_of(now, path)
            file, sha256 = now.file_of(path), now.cache.sha256[row].tobytes()
        else:
            file, sha256 = await self._desk.call(self._in_bin, now, asked["batch"], path)
        data, same = await self._desk.call(self._desk.thumbnails.get, file, sha256, SIZES[asked["size"]])
        kept = same and bool(asked["version"])
        return Response(
            data, media_type="image/jpeg", headers={"cache-control": FOREVER if kept else "no-store"}
        )

    async def show(self, asked: Asked) -> dict[str, Any]:
        """Open the folder of a photograph."""
        if not is_this_machine(self._desk.options.host):
            raise UsageError("is for whoever sits at this machine", "show")
        now = self._desk.now
        file = now.file_of(now.cache.path(row_of(now, asked.path)))
        if not isinstance(file, Path):
            raise InputError(f"{file} is no file of this machine.")
        command = ["open", "-R", str(file)] if sys.platform == "darwin" else ["xdg-open", str(file.parent)]
        if shutil.which(command[0]) is None:
            raise InputError(f"This machine has no {command[0]}; the file is {file}.")
        await self._desk.call(
            subprocess.run, command, check=False, timeout=10, stdin=subprocess.DEVNULL, capture_output=True
        )
        return {"file": str(file)}

    async def explain(self, asked: Asked) -> dict[str, Any]:
        """Return the cells of a photograph."""
        async with self._explaining:  # one network without its pooling is enough
            return await self._desk.call(self._explained, self._desk.now, asked.path, asked["label"])

    async def _extracted(self, path: str) -> None:
        """Wait until an extraction that began after now has ended. Raises InputError where the photograph is not in it."""
        before = self._desk.jobs.of("extract")
        number = 0 if before is None else before.number
        self._desk.extract()
        while True:
            job = self._desk.jobs.of("extract")
            if job is not None and job.number > number and not job.running:
                break
            await asyncio.sleep(POLL_S)
        await self._desk.call(self._desk.collection.refresh)
        if self._desk.now.cache.index_of(path) is None:
            failed = {one.path: one.reason for one in self._desk.now.cache.failures()}
            raise InputError(
                job.problem or f"{path} {failed.get(path, 'is none of the photographs that are taken in')}"
            )

    def _in_bin(self, now: Snapshot, batch: str, path: str) -> tuple[Path, bytes]:
        """Return the file and the content of a photograph in the bin. Raises InputError where it is not there."""
        if (batch, path) not in self._binned:
            self._binned = {(one.batch, one.path): one for one in api.bin_contents(now.cache)}
        if (batch, path) not in self._binned:
            raise InputError(f"There is no photograph {path!r} in the bin.")
        found = self._binned[batch, path]
        try:
            return found.file, bytes.fromhex(found.sha256)
        except ValueError:
            return found.file, b""

    def _listed(self, now: Snapshot, values: dict[str, Any]) -> dict[str, Any]:
        rows = self._rows(now, values)
        some = rows[values["offset"] : values["offset"] + values["limit"]].tolist()
        y, splits, predicted = now.features.y, now.features.splits, now.predicted
        listed = []
        for row in some:
            one: dict[str, Any] = {
                "path": now.cache.path(row),
                "label": y[row],
                "split": splits[row],
                "version": version(now, row),
            }
            if predicted is not None:
                one["predicted"] = predicted.classes[predicted.best[row]]
                one["probability"] = round(float(predicted.probability[row]), 4)
            listed.append(one)
        return {"total": len(rows), "photographs": listed}

    def _rows(self, now: Snapshot, values: dict[str, Any]) -> NDArray[np.int64]:
        """Return the rows that a filter leaves, in order; those of the last few filters are kept."""
        key = (now.number, *(values[name] for name in FILTERS))
        if key in self._lists:
            self._lists.move_to_end(key)
            return self._lists[key]
        rows = filtered(now, values)
        self._lists[key] = rows
        while len(self._lists) > LISTS_KEPT:
            self._lists.popitem(last=False)
        return rows

    def _facets(self, now: Snapshot) -> dict[str, Any]:
        def counts(values: NDArray[np.object_]) -> dict[str, int]:
            found: dict[str, int] = {}
            for value in values.tolist():
                if value is not None:
                    found[value] = found.get(value, 0) + 1
            return dict(sorted(found.items()))

        folders = counts(now.folders)
        return {
            "photographs": len(now.features),
            "labels": counts(now.features.y),
            "splits": counts(now.features.splits),
            "folders": dict([*folders.items()][:MOST_FOLDERS]),
            "classes": now.model.classes if now.model is not None else [],
            "columns": {
                name: found if len(found := counts(values)) <= MOST_VALUES else None
                for name, values in now.features.columns.items()
            },
        }

    def _one(self, now: Snapshot, path: str) -> dict[str, Any]:
        row = row_of(now, path)
        (question,) = rows_of(now, [path])
        file = now.file_of(path)
        answer: dict[str, Any] = {
            **described(now, path),
            "file": str(file),
            "bytes": int(now.cache.sizes[row]),
            "sha256": question.sha256.hex(),
            "by_hand": now.given.labels.labels[row],
            "predicted": [],
            "unlike": None,
        }
        if now.model is not None:
            (judged,) = api.judge([question], now.model)
            answer["predicted"] = [{"label": label, "probability": p} for label, p in judged.ranked[:5]]
            answer["unlike"] = judged.unlike
        (found,) = now.searcher().ask([question], NEIGHBOURS)
        answer["neighbours"] = [
            {**described(now, one.path), "similarity": one.similarity} for one in found.neighbours
        ]
        return answer

    def _explained(self, now: Snapshot, path: str, label: str | None) -> dict[str, Any]:
        file = now.file_of(now.cache.path(row_of(now, path)))
        if now.model is None:
            raise UsageError("needs a classifier: fit one first", "explanation")
        if self._explainer is None or self._explainer[0] is not now.model:
            self._explainer = (now.model, api.Explainer(now.cache, now.model.head))
        (explained,) = self._explainer[1].explain([(file, [label])])
        if explained.problem is not None:
            raise InputError(f"{path} {explained.problem}")
        return {**explained.maps[0].to_json(), "fit": now.cache.recipe.fit}


def _path_of(now: Snapshot, path: str) -> str:
    """Return the path of a photograph; an upload is known by the name with which it was put, too."""
    upload = f"{api.UPLOADS}/{path}"
    return upload if now.cache.index_of(path) is None and now.cache.index_of(upload) is not None else path


def filtered(now: Snapshot, values: dict[str, Any]) -> NDArray[np.int64]:
    """Return the rows of the photographs that a filter leaves, in its order."""
    features = now.features
    keep = np.ones(len(features), bool)
    if values["where"]:
        keep[:] = False
        keep[features.select(where=values["where"]).rows] = True
    if values["label"] is not None:
        wanted = None if values["label"] == NONE else values["label"]
        keep &= np.fromiter((one == wanted for one in features.y), bool, len(keep))
    if values["split"] is not None:
        keep &= np.fromiter((one == values["split"] for one in features.splits), bool, len(keep))
    if values["folder"] is not None:
        folder = values["folder"].strip("/")
        if folder:
            inside = folder + "/"
            keep &= np.fromiter((f"{one}/".startswith(inside) for one in now.folders), bool, len(keep))
    if values["column"] is not None:
        if values["column"] not in features.columns:
            raise UsageError(f"{values['column']!r} is not known here", "column")
        cells = features.columns[values["column"]]
        keep &= np.fromiter((one == values["value"] for one in cells), bool, len(keep))
    asks_model = values["predicted"] is not None or values["order"] != "path"
    bounds = values["from_probability"], values["to_probability"]
    if asks_model or bounds != (None, None):
        if now.predicted is None:
            raise UsageError(
                "needs a classifier: fit one first", "order" if asks_model else "from_probability"
            )
        if values["predicted"] is not None:
            names = np.array(now.predicted.classes, object)
            keep &= np.asarray(names[now.predicted.best] == values["predicted"], bool)
        if bounds[0] is not None:
            keep &= now.predicted.probability >= bounds[0]
        if bounds[1] is not None:
            keep &= now.predicted.probability <= bounds[1]
    rows = np.flatnonzero(keep)
    if values["order"] != "path" and now.predicted is not None:
        unsure = now.predicted.unsure[rows]
        rows = rows[np.argsort(-unsure if values["order"] == "unsure" else unsure, kind="stable")]
    return rows
