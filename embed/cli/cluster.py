"""``embed cluster`` and ``embed label``: photographs that have no labels."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embed.cli import common
from embed.cli.app import app
from embed.cli.progress import StageDisplay
from embed.cli.search import publish
from embed.errors import UsageError

if TYPE_CHECKING:
    from embed.api import Clusters, FeatureCache, Given, Labels

EXAMPLES = 3  # names shown of a group


@app.command()
def cluster(
    groups: Annotated[
        int | None,
        typer.Option(
            "--groups",
            help="How many; by default as many as tell them apart best.",
            min=1,
            show_default=False,
        ),
    ] = None,
    seed: common.SeedOption = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Page to write; by default clusters.html in the feature set.", show_default=False),
    ] = None,
    show: common.OpenOption = False,
    features: common.FeaturesOption = None,
    cache: common.CacheOption = common.DEFAULT_CACHE,
    as_json: common.JsonOption = False,
    as_csv: common.CsvOption = False,
) -> None:
    """Group photographs that have no labels, for naming them.

    What is alike is together. The page shows the photographs of each group, those nearest its centre first; the
    tightness is their mean similarity to it. `embed label` names a group. The groups keep their numbers until this
    command runs again.

    \b
    embed cluster --open
    embed cluster --groups 12
    """
    from embed import api, report

    known = common.open_features(cache, features)
    with StageDisplay() as progress:
        found = api.group(known, groups, random_state=seed, progress=progress)
    given = api.given(known)
    rows = _rows(known, found, given.labels)
    columns = ("group", "photographs", "tightness", "label", "examples")
    form = common.output(as_json, as_csv)
    page = out or known.folder / "clusters.html"
    if form is common.Output.JSON:
        listed = [{**dict(zip(columns, row, strict=True)), "examples": row[-1]} for row in rows]
        document = {
            "features": known.name,
            "seed": seed,
            "asked": groups,
            "page": str(page),
            "groups": listed,
        }
        common.print_json(document)
    else:
        common.print_table(columns, [(*row[:-1], ", ".join(row[-1])) for row in rows], form=form)
    publish(page, lambda progress: report.groups_page(known, found, given.labels, progress), show=show)
    if given.labels.classes:
        common.say(_next_step(given, known.labels_file))
    elif len(found.groups) > 1:
        common.say(
            "Look at the page, then name a group: embed label 1 NAME; several to one name: embed label 1 2 NAME. Two names are"
            " enough for embed fit."
        )
    else:
        common.say("All photographs are in one group; embed cluster --groups N makes more.")


@app.command()
def label(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            help="Numbers of groups, or photographs; and the name, last.",
            show_default=False,
            metavar="GROUP… NAME",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="train, validation or test: where the photographs are from now on.", show_default=False
        ),
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Take their labels away; no name is given.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take the last naming back.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="Show the labels that were given.")] = False,
    features: common.FeaturesOption = None,
    cache: common.CacheOption = common.DEFAULT_CACHE,
    as_json: common.JsonOption = False,
    as_csv: common.CsvOption = False,
) -> None:
    """Name the photographs of a group, or single ones.

    The labels are kept in labels.csv beside the features, never in the folder of the photographs. They are used where
    no photograph has a label by its folder, and with `--labels hand`. The last name that a photograph was given counts;
    one that was put into a split by --split keeps its own when its group is named. A photograph that is renamed keeps its
    label.

    \b
    embed label 3 beach
    embed label 1 4 7 "birthday party"
    embed label photo.jpg beach
    embed label one.jpg two.jpg beach --split test
    embed label 3 --remove
    embed label --undo
    embed label --list
    """
    from embed import api

    asked, name = _asked(targets or [], remove=remove, alone="--list" if listed else "--undo" if undo else "")
    known = common.open_features(cache, features)
    if undo:
        _undo(known, as_json=as_json)
        return
    if listed:
        _print_labels(known, common.output(as_json, as_csv))
        return
    done = api.label(known, asked, name, split=split)
    renamed = Counter(former for former in done.former.values() if former is not None)
    if as_json:
        common.print_json(
            {
                "features": known.name,
                "file": str(done.file),
                "label": name,
                "photographs": done.photographs,
                "changed": len(done.former),
                "former": dict(renamed),
            }
        )
    else:
        _say_labelled(known, name, done.photographs, renamed)
    if done.groups is not None and done.groups.outdated:
        common.say(f"{done.groups.outdated} embed cluster groups them again.")
    common.say(_next_step(api.given(known), done.file))


def _rows(known: "FeatureCache", found: "Clusters", given: "Labels") -> list[tuple[Any, ...]]:
    rows = []
    for number, group in enumerate(found.groups, 1):
        names = Counter(given.labels[row] for row in group.rows if given.labels[row] is not None)
        named = ", ".join(
            name if count == len(group.rows) else f"{name} ({count})"
            for name, count in names.most_common(EXAMPLES)
        )
        examples = known.paths[group.rows[:EXAMPLES]].tolist()
        rows.append((number, len(group.rows), round(group.tightness, 4), named or None, examples))
    return rows


def _undo(known: "FeatureCache", *, as_json: bool) -> None:
    """Take the last naming back, and say what it was."""
    from embed import api

    done = api.undo_label(known)
    if as_json:
        common.print_json(
            {
                "features": known.name,
                "file": str(known.labels_file),
                "label": done.label if done is not None else None,
                "undone": done.photographs if done is not None else 0,
                "later": done.later if done is not None else 0,
            }
        )
    elif done is not None:
        named = f", which had been named {common.printable(done.label)}" if done.label is not None else ""
        print(f"taken back: {common.counted(done.photographs, 'photograph')}{named}")
    if done is None:
        common.say("There is no naming to take back.")
    elif done.later:
        common.say(
            f"{common.counted(done.later, 'photograph')} had another label given since, and keep it."
            if done.later > 1
            else "1 photograph had another label given since, and keeps it."
        )
    if done is not None:
        common.say(_next_step(api.given(known), known.labels_file))


def _asked(targets: list[str], *, remove: bool, alone: str) -> tuple[list[str], str | None]:
    """Return what is to be named, and the name. Raises UsageError."""
    if alone:
        if targets or remove:
            raise UsageError(f"{alone} stands alone; it takes no group and no name.")
        return [], None
    if remove:
        if not targets:
            raise UsageError(
                "Name the groups or photographs whose labels are to go, as in embed label 3 --remove."
            )
        return targets, None
    if len(targets) < 2:
        raise UsageError("Give a group or a photograph, and a name, as in embed label 3 beach.")
    return targets[:-1], targets[-1].strip()


def _say_labelled(known: "FeatureCache", name: str | None, photographs: int, renamed: Counter[str]) -> None:
    what = common.counted(photographs, "photograph")
    before = ", ".join(f"{count} {common.printable(former)}" for former, count in renamed.most_common())
    if name is None:
        print(f"{what}: no label" + (f" (before: {before})" if before else ""))
    else:
        print(f"{what}: {common.printable(name)}" + (f" (before: {before})" if before else ""))


def _print_labels(known: "FeatureCache", form: common.Output) -> None:
    from embed import api

    found = api.given(known)
    given, groups, groups_of = found.labels, found.groups, found.groups_of
    rows = [(name, count, ", ".join(map(str, groups_of[name]))) for name, count in given.counts.items()]
    common.print_table(("label", "photographs", "groups"), rows, form=form)
    if len(given.unlabelled):
        common.say(f"{common.counted(len(given.unlabelled), 'photograph')} without a label.")
    if given.unknown:
        common.say(
            f"{len(given.unknown)} of the labels are of photographs that are gone, as {common.printable(given.unknown[0])}."
        )
    if groups is not None and groups.outdated:
        common.say(f"{groups.outdated} embed cluster groups them again.")


def _next_step(given: "Given", file: Path) -> str:
    found = given.labels
    names = common.counted(len(found.classes), "label")
    sentence = f"{names}, {common.counted(len(found.unlabelled), 'photograph')} without one, in {common.printable(str(file))}."
    if len(found.classes) < 2:
        return f"{sentence} embed fit needs two: name another group."
    return f"{sentence} Next: embed fit{'' if given.by_default else ' --labels hand'}"
