"""``embed extract``."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embed.cli import common, exits
from embed.cli.app import app
from embed.cli.progress import ExtractionDisplay

if TYPE_CHECKING:
    from embed.cache import Moved
    from embed.extract import Summary


@app.command()
def extract(
    data: Annotated[Path, typer.Argument(help="Folder of photographs.", show_default=False)],
    backbone: Annotated[
        str,
        typer.Option(
            help="Network that computes the features; `embed backbones` lists them. Or a file with your own: FILE.onnx."
        ),
    ] = "mobilenetv2",
    preprocess: Annotated[
        str | None,
        typer.Option(
            help="For a network in a file, where it cannot be read off it: imagenet, clip, minus1to1, 0to1, caffe, none, or "
            "mean=M,std=S for pixels 0 to 255."
        ),
    ] = None,
    pooling: Annotated[
        str,
        typer.Option(
            help="avg, max, grid (means of 3 × 3 regions) or flatten: what becomes of the last map; cls: the first token."
        ),
    ] = "avg",
    layer: Annotated[
        str | None,
        typer.Option("--layer", "--output", help="Layer to take; by default the last before the classes."),
    ] = None,
    size: Annotated[
        int | None, typer.Option(help="Side of the input in pixels; by default the backbone's.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Keras weights file to use instead of ImageNet's.")
    ] = None,
    fit: Annotated[
        str, typer.Option(help="stretch, crop or pad: how a photograph becomes square.")
    ] = "stretch",
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Average with the mirror image: better, at twice the time.")
    ] = False,
    views: Annotated[
        int, typer.Option(help="Views of each photograph: the plain one and N - 1 augmented.", min=1)
    ] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the augmented views.")] = 0,
    precision: Annotated[
        str, typer.Option(help="float32, bf16 or fp16: arithmetic of the backbone.")
    ] = "float32",
    dtype: Annotated[str, typer.Option(help="float32 or float16: how features are stored.")] = "float32",
    device: common.DeviceOption = "auto",
    workers: Annotated[int | None, typer.Option(help="Decoding threads.", min=1)] = None,
    batch_size: Annotated[int | None, typer.Option(help="Photographs in one forward pass.", min=1)] = None,
    max_pixels: Annotated[
        int, typer.Option(help="Photographs with more pixels are refused.", min=1)
    ] = 200_000_000,
    rehash: Annotated[
        bool, typer.Option("--rehash", help="Read every file again: recognise changes by content.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try the files that failed before again.")
    ] = False,
    allow_removals: Annotated[
        bool,
        typer.Option(
            "--allow-removals",
            help="Remove the rows of vanished photographs also where they are most of the set.",
        ),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Check every byte of the cache first; recompute the rows of damaged parts."
        ),
    ] = False,
    name: Annotated[
        str | None,
        typer.Option("--as", help="Name of the feature set; by default the folder's.", show_default=False),
    ] = None,
    move: Annotated[
        bool,
        typer.Option("--move", help="The folder has moved: keep the set, and the models, it had before."),
    ] = False,
    strict: common.StrictOption = False,
    cache: common.CacheOption = common.DEFAULT_CACHE,
    as_json: common.JsonOption = False,
    quiet: common.QuietOption = False,
) -> int:
    """Compute the features of every photograph in a folder, once.

    Run it again after photographs were added, changed or removed: only what is new is computed. Interrupt it at any
    moment: what is finished stays.

    \b
    embed extract photos/
    embed extract photos/ --backbone resnet50 --size 299
    embed extract photos/ --size 288 --pooling grid --mirror
    embed extract photos/ --views 8
    embed extract photos/ --backbone model.onnx --preprocess imagenet
    """
    from embed.backbones import Network, get
    from embed.extract import FeatureOptions, RunOptions, extract_features

    features = FeatureOptions(
        network=Network(
            backbone,
            weights=weights,
            layer=layer,
            pooling=pooling,
            size=size,
            mirror=mirror,
            preprocess=preprocess,
        ),
        fit=fit,
        views=views,
        view_seed=seed,
        precision=precision,
        dtype=dtype,
    )
    run = RunOptions(
        device=device,
        workers=workers,
        batch_size=batch_size,
        max_pixels=max_pixels,
        rehash=rehash,
        retry_failed=retry_failed,
        allow_removals=allow_removals,
        verify=verify,
        name=name,
        move=move,
    )
    if not quiet:
        for note in get(backbone, preprocess).notes:
            common.say(common.printable(note))
    # A batch system ends a job with SIGTERM: what is finished is kept, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ask = _ask if sys.stdin.isatty() and sys.stderr.isatty() and not (quiet or as_json) else None
    with ExtractionDisplay(quiet=quiet) as display:
        summary = extract_features(data, cache, features, run, progress=display.update, ask=ask)
    if as_json:
        common.print_json(summary.to_json())
    if not quiet:
        for sentence in summary.damaged:
            common.say(common.printable(sentence))
        if not as_json:
            print(_sentence(summary))
        if summary.moved_from is not None:
            common.say(
                common.printable(
                    f"{data} was {summary.moved_from} before: {summary.features} and its models are kept."
                )
            )
        if summary.likely is not None:
            common.say(
                f"{_likely(summary.likely)} {summary.features} is another set. If the folder has moved, --move gives it "
                "its set and its models back; --as NAME names a set of its own."
            )
        if summary.failed:
            common.say(
                f"{summary.failed} of {summary.images} images could not be used: {summary.folder / 'failures.csv'}"
            )
        if summary.unreachable:
            common.say(_unreachable(summary))
    if summary.interrupted:
        common.say("What was computed is in the cache; the same command goes on from there.")
        return exits.INTERRUPTED
    if summary.kept:
        common.say(
            f"embed: the photographs of {summary.kept} rows of {summary.features} are no longer in {data}, or cannot be "
            "decoded any more. So many rows are not removed unasked: they stay. If it is meant to be so, add --allow-removals."
        )
        return exits.ERROR
    return exits.SOME_FAILED if strict and (summary.failed or summary.unreachable) else 0


PLACES_SHOWN = 3  # of those that cannot be looked at

BOTTLENECKS = {
    "decode": "decoding the photographs",
    "forward": "the backbone",
    "disk": "writing to the cache",
}


def _sentence(summary: "Summary") -> str:
    parts = [f"{summary.features}: {summary.images} images, {summary.extracted} extracted"]
    copied = f" ({summary.copied} from other sets)" if summary.copied else ""
    parts += [f"{summary.reused} reused{copied}"] if summary.reused else []
    parts += [f"{summary.removed} removed"] if summary.removed else []
    parts += [
        f"{n} {what}" for n, what in ((summary.failed, "failed"), (summary.unreachable, "unreachable")) if n
    ]
    line = ", ".join(parts) + f" in {summary.seconds:.1f} s"
    if summary.bottleneck:
        line += f" ({summary.images_per_second:.0f} images/s, limited by {BOTTLENECKS[summary.bottleneck]})"
    return line


def _likely(moved: "Moved") -> str:
    return common.printable(
        f"{moved.name} is of a folder that was {moved.root or 'somewhere else'} and is not there any more; {moved.here} "
        f"of its {common.counted(moved.rows, 'photograph')} are here."
    )


def _ask(moved: "Moved") -> bool:
    return typer.confirm(f"{_likely(moved)} Is it this folder, moved?", default=False, err=True)


def _unreachable(summary: "Summary") -> str:
    shown = [
        f"{common.printable(place)}: {reason}" for place, reason in summary.unreachable_places[:PLACES_SHOWN]
    ]
    more = len(summary.unreachable_places) - len(shown)
    return (
        f"{summary.unreachable} photographs could not be looked at, and their rows stay: {'; '.join(shown)}"
        + (f"; and {more} more" if more else "")
    )
