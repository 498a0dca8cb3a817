"""A question to a server that runs already, by what comes with Python."""

import http.client
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from embed import api
from embed.errors import CacheError, InputError, UsageError

TIMEOUT_S = 120.0
MOST_BYTES = 64 << 20


class Client:
    """Asks a server.

    Parameters
    ----------
    address : str
        As `embed serve` printed it, with its token; or without one, where `token` is it.
    token : str, optional

    Raises
    ------
    UsageError
        It is no such address.
    """

    def __init__(self, address: str, token: str | None = None) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(
                f"{address!r} is not what embed serve printed, as http://127.0.0.1:8765/#token=…", "server"
            )
        self._token = (parse_qs(parts.fragment).get("token") or [token or ""])[0]
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        try:
            self._connection = kind(parts.hostname, parts.port, timeout=TIMEOUT_S)
        except ValueError as error:
            raise UsageError(f"{address!r} cannot be an address: {error}", "server") from None
        self._place = f"{parts.hostname}:{self._connection.port}"
        self._prefix = parts.path.rstrip("/")

    def similar(self, photograph: Path, fields: Mapping[str, Any]) -> api.Neighbours:
        """Return what looks like a photograph, as `POST /api/similar` says it.

        Parameters
        ----------
        photograph : Path
        fields : mapping
            What else is asked for, such as ``k``; None where it is not.

        Raises
        ------
        InputError
            The photograph, or the server, cannot be reached.
        CacheError
            The server refuses; the message says why.
        """
        try:
            if photograph.stat().st_size > MOST_BYTES:
                return api.Neighbours(photograph, [], "is too large to be sent")
            data = photograph.read_bytes()
        except OSError as error:
            return api.Neighbours(photograph, [], f"cannot be read: {error.strerror}")
        (answer,) = self._post("/api/similar", photograph.name, data, fields)["queries"]
        found = [api.Neighbour(one["path"], one["similarity"], one["label"]) for one in answer["neighbours"]]
        return api.Neighbours(photograph, found, answer["problem"])

    def _post(self, path: str, name: str, data: bytes, fields: Mapping[str, Any]) -> dict[str, Any]:
        boundary = secrets.token_hex(16)
        body = bytearray()
        for field, value in fields.items():
            if value is not None:
                text = str(value).lower() if isinstance(value, bool) else str(value)
                body += f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n'.encode()
                body += os.fsencode(text) + b"\r\n"
        plain = "".join(c if c.isprintable() and c not in '"\\' else "_" for c in name)
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="photographs"; filename="{plain}"\r\n'.encode(
            errors="replace"
        )
        body += b"Content-Type: application/octet-stream\r\n\r\n" + data + f"\r\n--{boundary}--\r\n".encode()
        headers = {
            "content-type": f"multipart/form-data; boundary={boundary}",
            "authorization": f"Bearer {self._token}",
        }
        try:
            self._connection.request("POST", self._prefix + path, bytes(body), headers)
            response = self._connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connection.close()
            raise InputError(
                f"The server at {self._place} does not answer as embed serve does: {error or 'nothing'}."
            ) from error
        if not isinstance(answer, dict) or response.status != 200:
            said = answer.get("error", "") if isinstance(answer, dict) else ""
            if response.status == 401:
                raise UsageError(
                    "needs the whole address that embed serve printed, or its token in EMBED_TOKEN", "server"
                )
            raise CacheError(f"The server at {self._place} refuses ({response.status}): {said}")
        return answer
