"""The server as a process: it listens, answers, and stops when it is told to, once it is done with what it is at."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from embed.errors import InputError, NoFeaturesError
from embed.serve.app import application
from embed.serve.desk import Desk
from embed.serve.options import Options, listen

DEFAULT_BACKBONE = "mobilenetv2"
STOP_S = 10  # for requests that are being answered when it is told to stop
IDLE_S = 20  # that a connection stays open without a request


class _Server(uvicorn.Server):
    """One that leaves signals to who runs it: to be told to stop is no error."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing."""
        yield


def serve(
    cache: Path,
    options: Options | None = None,
    *,
    data: Path | None = None,
    features: str | None = None,
    backbone: str = DEFAULT_BACKBONE,
    ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve a feature set until the process is told to stop (SIGINT or SIGTERM).

    Parameters
    ----------
    cache : Path
        Folder of the feature sets.
    options : Options, optional
    data : Path, optional
        Folder of photographs, which are extracted meanwhile.
    features : str, optional
        Name of a feature set; by default the one extracted last.
    backbone : str
        That computes the features of `data`, where none have been computed yet.
    ready : callable
        Takes the address, with the token, once it can be opened.

    Raises
    ------
    InputError
        `data` is no folder.
    NoFeaturesError
        There is nothing to serve.
    UsageError
        The address cannot be listened at.
    """
    options = options or Options()
    if data is not None and not data.is_dir():
        raise InputError(f"There is no folder {data}.")
    desk = Desk(cache, options, data, features, backbone)
    if data is None and not desk.collection.refresh():
        raise NoFeaturesError(desk.collection.problem or f"There is nothing in {cache}: embed serve PHOTOS.")
    listening = listen(options)
    server = _Server(configured(desk))
    port = listening.getsockname()[1]

    async def run() -> None:
        loop = asyncio.get_running_loop()

        def stop() -> None:
            server.force_exit = server.should_exit  # the second time
            server.should_exit = True

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        answering = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started and not answering.done():
            await asyncio.sleep(0.01)
        if server.started:
            ready(address(options.host, port, desk.token))
        await answering

    try:
        asyncio.run(run())
    finally:
        listening.close()


def configured(desk: Desk) -> uvicorn.Config:
    """Return how uvicorn serves a desk."""
    return uvicorn.Config(
        application(desk),
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=STOP_S,
        ws="none",
    )


def address(host: str, port: int, token: str) -> str:
    """Return what a browser opens; what is after # is sent to nobody."""
    name = "127.0.0.1" if host in ("0.0.0.0", "::", "localhost") else host
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{port}/#token={token}"
