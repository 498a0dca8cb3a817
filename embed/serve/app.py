"""The application: endpoints behind the guard."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from embed.serve import answers, labelling, photographs, results, system, tidy, use
from embed.serve.description import describe
from embed.serve.desk import Desk, Document, refusal
from embed.serve.endpoint import Asked, Endpoint
from embed.serve.guard import App, Guard

GROUPS = (system, answers, photographs, labelling, results, tidy, use)
OPENAPI = "/openapi.json"
INDEX = "index.html"
PAGE = "/page/"


def application(desk: Desk) -> App:
    """Return what answers for a desk."""
    endpoints = [endpoint for group in GROUPS for endpoint in group.endpoints(desk)]
    document = describe(endpoints)

    async def openapi(asked: Asked) -> dict[str, object]:
        return document

    endpoints.append(Endpoint("GET", OPENAPI, "This description.", openapi, open=True))
    by_path: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        by_path.setdefault(endpoint.path, []).append(endpoint)
    routes = [_route(desk, path, of_path) for path, of_path in by_path.items()]
    routes += [Route("/", _page), Route(PAGE + "{name}", _page)]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await desk.open()
        try:
            yield
        finally:
            await desk.close()

    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: _missing, 405: _missing})
    open_paths = {"/", *(endpoint.path for endpoint in endpoints if endpoint.open)}
    return Guard(app, desk.options, desk.token, lambda path: path in open_paths or path.startswith(PAGE))


def _route(desk: Desk, path: str, endpoints: Sequence[Endpoint]) -> Route:
    of_method = {endpoint.method: endpoint for endpoint in endpoints}

    async def answer(request: Request) -> Response:
        endpoint = of_method[{"HEAD": "GET"}.get(request.method, request.method)]
        request.scope["endpoint_prefix"] = endpoint.prefix
        started = time.perf_counter()
        try:
            asked = await endpoint.read(request, desk.options.most_photographs)
            answered = await endpoint.handler(asked)
            response = answered if isinstance(answered, Response) else Document(answered)
        except Exception as error:  # noqa: BLE001 - every error becomes an answer
            response = refusal(error)
        desk.measures.count(request.method, path, response.status_code, time.perf_counter() - started)
        return response

    return Route(path.replace("{photograph}", "{photograph:path}"), answer, methods=list(of_method))


async def _page(request: Request) -> Response:
    found = system.page_file(request.path_params.get("name", INDEX))
    return found or await _missing(request, None)


async def _missing(request: Request, _: object) -> Response:
    return Document({"error": "There is nothing here under that name and method."}, 404)
