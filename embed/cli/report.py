"""``embed report`` and ``embed explain``."""

from pathlib import Path
from typing import Annotated

import typer

from embed.cli import common, exits
from embed.cli.app import app
from embed.cli.progress import StageDisplay


@app.command()
def report(
    model: common.ModelOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="HTML file; by default report.html in the feature set.", show_default=False),
    ] = None,
    labels: Annotated[
        str,
        typer.Option(
            help="Where labels come from while no model has been fitted: folder, hand, source, 'regex:PATTERN' or csv:FILE."
        ),
    ] = "folder",
    splits: common.SplitsOption = None,
    maps: Annotated[
        bool, typer.Option("--maps/--no-maps", help="Class-activation maps over the top losses.")
    ] = True,
    show: common.OpenOption = False,
    features: common.FeaturesOption = None,
    cache: common.CacheOption = common.DEFAULT_CACHE,
    as_json: common.JsonOption = False,
) -> None:
    """Write a report on the fitted model as one HTML file.

    Numbers, curves, and the photographs behind them. The file needs no network and opens anywhere; thumbnails are
    inside it.

    \b
    embed report --open
    embed report --model svm --out svm.html
    """
    from embed import api
    from embed import report as pages

    feature_set = common.open_features(cache, features)
    explained = pages.TOP_LOSSES if maps else 0
    rule = api.with_splits(labels, splits)
    file = out or feature_set.folder / "report.html"
    with StageDisplay() as progress:
        review = api.review(
            feature_set, model, labels=rule, explained=explained, notify=progress.notice, progress=progress
        )
        page = pages.report_page(review, progress)
    pages.write(file, page)
    scores = review.scores
    if scores is not None and scores.changed:
        common.say(scores.changed)
    if scores is not None and scores.no_maps:
        common.say(f"No class-activation maps: {scores.no_maps}")
    if as_json:
        name = scores.model if scores is not None else None
        common.print_json({"report": str(file), "features": feature_set.name, "model": name})
    else:
        print(file)
    if show:
        pages.show(file)


@app.command()
def explain(
    images: common.ImagesArgument,
    label: Annotated[
        str | None,
        typer.Option("--class", help="Class to explain; by default the predicted one.", show_default=False),
    ] = None,
    model: common.ModelOption = None,
    out: Annotated[
        Path, typer.Option(help="Folder for the pictures; or a .png, .jpg or .webp file, for one photograph.")
    ] = Path(),
    weights: Annotated[
        Path | None,
        typer.Option(help="Weights file of the backbone, if it is your own.", show_default=False),
    ] = None,
    device: common.DeviceOption = "auto",
    strict: common.StrictOption = False,
    features: common.FeaturesOption = None,
    cache: common.CacheOption = common.DEFAULT_CACHE,
    as_json: common.JsonOption = False,
) -> int:
    """Show which parts of a photograph speak for a class.

    And which against it, as a picture. Exact for linear heads (logistic, linear-svm), whose score is a sum over the
    parts; Grad-CAM for others. A photograph that cannot be read is named on stderr and the others go on; the exit
    code is 1 where none could.

    \b
    embed explain photo.jpg
    embed explain photo.jpg --class bees --out why.png
    """
    from embed import api
    from embed.report import write_pictures

    feature_set = common.open_features(cache, features)
    fitted = api.load(feature_set, model, notify=common.say)
    done, failed = [], 0
    with StageDisplay() as progress:
        progress("making class-activation maps", 0, 0)
        explainer = api.Explainer(
            feature_set, fitted.head, api.RunOptions(device=device), weights, progress.notice
        )
        explained = explainer.explain((file, [label]) for file in api.expand(images))
        drawn = write_pictures(explained, out, feature_set.recipe.fit, fitted.document["classifier"])
        for one, picture in drawn:
            if picture is None:
                failed += 1
                progress.notice(common.failure(one.file, one.problem or ""))
                continue
            done.append((one, picture))
            progress("drawing", len(done) + failed, 0)
            if not one.maps[0].cells.any():
                progress.notice(
                    f"No part of {common.printable(str(one.file))} changes the score of {one.maps[0].label}."
                )
    if as_json:
        common.print_json(
            [{"path": str(one.file), **one.maps[0].to_json(), "picture": str(file)} for one, file in done]
        )
    elif done:
        rows = [
            (one.file, one.maps[0].label, one.maps[0].probability, one.maps[0].method, file)
            for one, file in done
        ]
        common.print_table(("path", "class", "probability", "method", "picture"), rows)
    return exits.of_photographs(done=len(done), failed=failed, strict=strict)
