"""What can be asked: each endpoint says what it takes, so that what it takes is checked, and described, from one place."""

import math
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import Response

from embed.errors import UsageError

MOST_FIELDS = 1000
MOST_TEXT = 100_000  # characters of a text that is given
TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", list: "array", dict: "object"}
WORDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list of texts",
    dict: "an object",
}
TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True)
class Takes:
    """Something that an endpoint takes.

    Parameters
    ----------
    kind : type
        str, int, float, bool, list (of str) or dict (of str to str or None).
    says : str
        What it is.
    default : object
        Where it is not given; None where there is nothing then.
    needed : bool
    least, most : float, optional
        Of a number.
    choices : tuple of str
        Of a text.
    example : object
        As it may be given.
    """

    kind: type
    says: str
    default: Any = None
    needed: bool = False
    least: float = -math.inf
    most: float = math.inf
    choices: tuple[str, ...] = ()
    example: Any = None

    def read(self, name: str, given: Any) -> Any:
        """Return what was given as what it is meant to be. Raises UsageError."""
        value = given
        if self.kind is list:
            value = [given] if isinstance(given, str) else given
            right = isinstance(value, list) and all(isinstance(one, str) for one in value)
        elif isinstance(given, str) and self.kind in (int, float):
            try:
                value = self.kind(given)
            except ValueError:
                value = None
            right = value is not None
        elif isinstance(given, str) and self.kind is bool:
            value = TRUTH.get(given.lower())
            right = value is not None
        elif self.kind is float:
            right = isinstance(given, (int, float)) and not isinstance(given, bool)
        elif self.kind is dict:
            right = isinstance(given, dict) and all(
                one is None or isinstance(one, str) for one in given.values()
            )
        else:
            right = isinstance(given, self.kind) and (self.kind is bool or not isinstance(given, bool))
        if not right:
            raise UsageError(f"must be {WORDS[self.kind]}", name)
        if self.kind in (int, float) and not self.least <= value <= self.most:  # NaN neither
            raise UsageError(f"must lie between {self.least:g} and {self.most:g}, not at {value:g}", name)
        if self.choices and value not in self.choices:
            raise UsageError(f"{value!r} is not known; it is one of {', '.join(self.choices)}", name)
        if isinstance(value, str) and len(value) > MOST_TEXT:
            raise UsageError("is too long", name)
        return value

    def schema(self) -> dict[str, Any]:
        """Return it as JSON Schema."""
        schema: dict[str, Any] = {"type": TYPES[self.kind]}
        if self.kind is list:
            schema["items"] = {"type": "string"}
        if self.kind is dict:
            schema["additionalProperties"] = {"type": ["string", "null"]}
        if math.isfinite(self.least):
            schema["minimum"] = self.least
        if math.isfinite(self.most):
            schema["maximum"] = self.most
        if self.choices:
            schema["enum"] = list(self.choices)
        if self.default is not None:
            schema["default"] = self.default
        return schema


@dataclass(frozen=True)
class Upload:
    """A photograph that was handed over."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Asked:
    """A request, read and checked.

    Attributes
    ----------
    request : Request
    values : dict
        What the endpoint takes, by its name; the default where nothing was given.
    uploads : dict
        Field → photographs that were handed over.
    """

    request: Request
    values: dict[str, Any]
    uploads: dict[str, list[Upload]]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @property
    def path(self) -> str:
        """The path of a photograph, which ends the address: any bytes that a file name may have."""
        raw = self.request.scope.get("raw_path") or self.request.scope["path"].encode()
        prefix = self.request.scope["endpoint_prefix"]
        return os.fsdecode(unquote_to_bytes(raw.split(b"?", 1)[0])[len(prefix) :])


Handler = Callable[[Asked], Awaitable[Response | dict[str, Any]]]


@dataclass(frozen=True)
class Endpoint:
    """One method of one path.

    Parameters
    ----------
    method, path : str
        The path may end in ``{photograph}``, the path of one in the data folder.
    does : str
        A sentence.
    handler : callable
    query : mapping of str to Takes
        What its address takes, or a field of what is sent.
    body : mapping of str to Takes
        What is sent, as JSON, or as a form where photographs come along.
    photographs : tuple of str
        Fields with photographs that are handed over; the first may be the whole body instead.
    answer : str
        Content type.
    open : bool
        Whether it takes no token.
    """

    method: str
    path: str
    does: str
    handler: Handler
    query: Mapping[str, Takes] = field(default_factory=dict)
    body: Mapping[str, Takes] = field(default_factory=dict)
    photographs: tuple[str, ...] = ()
    answer: str = "application/json"
    open: bool = False

    @property
    def prefix(self) -> str:
        """The path up to that of a photograph."""
        return self.path.partition("{")[0]

    async def read(self, request: Request, most_photographs: int) -> Asked:
        """Return a request, read and checked.

        Raises
        ------
        UsageError
            Something is missing, unknown or of another kind.
        HTTPException
            The body is not what it says.
        """
        given: dict[str, Any] = {}
        known = {**self.query, **self.body}
        for name, value in request.query_params.multi_items():
            if name == "key":
                continue  # of pictures
            _add(given, name, value, self.query)
        uploads: dict[str, list[Upload]] = {name: [] for name in self.photographs}
        if request.method in ("POST", "PUT"):
            await self._read_body(request, given, uploads, known, most_photographs)
        values = {}
        for name, takes in known.items():
            if name in given:
                values[name] = takes.read(name, given[name])
            elif takes.needed:
                raise UsageError(f"is missing: {takes.says}", name)
            else:
                values[name] = takes.default
        if sum(map(len, uploads.values())) > most_photographs:
            raise UsageError(f"are {most_photographs} at most in a request", "photographs")
        return Asked(request, values, uploads)

    async def _read_body(
        self,
        request: Request,
        given: dict[str, Any],
        uploads: dict[str, list[Upload]],
        known: Mapping[str, Takes],
        most_photographs: int,
    ) -> None:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "multipart/form-data" and self.photographs:
            try:
                form = await request.form(
                    max_files=most_photographs + 1, max_fields=MOST_FIELDS, max_part_size=MOST_TEXT * 4
                )
            except MultiPartException as error:
                raise UsageError(f"cannot be read: {error.message}", "form") from None
            try:
                for name, value in form.multi_items():
                    if isinstance(value, str):
                        _add(given, name, value, known)
                    elif name not in uploads:
                        raise UsageError(f"takes no photograph here; {', '.join(uploads)} does", name)
                    else:
                        uploads[name].append(Upload(value.filename or "", await value.read()))
            finally:
                await form.close()
        elif kind == "application/json":
            try:
                document = await request.json()
            except (ValueError, RecursionError):
                raise UsageError("is no JSON", "body") from None
            if not isinstance(document, dict):
                raise UsageError("must be an object", "body")
            for name, value in document.items():
                if value is not None:
                    _add(given, name, value, known)
        elif self.photographs:
            data = await request.body()
            if data:
                uploads[self.photographs[0]].append(Upload("", data))
        elif await request.body():
            raise HTTPException(415, "Send application/json.")


def _add(given: dict[str, Any], name: str, value: Any, known: Mapping[str, Takes]) -> None:
    """Put something among what was given. Raises UsageError where nothing of that name is taken, or it is there already."""
    if name not in known:
        raise UsageError(f"is not known here; {', '.join(known) or 'nothing'} is taken", name)
    if name not in given:
        given[name] = value
    elif known[name].kind is list and isinstance(value, str):
        before = given[name]
        given[name] = [*(before if isinstance(before, list) else [before]), value]
    else:
        raise UsageError("is given twice", name)
