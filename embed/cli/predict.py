"""``embed predict``."""

from pathlib import Path
from typing import Annotated

import typer

from embed.cli import common
from embed.cli.app import app

EXIT_ERROR = 1
EXIT_SOME_FAILED = 3


@app.command()
def predict(
    images: Annotated[
        list[Path], typer.Argument(help="Photographs, or folders of them.", show_default=False)
    ],
    model: Annotated[
        str | None,
        typer.Option(help="Name of the model; by default the one fitted last.", show_default=False),
    ] = None,
    views: Annotated[
        bool, typer.Option("--views", help="Average over all views that were extracted with.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or gpu.")] = "auto",
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 when any file failed.")] = False,
    features: common.FeaturesOption = None,
    cache: common.CacheOption = common.DEFAULT_CACHE,
    as_json: common.JsonOption = False,
    as_csv: common.CsvOption = False,
) -> int:
    """Say the class and its probability for each photograph.

    A photograph that cannot be read is named on stderr and the others go on; the exit code is 1 where none could.

    \b
    embed predict photo.jpg
    embed predict new/ --model svm --json
    """
    from embed.extract import RunOptions
    from embed.fitting import load, predict_files

    feature_set = common.open_features(cache, features)
    fitted = load(feature_set, model)
    answers = []
    failed = 0
    for answer in predict_files(images, feature_set, fitted, RunOptions(device=device), views=views):
        if answer.problem is None:
            answers.append(answer)
        else:
            failed += 1
            common.say(f"embed: {common.printable(str(answer.file))}: {answer.problem}")
    if as_json:
        common.print_json(
            [
                {
                    "path": str(answer.file),
                    "label": answer.label,
                    "probability": answer.probability,
                    "probabilities": dict(zip(fitted.classes, answer.probabilities, strict=True)),
                }
                for answer in answers
            ]
        )
    elif answers:
        common.print_table(
            ["path", "label", "probability"],
            [[str(answer.file), answer.label, answer.probability] for answer in answers],
            form=common.output(as_json, as_csv),
        )
    if not answers:
        if not failed:
            common.say("embed: no photograph was found; name photographs or folders of them")
        return EXIT_ERROR
    return EXIT_SOME_FAILED if failed and strict else 0
