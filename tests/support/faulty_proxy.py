"""An HTTP proxy in front of a real server that does to some answers what networks and busy servers do."""

import http.client
import threading
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PIECE = 1 << 16
BUSY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}


class Proxy:
    """Forwards requests to a server, but for those that a rule is about.

    Attributes
    ----------
    url : str
    requests : list of (str, str)
        Method and path with the query of each request so far.
    rule : callable
        Is given both, and returns None to forward; a number, the status of the answer; or a callable that is called
        before it is forwarded.
    """

    def __init__(self, upstream: str) -> None:
        self.requests: list[tuple[str, str]] = []
        self.rule: Callable[[str, str], object] = lambda method, path: None
        place = urlsplit(upstream)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                proxy.requests.append((self.command, self.path))
                action = proxy.rule(self.command, self.path)
                if isinstance(action, int):
                    self.send_response(action)
                    self.send_header("Content-Length", str(len(BUSY)))
                    self.end_headers()
                    if self.command != "HEAD":
                        self.wfile.write(BUSY)
                    return
                if callable(action):
                    action()
                upstream = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
                upstream.request(self.command, self.path, body, dict(self.headers.items()))
                answer = upstream.getresponse()
                data = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in HOP_BY_HOP:
                        self.send_header(name, value)
                size = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
                self.send_header("Content-Length", size or "0")
                self.end_headers()
                self.wfile.write(data)
                upstream.close()

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_one  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def in_front_of(upstream: str):
    """Give a proxy in front of a server, for as long as the block lasts."""
    proxy = Proxy(upstream)
    try:
        yield proxy
    finally:
        proxy.close()
