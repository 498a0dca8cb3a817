"""``embed duplicates``: what is there more than once, and putting it aside."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embed.cli import common
from embed.cli.app import app
from embed.cli.progress import StageDisplay
from embed.cli.search import HtmlOption, check_page, publish
from embed.errors import UsageError

if TYPE_CHECKING:
    from embed.api import FeatureCache, Features, Left, PutAside
    from embed.search import DuplicateGroup

SHOWN = 200  # groups on a page


@app.command()
def duplicates(
    grade: Annotated[
        str,
        typer.Option(
            help="identical: the same file; same: the same picture too; alike: what only looks alike, too."
        ),
    ] = "same",
    threshold: Annotated[
        float | None,
        typer.Option(
            help="What looks alike too, from this similarity on; the cosine, 1 is the same.",
            show_default=False,
        ),
    ] = None,
    across_splits: Annotated[
        bool, typer.Option("--across-splits", help="Only pictures that are in more than one split.")
    ] = False,
    keep: Annotated[
        str | None,
        typer.Option(
            help="largest, first or sharpest: put the others of each group aside; shows what would be done.",
            show_default=False,
        ),
    ] = None,
    move_to: Annotated[
        Path | None,
        typer.Option(
            "--move-to",
            help="With --keep or --undo: the folder for what is put aside; by default .embed-bin in the data folder.",
            show_default=False,
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --keep: do it.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Put back what was put aside last.")] = False,
    labels: common.LabelsOption = "folder",
    where: common.WhereOption = None,
    splits: common.SplitsOption = None,
    html: HtmlOption = None,
    show: common.OpenOption = False,
    features: common.FeaturesOption = None,
    cache: common.CacheOption = common.DEFAULT_CACHE,
    as_json: common.JsonOption = False,
    as_csv: common.CsvOption = False,
) -> None:
    """Find photographs that are there more than once.

    Copies, and pictures saved again, scaled, flipped, turned, cropped, without colours or with a watermark: the features
    name candidates, the pixels decide. Groups whose labels disagree come first. --keep moves nothing without --yes, never
    deletes or overwrites, and leaves groups alone whose labels disagree; --undo puts back.

    \b
    embed duplicates
    embed duplicates --across-splits --csv > leaks.csv
    embed duplicates --grade alike --html duplicates.html --open
    embed duplicates --keep largest --yes
    embed duplicates --undo
    """
    check_page(html, show)
    form = common.output(as_json, as_csv)
    if undo:
        if keep is not None or yes:
            raise UsageError("stands alone; it takes no --keep and no --yes", "undo")
        _undo(common.open_features(cache, features), move_to, as_json=as_json)
        return
    if keep is None and (yes or move_to is not None):
        raise UsageError(f"{'--yes' if yes else '--move-to'} is for --keep largest, first or sharpest")
    from embed import api

    known = common.open_labelled(cache, features, labels, splits, where)
    with StageDisplay() as progress:
        found = api.duplicates(
            known.cache,
            threshold,
            grade=grade,
            across_splits=across_splits,
            label_rule=known.rule,
            progress=progress,
            notice=progress.notice,
        )
        aside = None
        if keep is not None:
            aside = api.put_aside(known, found, keep, move_to, dry_run=not yes, progress=progress)
    _print(found, aside, form)
    _tell(found, known)
    if aside is not None:
        _tell_aside(aside, known, move_to)
    if html is not None:
        from embed import report

        publish(html, lambda progress: report.duplicates_page(known.root, found, SHOWN, progress), show=show)


def _print(found: "Sequence[DuplicateGroup]", aside: "PutAside | None", form: common.Output) -> None:
    columns = ["group", "path", "similarity", "label", "split", "grade"]
    rows = []
    for number, group in enumerate(found, 1):
        for one in group.photographs:
            row = [number, one.path, one.similarity, one.label, one.split, str(one.grade)]
            if aside is not None:
                kept = aside.kept.get(one.path)
                row.append(kept if form is common.Output.JSON or kept is None else "yes" if kept else "no")
            rows.append(row)
    common.print_table(columns + (["keep"] if aside is not None else []), rows, form=form)


def _tell(found: "Sequence[DuplicateGroup]", known: "Features") -> None:
    """Say how many groups there are, and what is to be looked at first."""
    if not found:
        _say_closest(known)
        return
    told = common.counted(len(found), "group")
    disagree = sum(group.labels_disagree for group in found)
    across = sum(group.across_splits for group in found)
    if disagree:
        told += f"; in {disagree} of them, listed first, the labels disagree"
    if across:
        told += f"; {across} in more than one split"
    common.say(told + ".")


def _tell_aside(aside: "PutAside", known: "Features", move_to: Path | None) -> None:
    moved = aside.moved
    verb = "would be moved" if moved.dry_run else "moved"
    told = (
        f"{common.counted(len(moved.photographs), 'photograph')} ({moved.bytes / 1e6:.1f} MB) {verb} into"
        f" {common.printable(str(moved.bin))}"
    )
    if aside.disagreeing:
        told += f"; {common.counted(aside.disagreeing, 'group')} left alone, whose labels disagree"
    _say_left(moved.left)
    if moved.dry_run:
        common.say(f"{told}. Nothing was done: --yes does it.")
    elif moved.photographs:
        back = "embed duplicates --undo" + (
            f" --move-to {shlex.quote(str(move_to))}" if move_to is not None else ""
        )
        common.say(
            f"{told}. `{common.printable(back)}` puts them back; next: {common.printable(known.cache.again)}"
        )
    else:
        common.say(f"{told}.")


def _undo(known: "FeatureCache", folder: Path | None, *, as_json: bool) -> None:
    """Put back what was put aside last, and say what."""
    from embed import api

    done = api.restore(known, folder)
    if as_json:
        common.print_json(
            {
                "bin": str(done.bin),
                "restored": list(done.photographs),
                "left": [{"path": one.path, "problem": one.problem} for one in done.left],
            }
        )
    else:
        for path in done.photographs:
            print(common.printable(path))
    _say_left(done.left)
    if done.photographs:
        common.say(
            f"{common.counted(len(done.photographs), 'photograph')} put back; next: {common.printable(known.again)}"
        )
    elif not done.left:
        common.say(f"There is nothing in {common.printable(str(done.bin))} to put back.")


def _say_left(left: "Sequence[Left]") -> None:
    for one in left:
        common.say(f"{common.printable(one.path)} stays: {common.printable(one.problem)}")


def _say_closest(known: "Features") -> None:
    """Say which two photographs look most alike."""
    from embed import api

    with StageDisplay() as progress:
        pair = api.closest_pair(known.cache, label_rule=known.rule, progress=progress)
    alike = ""
    if pair is not None:
        one, other = common.printable(pair.one), common.printable(pair.other)
        alike = f" {one} and {other} look most alike, with {pair.similarity:.3f}."
    common.say(f"Nothing is there more than once among {common.counted(len(known), 'photograph')}.{alike}")
