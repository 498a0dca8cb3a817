"""``embed demo``: the tour."""

import shlex
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from embed.cli import common
from embed.cli.app import app


@app.command()
def demo(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Where to draw and work; by default a new temporary folder.", show_default=False),
    ] = None,
    backbone: Annotated[str, typer.Option(help="Network that computes the features.")] = "tiny",
    show: Annotated[
        bool | None,
        typer.Option(
            "--open/--no-open",
            help="Show the report in the browser; by default in a terminal with a screen.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Draw a small data set and take the tour over it.

    The tour is extract, fit, predict, similar, report, which it opens at its end. The pictures are drawn on the spot and the backbone `tiny`
    comes with the package: no network is needed. It is a small network; on photographs of your own the default
    backbone is far better.

    \b
    embed demo
    embed demo /somewhere/to/keep/it
    """
    from embed import demo as drawings
    from embed.cli import run

    place = folder or Path(tempfile.mkdtemp(prefix="embed-demo-"))
    data, cache = place / "pictures", place / "cache"
    common.say(f"Drawing six classes of pictures into {data}")
    count = drawings.draw(data)
    common.say(
        f"{count} pictures; the features come from `{backbone}`, which is small and ships with the package."
    )
    for line in drawings.tour(data, cache, backbone):
        common.say(f"\n$ embed {shlex.join(line)}")
        code = run(line)
        if code:
            return code
    page = place / "report.html"
    if common.can_show() if show is None else show:
        from embed import report

        report.show(page)
    common.say(
        f"\nThat was the tour; everything is in {place}.\n"
        f"  look at the report:    {page}\n"
        "  your own photographs:  embed extract PHOTOS && embed fit && embed report\n"
        "  every command:         embed --help"
    )
    return 0
