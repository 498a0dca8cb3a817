"""``embed similar`` and ``embed index``, and what the commands of analysis share."""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embed.cli import common, exits
from embed.cli.app import app
from embed.cli.progress import StageDisplay
from embed.errors import UsageError

if TYPE_CHECKING:
    from embed.api import Neighbours
    from embed.search import Progress

HtmlOption = Annotated[
    Path | None, typer.Option("--html", help="Write a page with the photographs.", show_default=False)
]


@app.command()
def similar(
    images: common.ImagesArgument,
    k: Annotated[int, typer.Option("-k", help="Photographs to name for each.")] = 10,
    threshold: Annotated[
        float, typer.Option(help="Only photographs at least this similar; the cosine, 1 is the same.")
    ] = -1.0,
    label: Annotated[str | None, typer.Option(help="Only photographs with this label.")] = None,
    split: Annotated[str | None, typer.Option(help="Only photographs of train, validation or test.")] = None,
    include_self: Annotated[
        bool,
        typer.Option(
            "--include-self", help="A photograph may be found by itself, as may the original of a copy."
        ),
    ] = False,
    labels: common.LabelsOption = "folder",
    where: common.WhereOption = None,
    splits: common.SplitsOption = None,
    html: HtmlOption = None,
    show: common.OpenOption = False,
    paths: Annotated[bool, typer.Option("--paths", help="Print the files alone, one on a line.")] = False,
    print0: Annotated[
        bool, typer.Option("--print0", "-0", help="Print the files alone, each ended by a zero byte.")
    ] = False,
    server: Annotated[
        str | None,
        typer.Option(help="Ask the server at this address, as embed serve printed it.", show_default=False),
    ] = None,
    strict: common.StrictOption = False,
    features: common.FeaturesOption = None,
    cache: common.CacheOption = common.DEFAULT_CACHE,
    as_json: common.JsonOption = False,
    as_csv: common.CsvOption = False,
) -> int:
    """Find the photographs that look most like others.

    A photograph that is in the cache needs no forward pass; any other goes through the backbone first. No photograph is
    found by itself, wherever a copy of it lies; further copies in the data folder are found.

    \b
    embed similar photo.jpg
    embed similar photo.jpg -k 5 --label dress --split train
    embed similar holiday/ --threshold 0.8 --html similar.html --open
    embed similar photo.jpg -0 | xargs -0 cp -t picked/
    embed similar photo.jpg --server http://127.0.0.1:8765/#token=...
    """
    check_page(html, show)
    asked: dict[str, Any] = {
        "k": k,
        "threshold": threshold,
        "label": label,
        "split": split,
        "include_self": include_self,
    }
    if server is not None:
        if paths or print0 or html or splits or features or labels != "folder":
            raise UsageError(
                "answers about its own features and labels, and has no page: it goes with -k, --threshold, --label, --split,"
                " --where and --include-self",
                "server",
            )
        found = _ask(server, images, {**asked, "where": where})
    else:
        known = common.open_labelled(cache, features, labels, splits, where)
        with StageDisplay() as progress:
            found = list(known.neighbours(images, **asked, progress=progress, notice=progress.notice))
    failed = [(one.query, one.problem) for one in found if one.problem is not None]
    form = common.output(as_json, as_csv)
    if paths or print0:
        print_paths(
            (known.locate(neighbour.path) for one in found for neighbour in one.neighbours), zero=print0
        )
    elif len(failed) < len(found) or form is common.Output.JSON:
        rows = [
            (os.fspath(one.query), rank, neighbour.path, neighbour.similarity, neighbour.label)
            for one in found
            for rank, neighbour in enumerate(one.neighbours, 1)
        ]
        common.print_table(
            ("query", "rank", "path", "similarity", "label"), rows, form=form, heading=("query",)
        )
    if html is not None:
        from embed import report

        publish(html, lambda progress: report.similar_page(known.root, found, progress), show=show)
    for one in found:
        if one.closest is not None:
            common.say(
                f"Nothing is that similar to {common.printable(str(one.query))}; the closest is"
                f" {common.printable(one.closest.path)} with {one.closest.similarity:.3f}."
            )
    for file, problem in failed:
        common.say_failed(file, problem)
    return exits.of_photographs(done=len(found) - len(failed), failed=len(failed), strict=strict)


@app.command()
def index(
    kind: Annotated[str, typer.Option(help="auto, exact, compressed, ivf or hnsw.")] = "auto",
    recall: Annotated[
        float, typer.Option(help="Share of the true nearest that an approximate one finds.")
    ] = 0.99,
    store: Annotated[
        str,
        typer.Option(
            help="Where it is kept: PLACE.lance, on this machine or as s3://shop/vectors.lance (LanceDB), or postgresql://HOST/DATABASE "
            "(pgvector); by default beside the features.",
            show_default=False,
        ),
    ] = "",
    features: common.FeaturesOption = None,
    cache: common.CacheOption = common.DEFAULT_CACHE,
    as_json: common.JsonOption = False,
    as_csv: common.CsvOption = False,
) -> None:
    """Build the search index, and measure what it does.

    Nothing needs this: `embed similar` compares everything as long as that answers within 50 ms, and otherwise builds an
    index with a recall of 0.99 by itself. What is asked for here is kept when photographs come and go. The recall is that
    of photographs that were held out of the index, with its 95 % interval.

    \b
    embed index
    embed index --kind hnsw --recall 0.95
    embed index --store s3://shop/vectors.lance
    embed index --store postgresql://db.example/shop
    """
    from embed import api

    known = api.Features(common.open_features(cache, features))
    with StageDisplay() as progress:
        figures = known.index(kind, recall, store=store, progress=progress)
    if as_json:
        common.print_json(figures)
    else:
        common.print_table(tuple(figures), [tuple(figures.values())], form=common.output(as_json, as_csv))


def _ask(server: str, images: list[Any], asked: dict[str, Any]) -> "list[Neighbours]":
    """Return what a server answers about each photograph."""
    from embed import api
    from embed.serve import Client

    client = Client(server, os.environ.get("EMBED_TOKEN"))
    return [client.similar(Path(photograph), asked) for photograph in api.expand(images)]


def print_paths(files: Iterable[Path | str], *, zero: bool) -> None:
    """Print files for other programs: the very bytes of their names."""
    sys.stdout.flush()
    for file in files:
        sys.stdout.buffer.write(os.fsencode(file) + (b"\0" if zero else b"\n"))
    sys.stdout.buffer.flush()


def check_page(html: Path | None, show: bool) -> None:
    """Refuse to show a page that is not asked for. Raises UsageError."""
    if show and html is None:
        raise UsageError("--open shows the page that --html FILE writes; name the file.")


def publish(html: Path, page: Callable[["Progress"], str], *, show: bool) -> None:
    """Make a page, write it, say where, and show it where that is asked for."""
    from embed import report

    with StageDisplay() as progress:
        content = page(progress)
    report.write(html, content)
    common.say(f"Wrote {html}")
    if show:
        report.show(html)
