"""``embed extract``."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embed.cli import common, exits
from embed.cli.app import app
from embed.cli.progress import ExtractionDisplay
from embed.errors import UsageError

if TYPE_CHECKING:
    from embed.cache import Moved
    from embed.extract import Summary
    from embed.labels import Labels
    from embed.sources import Filters, Source


@app.command()
def extract(
    data: Annotated[
        list[Path] | None, typer.Argument(help="Folder of photographs, or several.", show_default=False)
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
    find photos -name '*.jpg' -print0 | embed extract --from-file - -0
    embed extract photos/ --backbone model.onnx --preprocess imagenet
    embed extract photos/ --backbone mobilenetv2 --backbone model.onnx
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
    ask = _ask if sys.stdin.isatty() and sys.stderr.isatty() and not (quiet or as_json) else None
    given: list[Path | None] = [*data] if data else [from_file]
    summaries: list[Summary] = []
    code = 0
    for features in wanted:
        with exits.interruptible(), ExtractionDisplay(quiet=quiet) as display:
            summary = extract_features(
                source, cache, features, run, progress=display.update, filters=filters, ask=ask
            )
        summaries.append(summary)
        if not quiet:
            _tell(summary, rule, given, as_json=as_json)
        if summary.interrupted or summary.kept:
            code = exits.INTERRUPTED if summary.interrupted else exits.ERROR
            break
        if strict and (summary.failed or summary.unreachable):
            code = exits.SOME_FAILED
    joined = None
    if len(summaries) == len(wanted) > 1 and code in (0, exits.SOME_FAILED):
        joined = _join(summaries, cache, name, quiet=quiet or as_json)
    if as_json:
        documents = [{**one.to_json(), **_understood(one, rule)[0]} for one in summaries]
        common.print_json(documents[0] if len(wanted) == 1 else {"sets": documents, "joined": joined})
    last = summaries[-1]
    if last.interrupted:
        common.say("What was computed is in the cache; the same command goes on from there.")
    elif last.kept:
        common.say(
            f"embed: the photographs of {last.kept} rows of {last.features} are no longer in {_shown(given)}, or cannot be "
            "decoded any more. So many rows are not removed unasked: they stay. If it is meant to be so, add --allow-removals."
        )
    return code


def _join(summaries: Sequence["Summary"], cache: Path, name: str | None, *, quiet: bool) -> dict[str, Any]:
    """Join the features of several networks, and return what became of them."""
    from embed.cache import join, open_features

    joined = join(cache, [open_features(cache, one.features) for one in summaries], name)
    if not quiet:
        print(f"{joined.name}: {common.counted(len(joined), 'image')}, {joined.dimension} features each")
    return {"features": joined.name, "images": len(joined), "dimension": joined.dimension}


def _tell(summary: "Summary", rule: str, given: Sequence[Path | None], *, as_json: bool) -> None:
    """Say what an extraction did, and what is to be known about it."""
    for sentence in summary.damaged:
        common.say(common.printable(sentence))
    for sentence in _left_out(summary):
        common.say(sentence)
    unlabelled = False
    if not as_json:
        print(_sentence(summary))
        unlabelled = _print_understood(summary, rule)
    if summary.moved_from is not None:
        common.say(
            common.printable(
                f"{_shown(given)} was {summary.moved_from} before: {summary.features} and its models are kept."
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
    if unlabelled and not summary.interrupted:
        common.say(NO_LABELS)


def _filters(exclude: list[str] | None, include: list[str] | None) -> "Filters | None":
    from embed import sources

    given = [None if globs is None else [glob for glob in globs if glob] for globs in (exclude, include)]
    return sources.filters(*given)


def _source(
    data: list[Path], from_file: Path | None, zero: bool, filters: "Filters | None"
) -> "list[Path] | Source":
    """Return what is to be extracted: folders, or a list."""
    from embed import sources

    if from_file is None:
        if zero:
            raise UsageError("is for a list: --from-file", "zero")
        if not data:
            raise UsageError("name a folder of photographs, or a list of them: --from-file LIST")
        kept, others = sources.apart(data)
        for folder in others:
            common.say(
                f"{common.printable(str(folder))} is given twice, or lies in another folder that is given."
            )
        return kept
    if data:
        raise UsageError("is given beside folders: name them in the list instead", "from_file")
    piped = str(from_file) == "-"
    listed = sys.stdin.buffer.read() if piped else sources.read_list(from_file)
    return sources.Listing(None if piped else from_file, listed, zero=zero, filters=filters)


def _shown(places: Sequence[Path | None]) -> str:
    return ", ".join(common.printable(str(place)) for place in places)


def _left_out(summary: "Summary") -> Iterator[str]:
    """Yield what is to be said of what was left out, and why."""
    filters = summary.filters
    given = [f"--exclude {shlex.quote(glob)}" for glob in filters.exclude]
    given += [f"--include {shlex.quote(glob)}" for glob in filters.include]
    if given:
        yield f"Patterns, now and in later runs until others are given: {common.printable(' '.join(given))}"
    if summary.left_out:
        places = [place or "." for place, _, _ in summary.left_out]
        more = len(places) - PLACES_SHOWN
        shown = ", ".join(map(common.printable, places[:PLACES_SHOWN])) + (
            f" and {more} more" if more > 0 else ""
        )
        yield (
            f"Left out: {common.counted(summary.images_left_out, 'image')} in {shown}; `embed info` lists them, "
            "--include takes them in."
        )


def _understood(summary: "Summary", rule: str) -> tuple[dict[str, Any], "Labels"]:
    """Return what the folders were understood as: classes, splits and folds with their counts, and the labels."""
    from embed import api

    return api.understood(
        api.FeatureCache.open(api.find_features(summary.folder.parent, summary.features)), rule
    )


def _print_understood(summary: "Summary", rule: str) -> bool:
    """Print what the folders were understood as, and the first lines of the tree; return whether there is no label."""
    document, labelled = _understood(summary, rule)
    classes = len(document["classes"])
    parts = ["1 class" if classes == 1 else f"{classes} classes"]
    parts += [f"{name} {count}" for name, count in document["splits"].items()]
    parts += [f"{len(document['folds'])} folds"] if document["folds"] else []
    parts += [f"{len(document['groups'])} groups"] if len(document["groups"]) > 1 else []
    parts += [f"{document['unlabelled']} without a label"] if document["unlabelled"] else []
    parts += [f"{document['copies']} left out as copies"] if document["copies"] else []
    print(f"understood as: {', '.join(parts)}")
    for line in labelled.lines:
        print(common.printable(line))
    for note in document["notes"]:
        common.say(f"Note: {common.printable(note)}.")
    return bool(document["unlabelled"]) and not classes


NO_LABELS = (
    "No photograph has a label. What can be done now: embed cluster (groups to name), embed similar PHOTOGRAPH, "
    "embed duplicates, embed map --html map.html; or --labels 'regex:PATTERN' or csv:FILE labels them for embed fit."
)
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
