"""Servers for tests, in a thread of this process or in one of their own, asked over a real socket."""

import http.client
import json
import os
import secrets
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import uvicorn
from waiting import until

from embed.serve.desk import Desk
from embed.serve.options import Options, listen
from embed.serve.run import configured


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def document(self):
        return json.loads(self.body)


@dataclass
class Site:
    """A server that runs, and what opens it."""

    port: int
    token: str
    desk: Desk = field(repr=False)

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}/#token={self.token}"

    def ask(self, path, method="GET", *, send=None, files=None, data=None, headers=None, token=True):
        """Ask for a path: a document, files [(field, name, bytes)] with fields, or bytes are sent."""
        given = {"Authorization": f"Bearer {self.token}"} if token else {}
        body = data
        if files is not None:
            body, given["Content-Type"] = multipart(files, send or {})
        elif send is not None:
            body, given["Content-Type"] = json.dumps(send).encode(), "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {**given, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def get(self, path):
        """Return the document at a path."""
        answer = self.ask(path)
        assert answer.status == 200, answer.body
        return answer.document

    def post(self, path, **send):
        """Return the document that answers another one."""
        answer = self.ask(path, "POST", send=send)
        assert answer.status == 200, answer.body
        return answer.document

    def done(self, kind, after=0):
        """Wait until a job has ended, and return it."""

        def ended():
            jobs = {job["kind"]: job for job in self.get("/api/status")["jobs"]}
            job = jobs.get(kind)
            return job if job and not job["running"] and job["number"] > after else None

        return until(ended, kind)


def multipart(files, fields):
    boundary = secrets.token_hex(8)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    parts += [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for name, file, data in files
    ]
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


@contextmanager
def served(cache, data=None, features=None, backbone="tiny", **options):
    """Serve a cache while the block lasts."""
    desk = Desk(cache, Options(**options), data, features, backbone)
    listening = listen(Options(port=0))
    server = uvicorn.Server(configured(desk))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive(), "the server")
        assert server.started
        yield Site(listening.getsockname()[1], desk.token, desk)
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@contextmanager
def process(*arguments, cwd, **env):
    """Run `embed serve` and give the process and a site to ask."""
    command = [sys.executable, "-m", "embed.cli", "serve", "--no-open", "--port", "0", *map(str, arguments)]
    running = subprocess.Popen(
        command, cwd=cwd, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        address = running.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), running.stderr.read()
        found = urlsplit(address)
        yield running, Site(found.port, found.fragment.removeprefix("token="), None), address
    finally:
        running.kill()
        running.communicate()
