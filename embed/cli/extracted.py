"""What `embed extract` says of what it did, and of what it understood."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from embed.cli import common

if TYPE_CHECKING:
    from embed.cache import Moved
    from embed.extract import Summary
    from embed.labels import Labels


def tell(summary: "Summary", rule: str, given: Sequence[str | Path | None], *, as_json: bool) -> None:
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
                f"{shown(given)} was {summary.moved_from} before: {summary.features} and its models are kept."
            )
        )
    if summary.likely is not None:
        common.say(
            f"{_likely(summary.likely)} {summary.features} is another set. If the folder has moved, --move gives it "
            "its set and its models back; --as NAME names a set of its own."
        )
    if summary.bfloat16 and summary.seconds > 5:
        common.say(common.FASTER)
    if summary.failed:
        common.say(
            f"{summary.failed} of {summary.images} images could not be used: {summary.folder / 'failures.csv'}"
        )
    if summary.unreachable:
        common.say(_unreachable(summary))
    if unlabelled and not summary.interrupted:
        common.say(NO_LABELS)


def shown(places: Sequence[str | Path | None]) -> str:
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


def understood(summary: "Summary", rule: str) -> tuple[dict[str, Any], "Labels"]:
    """Return what the folders were understood as: classes, splits and folds with their counts, and the labels."""
    from embed import api

    return api.understood(
        api.FeatureCache.open(api.find_features(summary.folder.parent, summary.features)), rule
    )


def _print_understood(summary: "Summary", rule: str) -> bool:
    """Print what the folders were understood as, and the first lines of the tree; return whether there is no label."""
    document, labelled = understood(summary, rule)
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


def ask_whether_moved(moved: "Moved") -> bool:
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
