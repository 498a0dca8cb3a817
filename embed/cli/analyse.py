"""``embed outliers``, ``mislabelled``, ``matrix`` and ``map``: what a data set is like."""

from pathlib import Path
from typing import Annotated

import typer

from embed.cli import common
from embed.cli.app import app
from embed.cli.progress import StageDisplay
from embed.cli.search import HtmlOption, check_page, publish

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
    check_page(html, show)
    known = common.open_labelled(cache, features, labels, splits, where)
    with StageDisplay() as progress:
        found = known.outliers(progress=progress, notice=progress.notice)[:limit]
    rows = [(one.path, one.similarity, one.label) for one in found]
    common.print_table(("path", "similarity", "label"), rows, form=common.output(as_json, as_csv))
    if html is not None:
        from embed import report

        publish(html, report.outliers_page(known.root, found, limit), show=show)


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
    check_page(html, show)
    known = common.open_labelled(cache, features, labels, splits, where)
    with StageDisplay() as progress:
        found = known.mislabelled(group=group, progress=progress)
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
    common.say(
        f"About {found.wrong:,} of {common.counted(found.judged, 'label')} {'is' if found.wrong == 1 else 'are'}"
        " probably wrong."
    )
    if len(found) > limit:
        common.say(f"{limit:,} of {len(found):,} doubtful ones are named; --limit {len(found)} names all.")
    if html is not None:
        from embed import report

        publish(html, report.label_issues_page(known.root, found, limit), show=show)


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

    \b
    embed matrix
    embed matrix --per-class 6 --out similarity.png
    """
    from embed import report

    form = report.format_of(out)
    known = common.open_labelled(cache, features, labels, splits, where)
    found = known.matrix(per_class=per_class, random_state=seed)
    report.write(out, report.matrix_picture(known.root, found, form))
    print(out)


@app.command("map")
def map_features(
    out: Annotated[Path, typer.Option(help="Picture to write, .png, .svg or .pdf.")] = Path("map.png"),
    limit: Annotated[
        int, typer.Option("--limit", "-n", help="Photographs at most, drawn at random.", min=1)
    ] = 3000,
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

    What is alike lies close together. The page of --html shows the photograph that one points at.

    \b
    embed map
    embed map --html map.html --open
    """
    from embed import report

    check_page(html, show)
    form = report.format_of(out)
    known = common.open_labelled(cache, features, labels, splits, where)
    placed = known.layout(limit=limit, random_state=seed)
    report.write(out, report.map_picture(placed, form))
    print(out)
    if html is not None:
        publish(html, report.map_page(known.root, placed), show=show)
