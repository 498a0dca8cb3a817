"""``embed extract``."""

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embed.cli import common, exits, extracted
from embed.cli.app import app
from embed.cli.progress import ExtractionDisplay
from embed.errors import UsageError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from embed.extract import Executor, RunOptions, Summary
    from embed.sources import Address, Filters, Source


@app.command()
def extract(
    data: Annotated[
        list[str] | None,
        typer.Argument(
            help="Folder of photographs, archive (.tar, .zip) or table of them (.csv, .parquet); or several.",
            show_default=False,
        ),
    ] = None,
    from_file: Annotated[
        Path | None,
        typer.Option(
            "--from-file", help="List of photographs, or of folders, one on a line; - reads it from a pipe."
        ),
    ] = None,
    zero: Annotated[
        bool, typer.Option("--null", "-0", help="Paths in the list end in a zero byte, as of find -print0.")
    ] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="GLOB to leave out, as in .gitignore, repeatable; '' forgets those before."),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(help="GLOB to take in although it is excluded or hidden, repeatable."),
    ] = None,
    splits: common.SplitsOption = None,
    backbone: Annotated[
        list[str] | None,
        typer.Option(
            help="Network that computes the features, by default mobilenetv2; `embed backbones` lists them. Or a file with your own: "
            "FILE.onnx. Repeated, the features of several are joined.",
            show_default=False,
        ),
    ] = None,
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
    exif: Annotated[bool, typer.Option("--exif", help="Note when, where and by which camera.")] = False,
    cluster: Annotated[
        str | None,
        typer.Option(
            help="Compute on a Ray cluster: local (starts one here), auto (that of this machine) or HOST:PORT.",
            show_default=False,
        ),
    ] = None,
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
    embed extract spring/ autumn/ --exclude 'drafts/'
    embed extract shards/train-*.tar
    embed extract table.parquet
    find photos -name '*.jpg' -print0 | embed extract --from-file - -0
    embed extract photos/ --backbone model.onnx --preprocess imagenet
    embed extract photos/ --backbone mobilenetv2 --backbone model.onnx
    embed extract s3://shop/products --cluster auto --cache /shared/cache
    """
    from embed.backbones import DEFAULT, Network, get, is_file
    from embed.extract import FeatureOptions, RunOptions, extract_features
    from embed.labels import with_splits

    names = list(dict.fromkeys(backbone or [DEFAULT]))
    if len(names) > 1 and weights is not None:
        raise UsageError("is of one network; it cannot be used with several", "weights")
    rule = with_splits("folder", splits)
    filters = _filters(exclude, include)
    source = _source(data or [], from_file, zero, filters)
    # Networks that come with their preprocessing are told none, where others are files.
    told = [preprocess if len(names) == 1 or is_file(one) else None for one in names]
    wanted = [
        FeatureOptions(
            network=Network(
                one,
                weights=weights,
                layer=layer,
                pooling=pooling,
                size=size,
                mirror=mirror,
                preprocess=pixels,
            ),
            fit=fit,
            views=views,
            view_seed=seed,
            precision=precision,
            dtype=dtype,
        )
        for one, pixels in zip(names, told, strict=True)
    ]
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
        exif=exif,
    )
    for one, pixels in zip(names, told, strict=True):
        for note in get(one, pixels).notes:
            if not quiet:
                common.say(common.printable(note))
    ask = (
        extracted.ask_whether_moved
        if sys.stdin.isatty() and sys.stderr.isatty() and not (quiet or as_json)
        else None
    )
    given: list[str | Path | None] = [*data] if data else [from_file]
    summaries: list[Summary] = []
    code = 0
    with exits.interruptible(), _executor(cluster, run) as executor:
        for features in wanted:
            with ExtractionDisplay(quiet=quiet) as display:
                summary = extract_features(
                    source,
                    cache,
                    features,
                    run,
                    progress=display.update,
                    executor=executor,
                    filters=filters,
                    ask=ask,
                )
            summaries.append(summary)
            if not quiet:
                extracted.tell(summary, rule, given, as_json=as_json)
            if summary.interrupted or summary.kept:
                code = exits.INTERRUPTED if summary.interrupted else exits.ERROR
                break
            if strict and (summary.failed or summary.unreachable):
                code = exits.SOME_FAILED
    joined = None
    if len(summaries) == len(wanted) > 1 and code in (0, exits.SOME_FAILED):
        joined = _join(summaries, cache, name, quiet=quiet or as_json)
    if as_json:
        documents = [{**one.to_json(), **extracted.understood(one, rule)[0]} for one in summaries]
        common.print_json(documents[0] if len(wanted) == 1 else {"sets": documents, "joined": joined})
    last = summaries[-1]
    if last.interrupted:
        common.say("What was computed is in the cache; the same command goes on from there.")
    elif last.kept:
        common.say(
            f"embed: the photographs of {last.kept} rows of {last.features} are no longer in {extracted.shown(given)}, or cannot be "
            "decoded any more. So many rows are not removed unasked: they stay. If it is meant to be so, add --allow-removals."
        )
    return code


def _executor(cluster: str | None, run: "RunOptions") -> "AbstractContextManager[Executor | None]":
    """Return what computes on a cluster; None where this process does."""
    if cluster is None:
        return nullcontext()
    from embed import distributed

    return distributed.cluster(cluster, run)


def _join(summaries: Sequence["Summary"], cache: Path, name: str | None, *, quiet: bool) -> dict[str, Any]:
    """Join the features of several networks, and return what became of them."""
    from embed.cache import join, open_features

    joined = join(cache, [open_features(cache, one.features) for one in summaries], name)
    if not quiet:
        print(f"{joined.name}: {common.counted(len(joined), 'image')}, {joined.dimension} features each")
    return {"features": joined.name, "images": len(joined), "dimension": joined.dimension}


def _filters(exclude: list[str] | None, include: list[str] | None) -> "Filters | None":
    from embed import sources

    given = [None if globs is None else [glob for glob in globs if glob] for globs in (exclude, include)]
    return sources.filters(*given)


def _source(
    data: list[str], from_file: Path | None, zero: bool, filters: "Filters | None"
) -> "list[Address] | Source":
    """Return what is to be extracted: places, or a list."""
    from embed import sources

    if from_file is None:
        if zero:
            raise UsageError("is for a list: --from-file", "zero")
        if not data:
            raise UsageError("name a folder of photographs, or a list of them: --from-file LIST")
        kept, others = sources.apart([sources.address(place) for place in data])
        for folder in others:
            shown = common.printable(str(folder))
            common.say(f"{shown} is given twice, or lies in another folder that is given.")
        return kept
    if data:
        raise UsageError("is given beside folders: name them in the list instead", "from_file")
    piped = str(from_file) == "-"
    listed = sys.stdin.buffer.read() if piped else sources.read_list(from_file)
    return sources.Listing(None if piped else from_file, listed, zero=zero, filters=filters)
