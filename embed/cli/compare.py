"""``embed compare``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embed.cli import common
from embed.cli.app import app
from embed.cli.fit import CV_HELP, GROUP_HELP, LabelsOption, parse_cv
from embed.cli.progress import ExtractionDisplay, StageDisplay
from embed.errors import UsageError

if TYPE_CHECKING:
    from embed.learn import FitOptions, NetworksCompared

SAMPLE = 2000  # photographs that networks are compared on


@app.command()
def compare(
    data: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of photographs, to compare networks on a sample of them.", show_default=False
        ),
    ] = None,
    names: Annotated[
        str | None,
        typer.Option(
            "--backbones", help="With DATA: networks, as mobilenetv2,resnet50,model.onnx.", show_default=False
        ),
    ] = None,
    recipes: Annotated[
        str | None,
        typer.Option(
            help="With DATA: recipes, as plain,288+grid+mirror; each is tried with each network.",
            show_default=False,
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            "--sample", help="With DATA: photographs, at most; by default 2000.", show_default=False, min=2
        ),
    ] = None,
    preprocess: Annotated[
        str | None,
        typer.Option(help="With DATA: for networks in files, as of embed extract.", show_default=False),
    ] = None,
    device: common.DeviceOption = "auto",
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
    """Compare classifiers, or networks on a sample of photographs.

    Without DATA: all classifiers, unless some are named, on all feature sets of the same photographs. With DATA: every network
    with every recipe; a sample is computed (and taken over by a later extract), and the accuracy stands beside the speed and the
    size, with the difference to the best and its 95 % interval; the cheapest that is not shown to be worse is named.
    By cross-validation. Photographs in a test folder, or in a validation folder where there is no other, take no part:
    they stay for the one that you choose.

    \b
    embed compare
    embed compare --clf logistic --clf svm --cv 10
    embed compare --learning-curve --clf logistic
    embed compare photos/ --backbones mobilenetv2,resnet50 --recipes plain,288+grid+mirror --sample 1000
    """
    from embed import api

    form = common.output(as_json, as_csv)
    for name in clf or ():
        api.check_classifier(name, {})
    cross_validation = parse_cv(cv)
    if data is not None:
        for given, parameter in ((learning_curve, "learning_curve"), (features, "features")):
            if given:
                raise UsageError("is about features that are there; it cannot be used with DATA", parameter)
        if len(clf or ()) > 1:
            raise UsageError("is given several times; networks are compared by one classifier", "clf")
        options = api.FitOptions(
            classifier=(clf or ["logistic"])[0],
            labels=api.with_where(api.with_splits(labels, splits), where),
            cv=cross_validation,
            group=group,
            balanced=balanced,
            seed=seed,
        )
        _networks(data, cache, names, recipes, size, options, preprocess, device, form, quiet=quiet)
        return
    for value, parameter in (
        (names, "names"),
        (recipes, "recipes"),
        (size, "size"),
        (preprocess, "preprocess"),
    ):
        if value is not None:
            raise UsageError("is about networks: name the folder of the photographs as well", parameter)
    known = common.open_labelled(cache, features, labels, splits, where, judging=True)
    table = []
    with StageDisplay(quiet=quiet) as progress:
        if learning_curve:
            rows = known.learning_curve(
                clf or ["logistic"],
                group=group,
                balanced=balanced,
                random_state=seed,
                progress=progress,
            )
        else:
            rows = known.compare(
                clf,
                alone=features is not None,
                cv=cross_validation,
                group=group,
                balanced=balanced,
                random_state=seed,
                progress=progress,
            )
        for row in rows:
            if not quiet:
                of = f" on {row.per_class or 'all'} of each class" if learning_curve else ""
                progress.notice(f"{row.features} {row.classifier}{of}: {row.accuracy:.4f}")
            table.append(row.row())
    left_out = max((row["not_scored"] for row in table), default=0)
    if left_out:
        common.say(
            f"{common.counted(left_out, 'photograph')} not scored: the network of one of the feature sets was tuned on them."
        )
    if not learning_curve:
        table.sort(key=lambda row: -row["accuracy"])
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
        columns,
        [["all" if row[c] is None else row[c] for c in columns] for row in table],
        form=form,
        heading=("features", "classifier", "n", "baseline"),
    )


def _networks(
    data: Path,
    cache: Path,
    names: str | None,
    recipes: str | None,
    size: int | None,
    options: "FitOptions",
    preprocess: str | None,
    device: str,
    form: common.Output,
    *,
    quiet: bool,
) -> None:
    from embed import learn
    from embed.backbones import DEFAULT
    from embed.extract import RunOptions

    with StageDisplay(quiet=quiet) as stages, ExtractionDisplay(quiet=quiet) as display:
        compared = learn.compare_networks(
            data,
            cache,
            _listed(names, DEFAULT, "names"),
            _listed(recipes, "plain", "recipes"),
            size or SAMPLE,
            options,
            preprocess=preprocess,
            run=RunOptions(device=device),
            tell=stages,
            progress=display.update,
        )
    if form is common.Output.JSON:
        common.print_json(compared.to_json())
    else:
        _print_networks(compared, form)
    if quiet:
        return
    for name, recipe, reason in compared.impossible:
        common.say(common.printable(f"Left out: {name} with {recipe}: {reason}."))
    common.say(
        f"{common.counted(compared.photographs, 'photograph')} of {compared.of}, seed {compared.seed}."
    )
    cheapest, best = compared.cheapest, compared.candidates[0]
    why = (
        "the best"
        if cheapest is best
        else f"not shown to be worse than {best.backbone} {best.recipe}, and the cheapest"
    )
    common.say(
        common.printable(
            f"{cheapest.backbone} {cheapest.recipe} is {why}: {learn.command(cheapest, data, preprocess)}"
        )
    )


def _print_networks(compared: "NetworksCompared", form: common.Output) -> None:
    columns = {
        "backbone": "backbone",
        "recipe": "recipe",
        "n": "n",
        "accuracy": "accuracy",
        "difference": "difference",
        "low": "difference_low",
        "high": "difference_high",
        "photographs_per_second": "photographs_per_second",
        "bytes": "bytes",
    }
    rows = [[getattr(one, field) for field in columns.values()] for one in compared.candidates]
    common.print_table(list(columns), rows, form=form, heading=("n",))


def _listed(given: str | None, default: str, parameter: str) -> list[str]:
    words = [word.strip() for word in (default if given is None else given).split(",")]
    if not all(words):
        raise UsageError(f"{given!r} has an empty place", parameter)
    return words
