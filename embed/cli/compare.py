"""``embed compare``."""

from typing import Annotated

import typer

from embed.cli import common
from embed.cli.app import app
from embed.cli.fit import CV_HELP, GROUP_HELP, LabelsOption, parse_cv


@app.command()
def compare(
    clf: Annotated[
        list[str] | None, typer.Option(help="A classifier, repeatable; by default all.", show_default=False)
    ] = None,
    learning_curve: Annotated[
        bool, typer.Option("--learning-curve", help="Accuracy against the photographs of each class.")
    ] = False,
    cv: Annotated[str, typer.Option(help=CV_HELP)] = "5",
    labels: LabelsOption = "folder",
    where: common.WhereOption = None,
    splits: common.SplitsOption = None,
    group: Annotated[str | None, typer.Option(help=GROUP_HELP, show_default=False)] = None,
    balanced: Annotated[bool, typer.Option("--balanced", help="Let every class count the same.")] = False,
    seed: common.SeedOption = 0,
    features: common.FeaturesOption = None,
    cache: common.CacheOption = common.DEFAULT_CACHE,
    as_json: common.JsonOption = False,
    as_csv: common.CsvOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Compare classifiers and feature sets by cross-validation.

    All classifiers, on all feature sets of the same photographs, unless some are named. Photographs in a test folder,
    or in a validation folder where there is no other, take no part: they stay for the one that you choose.

    \b
    embed compare
    embed compare --clf logistic --clf svm --cv 10
    embed compare --learning-curve --clf logistic
    """
    known = common.open_labelled(cache, features, labels, splits, where, judging=True)
    if learning_curve:
        rows = known.learning_curve(clf or ["logistic"], group=group, balanced=balanced, random_state=seed)
    else:
        rows = known.compare(
            clf,
            alone=features is not None,
            cv=parse_cv(cv),
            group=group,
            balanced=balanced,
            random_state=seed,
        )
    table = []
    for row in rows:
        if not quiet:
            of = f" on {row.per_class or 'all'} of each class" if learning_curve else ""
            common.say(f"{row.features} {row.classifier}{of}: {row.accuracy:.4f}")
        table.append(row.row())
    if not learning_curve:
        table.sort(key=lambda row: -row["accuracy"])
    form = common.output(as_json, as_csv)
    if form is common.Output.JSON:
        common.print_json(table)
        return
    columns = [
        "features",
        "classifier",
        "per_class",
        "n",
        "accuracy",
        "low",
        "high",
        "baseline",
        "log_loss",
        "seconds",
    ]
    if not learning_curve:
        columns.remove("per_class")
    common.print_table(
        columns, [["all" if row[c] is None else row[c] for c in columns] for row in table], form=form
    )
