"""Who may ask, and how much: what stands before every answer.

A page on the web may make a browser ask this server, and a name on the web may lead to this machine (DNS rebinding). So the
name that a request is for has to be one of this machine, what comes from another page is refused, and everything but the
page itself, which holds nothing of the user's, takes the token. That is no cookie, which a browser would send by itself.
"""

import asyncio
import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from embed.serve.options import Options, is_this_machine

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PICTURES = "/api/pictures/"
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
OWN_PAGE = ("same-origin", "none")  # whom a browser says that a request comes from


def picture_key(token: str) -> str:
    """Return what opens pictures and nothing else, for the addresses of images, which carry no header."""
    return hmac.new(token.encode(), b"pictures", hashlib.sha256).hexdigest()[:32]


class Guard:
    """Refuses what nobody should ask, and puts the headers on every answer.

    Parameters
    ----------
    app : callable
        What answers the rest.
    options : Options
    token : str
    open_to_all : callable
        Says of a path whether it takes no token.
    """

    def __init__(self, app: App, options: Options, token: str, open_to_all: Callable[[str], bool]) -> None:
        self._app = app
        self._options = options
        self._token = token
        self._key = picture_key(token)
        self._open = open_to_all
        self._asking = 0
        own = [] if is_this_machine(options.host) else [socket.gethostname(), socket.getfqdn()]
        self._names = frozenset(name.lower() for name in ("localhost", *own, *options.names))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse to."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        begun = False

        async def sent(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                given = {name.lower() for name, _ in message["headers"]}
                extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in extra if name not in given),
                ]
                if b"cache-control" not in given:
                    message["headers"].append((b"cache-control", b"no-store"))
            await send(message)

        async def refuse(status: int, reason: str, headers: dict[str, str] | None = None) -> None:
            if not begun:
                answer = JSONResponse({"error": reason}, status, {"connection": "close", **(headers or {})})
                await answer(scope, receive, sent)

        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refuse(*refusal)
            return
        if self._asking >= self._options.most_requests:
            await refuse(429, "Too many ask at once; ask again in a moment.", {"retry-after": "1"})
            return
        self._asking += 1
        try:
            async with asyncio.timeout(self._options.seconds):
                await self._app(scope, self._bounded(receive), sent)
        except TimeoutError:
            await refuse(504, f"This took longer than {self._options.seconds:g} seconds, and was given up.")
        finally:
            self._asking -= 1

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str, dict[str, str]] | None:
        """Return the status, the reason and headers with which a request is refused; None where it is not."""
        host = headers.get("host", "")
        if not self._is_ours(host):
            return 421, "This name is not one of this server.", {}
        if scope["method"] not in METHODS:
            return 405, "There is no such method here.", {"allow": ", ".join(METHODS)}
        path = scope["path"]
        asked_by = headers.get("sec-fetch-site")
        # The page itself may be opened from a link elsewhere.
        link = headers.get("sec-fetch-mode") == "navigate" and self._open(path) and scope["method"] == "GET"
        if asked_by not in (None, *OWN_PAGE) and not link:
            return 403, "Pages of other places may not ask here.", {}
        if "origin" in headers and headers["origin"] != f"{scope['scheme']}://{host}":
            return 403, "Pages of other places may not ask here.", {}
        if not self._open(path) and not self._knows(scope, headers):
            return (
                401,
                "The token is missing or wrong: open the address that embed serve printed.",
                {"www-authenticate": "Bearer"},
            )
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._options.most_bytes:
            return 413, self._too_large(), {}
        return None

    def _too_large(self) -> str:
        return f"A request may have {self._options.most_bytes >> 20} MB at most."

    def _is_ours(self, host: str) -> bool:
        """Return whether a Host header names this machine: a name leads elsewhere as its owner likes, an address does not."""
        name, _, port = host.rpartition(":")
        if not port.isdecimal():
            name = host
        if name.lower().rstrip(".") in self._names:
            return True
        try:
            address = ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return address.is_loopback or not is_this_machine(self._options.host)

    def _knows(self, scope: Scope, headers: dict[str, str]) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(token.strip(), self._token):
            return True
        if not scope["path"].startswith(PICTURES) or scope["method"] not in ("GET", "HEAD"):
            return False
        given = [
            part[4:] for part in scope["query_string"].decode("latin-1").split("&") if part[:4] == "key="
        ]
        return len(given) == 1 and _same(given[0], self._key)

    def _bounded(self, receive: Receive) -> Receive:
        """Return what receives a body that is neither too long nor too slow."""
        loop = asyncio.get_running_loop()
        length, until, whole = 0, loop.time() + self._options.seconds / 2, False

        async def bounded() -> MutableMapping[str, Any]:
            nonlocal length, whole
            if whole:
                return await receive()  # that the other side has gone
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, "The request did not arrive in time.") from None
            length += len(message.get("body", b""))
            if length > self._options.most_bytes:
                raise HTTPException(413, self._too_large())
            whole = not message.get("more_body", False)
            return message

        return bounded


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), right.encode())
