"""``embed import``: vectors that another program computed."""

from pathlib import Path
from typing import Annotated

import typer

from embed.cli import common
from embed.cli.app import app
from embed.cli.progress import StageDisplay


@app.command("import")
def import_features(
    vectors: Annotated[
        Path, typer.Argument(help="Vectors: .npy, or a table (.parquet, .csv, .tsv).", show_default=False)
    ],
    data: Annotated[Path, typer.Option("--data", help="Folder of the photographs.", show_default=False)],
    paths: Annotated[
        Path | None,
        typer.Option(
            help="The photograph of each row: a list, one on a line, a JSON list, or a table. By default a column of the table "
            "of vectors.",
            show_default=False,
        ),
    ] = None,
    missing: Annotated[
        str,
        typer.Option(help="refuse, skip or keep: what becomes of vectors whose photograph is not in --data."),
    ] = "refuse",
    path_column: Annotated[
        str | None,
        typer.Option("--path-column", help="Column that names the photographs.", show_default=False),
    ] = None,
    vector_column: Annotated[
        str | None, typer.Option("--vector-column", help="Column that holds the vectors.", show_default=False)
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--as", help="Name of the feature set; by default the folder's.", show_default=False),
    ] = None,
    cache: common.CacheOption = common.DEFAULT_CACHE,
    as_json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Make vectors that another program computed a feature set.

    To fit, search, judge and compare like any other. Rows, names and numbers are checked before anything is written; the
    same vectors again change nothing. Nothing here can compute the vector of a further photograph.

    \b
    embed import clip.npy --paths paths.txt --data photos/
    embed import table.parquet --data photos/ --vector-column embedding
    """
    from embed import api

    with StageDisplay(quiet=quiet) as display:
        done = api.import_features(
            vectors,
            data,
            cache,
            paths=paths,
            missing=missing,
            path_column=path_column,
            vector_column=vector_column,
            name=name,
            progress=display,
        )
    if as_json:
        common.print_json(done.to_json())
    if quiet:
        return
    if not as_json:
        parts = [
            f"{done.features}: {common.counted(done.rows, 'photograph')}, {done.dimension} features each"
        ]
        parts += [
            f"{n} {what}"
            for n, what in (
                (done.imported, "imported"),
                (done.unchanged, "unchanged"),
                (done.removed, "removed"),
            )
            if n
        ]
        print(f"{', '.join(parts)} in {done.seconds:.1f} s")
        common.say(f"Matched by {done.matched}.")
    if done.missing:
        common.say(
            f"{common.counted(done.missing, 'vector')} of photographs that are not there:"
            f" {'left out' if missing == 'skip' else 'kept, without a photograph'}."
        )
    if done.without:
        common.say(f"{common.counted(done.without, 'photograph')} in the folder without a vector.")
