"""``embed predict``."""

from typing import Annotated

import typer

from embed.cli import common, exits
from embed.cli.app import app
from embed.cli.fit import TrustOption


@app.command()
def predict(
    images: common.ImagesArgument,
    model: common.ModelOption = None,
    views: Annotated[
        bool, typer.Option("--views", help="Average over all views that were extracted with.")
    ] = False,
    trust: TrustOption = None,
    device: common.DeviceOption = "auto",
    strict: common.StrictOption = False,
    features: common.FeaturesOption = None,
    cache: common.CacheOption = common.DEFAULT_CACHE,
    as_json: common.JsonOption = False,
    as_csv: common.CsvOption = False,
) -> int:
    """Predict the class and its probability for each photograph.

    A photograph that cannot be read is named on stderr and the others go on; the exit code is 1 where none could.

    \b
    embed predict photo.jpg
    embed predict new/ --model svm --json
    """
    from embed.extract import RunOptions
    from embed.learn import load, predict_files

    feature_set = common.open_features(cache, features)
    fitted = load(feature_set, model, trust=tuple(trust or ()), notify=common.say)
    answers = []
    failed = 0
    for answer in predict_files(images, feature_set, fitted, RunOptions(device=device), views=views):
        if answer.problem is None:
            answers.append(answer)
        else:
            failed += 1
            common.say_failed(answer.file, answer.problem)
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
    return exits.of_photographs(done=len(answers), failed=failed, strict=strict)
