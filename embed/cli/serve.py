"""``embed serve``."""

import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from embed.cli import common
from embed.cli.app import app
from embed.errors import MISSING, InputError


@app.command()
def serve(
    data: Annotated[
        Path | None,
        typer.Argument(help="Folder of photographs to extract meanwhile.", show_default=False),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; any but 127.0.0.1 needs --token.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(help="By default 8765, or another where that is taken.", show_default=False)
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="EMBED_TOKEN",
            help="What whoever asks has to know; by default a new one.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name", help="Name under which others reach this machine, repeatable.", show_default=False
        ),
    ] = None,
    max_megabytes: Annotated[int, typer.Option(help="Of a request.", min=1, max=4096)] = 64,
    max_photographs: Annotated[int, typer.Option(help="In a request.", min=1, max=1000)] = 64,
    max_waiting: Annotated[
        int, typer.Option(help="Photographs that wait to be computed; more are refused.", min=1)
    ] = 256,
    max_seconds: Annotated[float, typer.Option(help="That a request may take.", min=1)] = 60.0,
    backbone: Annotated[
        str, typer.Option(help="Network that computes the features of a folder that has none yet.")
    ] = "mobilenetv2",
    labels: Annotated[
        str | None,
        typer.Option(
            help="Where labels come from, as in embed fit; by default those given by hand, or the folders.",
            show_default=False,
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
    features: common.FeaturesOption = None,
    cache: common.CacheOption = common.DEFAULT_CACHE,
) -> None:
    """Serve a page on this machine: look, search, label, sort.

    Nothing leaves the machine, and nobody else gets in: the page takes the token that is in the printed address. Ctrl-C
    stops it. An extraction of the folder goes on meanwhile, and an interrupted one is gone on with.

    \b
    embed serve photos/
    embed serve
    embed serve --host 0.0.0.0 --token "$(openssl rand -hex 24)"
    """
    from embed.serve import Options

    try:
        from embed.serve import serve as answer
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn", "python_multipart"):
            raise
        raise InputError(
            MISSING.format(library=error.name).replace("embed-images`", "'embed-images[serve]'`")
        ) from error
    options = Options(
        host=host,
        port=port,
        token=token,
        names=tuple(name or ()),
        most_bytes=max_megabytes << 20,
        most_photographs=max_photographs,
        most_waiting=max_waiting,
        seconds=max_seconds,
        labels=labels,
    )

    def ready(address: str) -> None:
        print(address, flush=True)
        common.say("Open this address; Ctrl-C stops the server.")
        if show and sys.stderr.isatty() and _has_screen():
            webbrowser.open(address)

    answer(cache, options, data=data, features=features, backbone=backbone, ready=ready)


def _has_screen() -> bool:
    """Return whether a browser would be a window, not something in this terminal."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
