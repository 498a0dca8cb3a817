"""How the server is: what goes on, whether it is well, what can be asked of it; and the files of the page."""

from contextlib import suppress
from importlib.resources import files
from typing import Any

from starlette.responses import PlainTextResponse, Response

from embed import __version__
from embed.errors import EmbedError
from embed.serve.collection import Snapshot
from embed.serve.desk import Desk
from embed.serve.endpoint import Asked, Endpoint
from embed.serve.options import is_this_machine

KINDS = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
SHARED = ("page.css", "report.css", "map.css")  # those of the reports


def endpoints(desk: Desk) -> list[Endpoint]:
    """Return what this module answers."""
    system = System(desk)
    return [
        Endpoint(
            "GET",
            "/healthz",
            "Whether the server answers; for those who watch over it.",
            system.health,
            open=True,
        ),
        Endpoint(
            "GET",
            "/metrics",
            "What the server did, as Prometheus reads it.",
            system.metrics,
            answer="text/plain",
        ),
        Endpoint("GET", "/api/status", "What there is, and what goes on.", system.status),
        Endpoint(
            "POST", "/api/extract", "Look for new photographs, and compute their features.", system.extract
        ),
    ]


class System:
    """Answers what is about the server."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def health(self, asked: Asked) -> dict[str, Any]:
        """Return that it answers."""
        return {"status": "ok", "version": __version__}

    async def metrics(self, asked: Asked) -> Response:
        """Return counts and times."""
        gauges: dict[str, tuple[str, float]] = {
            "embed_photographs_waiting": (
                "Photographs that wait for the network.",
                self._desk.batches.waiting,
            )
        }
        with suppress(EmbedError):
            gauges["embed_photographs"] = ("Photographs in the feature set.", len(self._desk.now.cache))
        return PlainTextResponse(self._desk.measures.text(gauges))

    async def status(self, asked: Asked) -> dict[str, Any]:
        """Return what there is, and what goes on."""
        desk = self._desk
        document: dict[str, Any] = {
            "version": __version__,
            "picture_key": desk.picture_key,
            "jobs": desk.jobs.documents(),
            "problem": "",
            "here": is_this_machine(desk.options.host),
            "data": str(desk.data) if desk.data is not None else None,
            "features": None,
        }
        try:
            now = desk.now
        except EmbedError as error:
            return {**document, "problem": str(error)}
        return {**document, "problem": desk.collection.problem, **await desk.call(_described, now)}

    async def extract(self, asked: Asked) -> dict[str, Any]:
        """Start an extraction."""
        return self._desk.extract().document()


def _described(now: Snapshot) -> dict[str, Any]:
    features = now.features
    labelled = sum(label is not None for label in features.y.tolist())
    model = None
    if now.model is not None:
        document = now.model.document
        metrics = document["metrics"]
        model = {
            "name": now.model.name,
            "classifier": document["classifier"],
            "classes": now.model.classes,
            "n": metrics.get("n"),
            "accuracy": metrics.get("accuracy"),
            "accuracy_interval": metrics.get("accuracy_interval"),
            "baseline": metrics.get("baseline_accuracy"),
            "evaluated_on": document["evaluated_on"],
            "n_fitted": document.get("n_fitted", document.get("n_train")),
            "notes": document.get("notes", []),
            "outdated": document.get("fingerprint") != now.cache.fingerprint,
        }
    return {
        "features": now.cache.name,
        "root": str(features.root),
        "backbone": features.recipe.backbone,
        "complete": now.cache.meta.complete,
        "snapshot": now.number,
        "photographs": len(features),
        "labelled": labelled,
        "classes": features.classes,
        "labels": features.rule,
        "by_hand": features.labels_by_hand,
        "notes": features.notes,
        "failures": len(now.cache.failures()),
        "model": model,
    }


def page_file(name: str) -> Response | None:
    """Return a file of the page; None where there is none of that name."""
    suffix = name[name.rfind(".") :] if "." in name else ""
    if suffix not in KINDS or "/" in name or name.startswith("."):
        return None
    folder = (
        files("embed.report").joinpath("assets") if name in SHARED else files(__package__).joinpath("page")
    )
    try:
        data = folder.joinpath(name).read_bytes()
    except OSError:
        return None
    return Response(data, media_type=KINDS[suffix], headers={"cache-control": "no-cache"})
