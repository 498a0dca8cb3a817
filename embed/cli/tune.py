"""``embed tune``."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embed.cli import common
from embed.cli.app import app
from embed.cli.fit import GROUP_HELP
from embed.cli.progress import ExtractionDisplay, StageDisplay, TrainingDisplay
from embed.errors import UsageError

if TYPE_CHECKING:
    from embed.backbones import Cut
    from embed.extract import Progress
    from embed.tune import Step, Tuned


@app.command()
def tune(
    data: Annotated[
        Path | None, typer.Argument(help="Folder of photographs with labels.", show_default=False)
    ] = None,
    list_cuts: Annotated[
        bool, typer.Option("--list-cuts", help="List where the network can be cut; DATA is not needed.")
    ] = False,
    cut: Annotated[
        str | None,
        typer.Option(
            help="Layer above which is trained; by default one with about a quarter of the work above it.",
            show_default=False,
        ),
    ] = None,
    backbone: Annotated[str, typer.Option(help="Network; `embed backbones` lists them.")] = "mobilenetv2",
    weights: Annotated[
        Path | None, typer.Option(help="Keras weights file to begin with instead of ImageNet's.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(help="Side of the input in pixels; by default the backbone's.")
    ] = None,
    fit: Annotated[
        str, typer.Option(help="stretch, crop or pad: how a photograph becomes square.")
    ] = "stretch",
    views: Annotated[
        int,
        typer.Option(
            help="Views of each photograph, of which each epoch takes one: the plain one and N - 1 augmented."
        ),
    ] = 1,
    epochs: Annotated[int, typer.Option(help="Passes over the photographs, at most.")] = 12,
    patience: Annotated[
        int,
        typer.Option(help="Passes without a lower loss on held-out photographs after which it stops."),
    ] = 5,
    learning_rate: Annotated[float, typer.Option("--learning-rate", help="The highest of Adam.")] = 3e-4,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Photographs in a step.")] = 32,
    labels: common.LabelsOption = "folder",
    where: common.WhereOption = None,
    splits: common.SplitsOption = None,
    group: Annotated[str | None, typer.Option(help=GROUP_HELP, show_default=False)] = None,
    seed: common.SeedOption = 0,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep", help="Keep the outputs of the layer: the next training on them begins at once."
        ),
    ] = False,
    device: common.DeviceOption = "auto",
    cache: common.CacheOption = common.DEFAULT_CACHE,
    as_json: common.JsonOption = False,
    as_csv: common.CsvOption = False,
    quiet: common.QuietOption = False,
) -> None:
    """Train the upper layers of a network on your photographs.

    Everything below the cut stays as it is, so its outputs are computed once and kept until the training is done. What comes out is a
    file of weights for `embed extract --weights`, and how heads on the frozen and on the tuned features did on the same
    held-out photographs. Interrupt it at any moment: the same command goes on.

    \b
    embed tune photos/
    embed tune photos/ --cut block_12_add --views 4
    embed tune --list-cuts --backbone resnet50
    """
    from embed import api

    if list_cuts:
        if data is not None:
            raise UsageError("is about the network alone; leave the folder away", "list_cuts")
        _print_cuts(api.list_cuts(backbone, size), common.output(as_json, as_csv))
        return
    if data is None:
        raise UsageError("name a folder of photographs, or list the cuts of a network: --list-cuts")
    if as_csv:
        raise UsageError("is for --list-cuts", "as_csv")
    with (
        StageDisplay(quiet=quiet) as stages,
        ExtractionDisplay(quiet=quiet) as extraction,
        TrainingDisplay(quiet=quiet) as training,
    ):
        # A terminal shows one at a time.
        def extracting(progress: "Progress") -> None:
            training.clear()
            extraction.update(progress)

        def trained(step: "Step") -> None:
            extraction.clear()
            training.update(step)

        def staged(what: str, done: int, total: int) -> None:
            extraction.clear()
            training.clear()
            stages(what, done, total)

        tuned = api.tune_backbone(
            data,
            cache,
            backbone=backbone,
            cut=cut,
            weights=weights,
            size=size,
            fit=fit,
            views=views,
            epochs=epochs,
            patience=patience,
            learning_rate=learning_rate,
            batch_size=batch_size,
            labels=labels,
            splits=splits,
            where=where,
            group=group,
            random_state=seed,
            device=device,
            keep=keep,
            progress=extracting,
            training=trained,
            stage=staged,
            notice=None if quiet else stages.notice,
        )
    if as_json:
        common.print_json(tuned.to_json())
    elif quiet:
        print(tuned.weights)
    else:
        for line in _lines(tuned):
            print(common.printable(line))
    for note in tuned.notes:
        common.say(f"Note: {note}.")


def _print_cuts(cuts: "list[Cut]", form: common.Output) -> None:
    if form is common.Output.JSON:
        common.print_json([{**asdict(cut), "kilobytes": cut.kilobytes} for cut in cuts])
        return
    rows = [
        [cut.layer, " × ".join(map(str, cut.shape)), round(cut.kilobytes, 1), round(cut.work_above, 3)]
        for cut in cuts
    ]
    common.print_table(["layer", "output", "kilobytes", "work_above"], rows, form=form)


def _lines(tuned: "Tuned") -> Iterator[str]:
    gain = tuned.gain
    shape = " × ".join(map(str, tuned.cut.shape))
    yield f"cut        {tuned.cut.layer} ({shape}), {tuned.cut.work_above:.0%} of the work above it"
    yield (
        f"trained    on {common.counted(tuned.photographs, 'photograph')}, {tuned.held_out} held out to stop by:"
        f" {common.counted(len(tuned.learning_curve), 'epoch')}, the best is {tuned.best_epoch}"
    )
    for name, score in (("frozen", gain.frozen), ("tuned ", gain.tuned)):
        yield (
            f"{name}     {score.accuracy:.4f}  (95 % interval {score.low:.4f} to {score.high:.4f};"
            f" {common.counted(gain.n, 'photograph')}, {gain.evaluated_on})"
        )
    yield f"baseline   {gain.baseline:.4f}  (always the most frequent class)"
    shown = "" if gain.shown else ", no gain shown"
    yield (
        f"difference {gain.difference:+.4f}  (95 % interval {gain.low:+.4f} to {gain.high:+.4f}{shown};"
        f" {gain.won} won, {gain.lost} lost)"
    )
    yield f"weights    {tuned.weights}"
    yield f"features   {tuned.features}  ({tuned.seconds:.0f} s)"
