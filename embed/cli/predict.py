"""``embed predict``."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embed.cli import common, exits
from embed.cli.app import app
from embed.cli.fit import TrustOption
from embed.cli.progress import StageDisplay
from embed.errors import UsageError

if TYPE_CHECKING:
    from embed.api import Model, Placed, Prediction


@app.command()
def predict(
    images: common.ImagesArgument,
    model: common.ModelOption = None,
    top: Annotated[int, typer.Option("--top", help="Classes to name, the likeliest first.", min=1)] = 1,
    min_probability: Annotated[
        float,
        typer.Option(
            "--min-probability", help="Name no class that is less probable: unsure.", show_default=False
        ),
    ] = 0.0,
    into: Annotated[
        Path | None,
        typer.Option(
            help="Folder to sort the photographs into, one folder a class; shows what would be done.",
            show_default=False,
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --into: do it.")] = False,
    link: Annotated[bool, typer.Option("--link", help="With --into: link to the photographs.")] = False,
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

    A photograph is told to be unlike everything that the model was trained on where nothing there resembles it: no class
    may be right then. One that cannot be read is named on stderr and the others go on; the exit code is 1 where none
    could. --into copies nothing without --yes and never overwrites; what is unsure or unlike stays where it is.

    \b
    embed predict photo.jpg
    embed predict new/ --top 3 --min-probability 0.8
    embed predict new/ --model svm --json
    embed predict new/ --into sorted --yes
    """
    from embed import api

    if into is None and (yes or link):
        raise UsageError(f"{'--yes' if yes else '--link'} is for --into DIR")
    feature_set = common.open_features(cache, features)
    fitted = api.load(feature_set, model, trust=tuple(trust or ()), notify=common.say)
    common.say(_about(fitted))
    answers: list[Prediction] = []
    failed = 0
    run = api.RunOptions(device=device)
    with StageDisplay() as progress:
        progress("predicting", 0, 0)
        predictions = api.predict_files(
            images,
            feature_set,
            fitted,
            run,
            views=views,
            min_probability=min_probability,
            notify=progress.notice,
        )
        for answer in predictions:
            if answer.problem is None:
                answers.append(answer)
            else:
                failed += 1
                progress.notice(common.failure(answer.file, answer.problem))
            progress("predicting", len(answers) + failed, 0)
    placed: Sequence[Placed | None] = [None] * len(answers)
    if into is not None:
        placed = api.place(answers, fitted.classes, into, link=link, data=feature_set.root, given=images)
    rows = [
        _row(answer, fitted, top, one, into, whole=as_json)
        for answer, one in zip(answers, placed, strict=True)
    ]
    if as_json:
        common.print_json(rows)
    elif rows:
        common.print_table(
            list(rows[0]), [list(row.values()) for row in rows], form=common.output(False, as_csv)
        )
    _tell(answers, fitted, min_probability)
    if into is not None:
        _sort(placed, into, link=link, yes=yes)
    return exits.of_photographs(done=len(answers), failed=failed, strict=strict)


def _about(model: "Model") -> str:
    """Return a sentence that names a model."""
    document = model.document
    accuracy = document["metrics"].get("accuracy")
    told = f"Model {model.name}: {common.printable(document['classifier'])}, {len(model.classes)} classes"
    if isinstance(accuracy, float):
        told += f", accuracy {accuracy:.3f} ({common.printable(document['evaluated_on'])})"
    return told


def _row(
    answer: "Prediction", model: "Model", top: int, placed: "Placed | None", into: Path | None, *, whole: bool
) -> dict[str, Any]:
    """Return the columns of a photograph; for a JSON document the whole of them."""
    unlike: Any = answer.unlike if whole or answer.unlike is None else "yes" if answer.unlike else "no"
    row: dict[str, Any] = {
        "path": str(answer.file),
        "label": answer.label,
        "probability": answer.probability,
    }
    if whole:
        row["probabilities"] = dict(zip(model.classes, answer.probabilities, strict=True))
        row["top"] = [{"label": label, "probability": p} for label, p in answer.ranked[:top]]
        row["model"] = model.name
    else:
        for place, (label, probability) in enumerate(answer.ranked[1:top], 2):
            row |= {f"label_{place}": label, f"probability_{place}": probability}
    row |= {"similarity": answer.similarity, "unlike": unlike}
    if into is not None:
        row["to"] = str(placed.to) if placed is not None else None
    return row


def _tell(answers: Sequence["Prediction"], model: "Model", min_probability: float) -> None:
    """Say how many photographs are unsure, and how many unlike all that the model knows."""
    unsure = [one for one in answers if one.unsure]
    unlike = [one for one in answers if one.unlike]
    if unsure:
        common.say(
            f"Unsure of {_some(unsure, len(answers))}: no class has a probability of {min_probability:g} or more."
        )
    if unlike:
        common.say(
            f"Unlike everything that {model.name} was trained on, so that no class may be right:"
            f" {_some(unlike, len(answers))}."
        )
    if model.reference is None:
        common.say(
            f"{model.name} cannot tell whether a photograph is unlike all that it was trained on; embed fit again."
        )


def _some(some: Sequence["Prediction"], n: int) -> str:
    first = common.printable(str(some[0].file))
    return first if n == 1 else f"{len(some)} of {common.counted(n, 'photograph')}, such as {first}"


def _sort(placed: Sequence["Placed | None"], into: Path, *, link: bool, yes: bool) -> None:
    from embed import api

    going = [one for one in placed if one is not None]
    new = [one for one in going if not one.there]
    of_class = Counter(one.to.parent.name for one in new)
    number = len(list(api.carry_out(new, link=link))) if yes else len(new)
    verb = ("linked" if link else "copied") if yes else ("would be linked" if link else "would be copied")
    told = f"{common.counted(number, 'photograph')} {verb} into {common.printable(str(into))}"
    if of_class:
        told += f" ({', '.join(f'{common.printable(name)} {n}' for name, n in sorted(of_class.items()))})"
    if len(going) > len(new):
        told += f"; {len(going) - len(new)} there already"
    if len(placed) > len(going):
        told += f"; {len(placed) - len(going)} left out, unsure or unlike"
    common.say(told + ("." if yes else ". Nothing was done: --yes does it."))
