"""``embed outliers``, ``mislabelled``, ``matrix`` and ``map``: what a data set is like."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embed.cli import common
from embed.cli.app import app
from embed.cli.progress import StageDisplay
from embed.cli.search import HtmlOption, check_page, publish

if TYPE_CHECKING:
    pass

SHOWN = 200  # photographs on a page, unless told otherwise

LimitOption = Annotated[int, typer.Option("--limit", "-n", help="Photographs to name.", min=1)]
GroupOption = Annotated[
    str | None,
    typer.Option(
        "--group",
        help="A column of the table, 'regex:PATTERN', day, burst or similar: photographs with one value do not judge one another.",
        show_default=False,
    ),
]


@app.command()
def outliers(
    limit: LimitOption = 50,
    labels: common.LabelsOption = "folder",
    where: common.WhereOption = None,
    splits: common.SplitsOption = None,
    html: HtmlOption = None,
    show: common.OpenOption = False,
    features: common.FeaturesOption = None,
    cache: common.CacheOption = common.DEFAULT_CACHE,
    as_json: common.JsonOption = False,
    as_csv: common.CsvOption = False,
) -> None:
    """Name the photographs that are furthest from all others.

    The similarity is the mean over the ten nearest others.

    \b
    embed outliers
    embed outliers -n 200 --html outliers.html --open
    """
    from embed import api

    check_page(html, show)
    known = common.open_labelled(cache, features, labels, splits, where)
    with StageDisplay() as progress:
        found = api.outliers(known.cache, label_rule=known.rule, progress=progress, notice=progress.notice)[
            :limit
        ]
    rows = [(one.path, one.similarity, one.label) for one in found]
    common.print_table(("path", "similarity", "label"), rows, form=common.output(as_json, as_csv))
    if html is not None:
        from embed import report

        publish(html, lambda progress: report.outliers_page(known.root, found, limit, progress), show=show)


@app.command()
def mislabelled(
    limit: LimitOption = SHOWN,
    labels: common.LabelsOption = "folder",
    where: common.WhereOption = None,
    splits: common.SplitsOption = None,
    group: GroupOption = None,
    html: HtmlOption = None,
    show: common.OpenOption = False,
    features: common.FeaturesOption = None,
    cache: common.CacheOption = common.DEFAULT_CACHE,
    as_json: common.JsonOption = False,
    as_csv: common.CsvOption = False,
) -> None:
    """Name the photographs whose label the others contradict.

    The most doubtful first. Each is classified by classifiers fitted on the others. How many labels are probably wrong
    is estimated, and the first ones, as many as that, are marked.

    \b
    embed mislabelled
    embed mislabelled --group 'regex:([^/]+)_\\d+\\.jpg$'
    embed mislabelled --labels csv:labels.csv --html doubts.html --open
    """
    from embed import api

    check_page(html, show)
    known = common.open_labelled(cache, features, labels, splits, where)
    with StageDisplay() as progress:
        found = api.mislabelled(known.cache, label_rule=known.rule, group=group, progress=progress)
    form = common.output(as_json, as_csv)
    rows = [
        (
            one.path,
            one.label,
            one.suggested,
            one.probability,
            one.suggested_probability,
            one.doubt,
            one.probably_wrong if form is common.Output.JSON else "yes" if one.probably_wrong else "no",
        )
        for one in found[:limit]
    ]
    columns = (
        "path",
        "label",
        "suggested",
        "probability",
        "suggested_probability",
        "doubt",
        "probably_wrong",
    )
    common.print_table(columns, rows, form=form)
    common.say(found.in_words)
    if len(found) > limit:
        common.say(
            f"{limit:,} of {len(found):,} doubtful labels are named, the most doubtful first; --limit {len(found)} names all."
        )
    if html is not None:
        from embed import report

        publish(
            html, lambda progress: report.label_issues_page(known.root, found, limit, progress), show=show
        )


@app.command()
def matrix(
    out: Annotated[Path, typer.Option(help="Picture to write, .png, .svg or .pdf.")] = Path("matrix.png"),
    per_class: Annotated[int, typer.Option(help="Photographs of each class.")] = 4,
    seed: common.SeedOption = 0,
    labels: common.LabelsOption = "folder",
    where: common.WhereOption = None,
    splits: common.SplitsOption = None,
    features: common.FeaturesOption = None,
    cache: common.CacheOption = common.DEFAULT_CACHE,
) -> None:
    """Draw how similar a few photographs of each class are.

    Of more than 30 classes their means are compared.

    \b
    embed matrix
    embed matrix --per-class 6 --out similarity.svg
    """
    from embed import api, report

    form = report.format_of(out)
    known = common.open_labelled(cache, features, labels, splits, where)
    with StageDisplay() as progress:
        found = api.similarity_matrix(
            known.cache, per_class=per_class, seed=seed, label_rule=known.rule, progress=progress
        )
        report.write(out, report.matrix_picture(known.root, found, form, progress))
    print(out)


@app.command("map")
def map_features(
    out: Annotated[
        list[Path] | None,
        typer.Option(
            help="Picture to write (.png, .svg, .pdf), or where the photographs lie (.csv, .parquet); repeatable; by default map.png.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", help="Photographs at most, drawn at random.", min=1)
    ] = 100_000,
    seed: common.SeedOption = 0,
    labels: common.LabelsOption = "folder",
    where: common.WhereOption = None,
    splits: common.SplitsOption = None,
    html: HtmlOption = None,
    show: common.OpenOption = False,
    features: common.FeaturesOption = None,
    cache: common.CacheOption = common.DEFAULT_CACHE,
) -> None:
    """Draw a map of the photographs, coloured by label.

    What is alike lies close together, by t-SNE. The page of --html shows the photograph that one points at, shows all where one
    looks closer, and opens one at a click. Of more than a few thousand photographs some are placed so, and the others beside
    those that they are most like; with `pip install 'embed-images[map]'` all are.

    \b
    embed map
    embed map --html map.html --open
    embed map --out map.svg --out places.csv
    """
    from embed import api, report

    check_page(html, show)
    wanted = [(file, report.format_of(file, report.MAP_FORMATS)) for file in out or [Path("map.png")]]
    known = common.open_labelled(cache, features, labels, splits, where)
    with StageDisplay() as progress:
        placed = api.layout(known.cache, limit=limit, seed=seed, label_rule=known.rule, progress=progress)
        for file, form in wanted:
            report.write(file, report.map_file(placed, form))
            print(file)
    if placed.left_out:
        common.say(f"{placed.left_out:,} more photographs are not on the map; --limit says how many are.")
    if html is not None:
        publish(html, lambda progress: report.map_page(known.root, placed, progress), show=show)
