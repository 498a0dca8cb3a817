"""``embed export model``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embed.cli import common
from embed.cli.app import app

if TYPE_CHECKING:
    from embed.deploy import Deployed


@app.command("export model")
def export_model(
    to: Annotated[
        Path,
        typer.Option(
            "--to",
            help="File: .onnx, .tflite (LiteRT), .xml (OpenVINO) or .keras; without a suffix, a folder: TensorFlow's SavedModel.",
            show_default=False,
        ),
    ],
    model: common.ModelOption = None,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="Compute in whole numbers of eight bits (.onnx, .tflite): about a third of the size, nearly the same answers.",
        ),
    ] = False,
    features: common.FeaturesOption = None,
    cache: common.CacheOption = common.DEFAULT_CACHE,
    as_json: common.JsonOption = False,
) -> None:
    """Write a classifier into one file for elsewhere.

    For an app, a phone or a service: pixels in, probabilities out, by the network, the head and its calibration; classes,
    threshold and recipe stand in the file. Its own runtime runs it over photographs that the model was judged on, and a file that answers otherwise than embed is not
    kept. Needs `pip install 'embed-images[deploy]'`, but for .xml, .keras and a SavedModel.

    \b
    embed export model --to classifier.onnx
    embed export model --model dense --to classifier.tflite --int8
    """
    from embed import api

    known = common.open_features(cache, features)
    done = api.export_model(
        known, to, model, int8=int8, notify=lambda what: common.say(f"{common.printable(what)} …")
    )
    common.say(_told(done))
    if as_json:
        common.print_json({"files": [str(file) for file in done.files], **done.document})
    else:
        for file in done.files:
            print(file)


def _told(done: "Deployed") -> str:
    """Return how a file answered beside embed."""
    parity = done.parity
    return (
        f"By {done.runtime} the same class as by embed for {parity.same_class} of"
        f" {common.counted(parity.photographs, 'photograph')} held out; probabilities differ by"
        f" {parity.largest_difference:.2g} at most. Accuracy on them: {parity.accuracy_of_embed:.3f} by embed,"
        f" {parity.accuracy:.3f} by the file."
    )
