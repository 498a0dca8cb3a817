"""The description of the endpoints in the manner of OpenAPI, made from what each of them says of itself."""

from collections.abc import Sequence
from typing import Any

from embed import __version__
from embed.serve.endpoint import Endpoint, Takes

OPENAPI = "3.1.0"
REFUSALS = {
    "400": "Something is missing, unknown or of another kind.",
    "401": "The token is missing or wrong.",
    "403": "The request comes from a page of another place.",
    "404": "There is no such thing.",
    "409": "It cannot be done as things are; the reason says why.",
    "413": "The request is too large.",
    "421": "The name that the request is for is not one of this server.",
    "422": "The photograph cannot be read.",
    "429": "Too much waits already; ask again in a moment.",
    "503": "The features cannot be had just now.",
    "504": "It took too long.",
}


def describe(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Return the document."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "embed serve",
            "version": __version__,
            "description": 'Photographs of one feature set: search, classes, labels. Errors are {"error": a sentence}.',
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": ["error"],
                    "properties": {"error": {"type": "string"}},
                }
            },
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    parameters = [_parameter(name, takes) for name, takes in endpoint.query.items()]
    if "{photograph}" in endpoint.path:
        says = "Path of the photograph in the data folder, percent-encoded."
        where = {"name": "photograph", "in": "path", "required": True, "description": says}
        parameters.insert(0, {**where, "schema": {"type": "string"}})
    operation: dict[str, Any] = {
        "summary": endpoint.does,
        "operationId": f"{endpoint.method.lower()}{endpoint.path.replace('{photograph}', 'photograph').replace('/', '_')}",
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done.", "content": {endpoint.answer: {"schema": {}}}},
            **{status: _refusal(says) for status, says in REFUSALS.items()},
        },
    }
    content = _content(endpoint)
    if content:
        operation["requestBody"] = {"required": True, "content": content}
    if endpoint.open:
        operation["security"] = []
    return operation


def _parameter(name: str, takes: Takes) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": takes.needed,
        "description": takes.says,
        "schema": takes.schema(),
    }


def _content(endpoint: Endpoint) -> dict[str, Any]:
    properties = {
        name: {"description": takes.says, **takes.schema()} for name, takes in endpoint.body.items()
    }
    needed = [name for name, takes in endpoint.body.items() if takes.needed]
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if needed:
        schema["required"] = needed
    content: dict[str, Any] = {}
    if endpoint.body:
        content["application/json"] = {"schema": schema}
    if endpoint.photographs:
        files = {
            name: {"type": "array", "items": {"type": "string", "format": "binary"}}
            for name in endpoint.photographs
        }
        content["multipart/form-data"] = {"schema": {"type": "object", "properties": {**properties, **files}}}
        content["application/octet-stream"] = {"schema": {"type": "string", "format": "binary"}}
    return content


def _refusal(says: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": says, "content": {"application/json": {"schema": schema}}}
