"""Pages of what a search found."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from embed.learn import LabelIssue
from embed.report.gallery import Card, Group, gallery
from embed.report.page import counted, json_block, render
from embed.report.search_figures import FADED, OTHER, colours
from embed.report.thumbnails import thumbnails
from embed.search import Answers, DuplicateGroup, Layout, Outlier

MAP_THUMBNAIL_PIXELS = 128


def similar(root: Path, found: Sequence[Answers]) -> str:
    """Return a page with each query and the photographs that look like it.

    Args:
        root: the data folder that the paths of the answers are relative to.
        found: what `embed.search.similar` yields.
    """
    groups = []
    for one in found:
        lead = Card(one.query, one.query.name, name="query", lead=True)
        cards = [
            Card(root / answer.path, answer.path, name=answer.label or "", figure=f"{answer.similarity:.3f}")
            for answer in one.answers
        ]
        note = one.problem or ("" if cards else "Nothing is that similar.")
        groups.append(Group(str(one.query), [lead, *cards], note))
    return gallery(
        "Similar photographs",
        groups,
        summary=f"What looks most like {counted(len(groups), 'photograph')}; the figure is the cosine similarity, 1 is the same.",
    )


def duplicates(root: Path, found: Sequence[DuplicateGroup], shown: int) -> str:
    """Return a page with the groups of photographs that show the same picture, as many as are to be shown."""
    groups = [
        Group(
            f"Group {number}",
            [
                Card(
                    root / one.path,
                    one.path,
                    name=one.split or "",
                    figure=f"{one.similarity:.3f}",
                    lead=i == 0,
                )
                for i, one in enumerate(group.photographs)
            ],
        )
        for number, group in enumerate(found[:shown], 1)
    ]
    return gallery(
        "Duplicates",
        groups,
        summary=f"{counted(len(found), 'group')}{_of(shown, found)}; the figure is the similarity to the framed photograph.",
    )


def outliers(root: Path, found: Sequence[Outlier], shown: int) -> str:
    """Return a page with the photographs that are furthest from all others."""
    cards = [
        Card(root / one.path, one.path, name=one.label or "", figure=f"{one.similarity:.3f}")
        for one in found[:shown]
    ]
    return gallery(
        "Outliers",
        [Group("Furthest from all others", cards)],
        summary="The figure is the mean similarity to the ten nearest others.",
    )


def mislabelled(root: Path, found: Sequence[LabelIssue], shown: int) -> str:
    """Return a page with the photographs whose label is in doubt."""
    cards = [
        Card(
            root / one.path,
            one.path,
            name=one.label,
            figure=f"{one.probability:.2f}",
            note=f"looks like {one.suggested} ({one.suggested_probability:.2f})",
        )
        for one in found[:shown]
    ]
    return gallery(
        "Doubtful labels",
        [Group("Most doubtful first", cards)],
        summary=f"{counted(len(found), 'photograph')} whose label is not the one that the others suggest{_of(shown, found)}; "
        "the figures are probabilities by a classifier that did not see the photograph.",
    )


def feature_map(root: Path, layout: Layout) -> str:
    """Return a page with a map of the photographs: pointing at a dot shows the photograph."""
    colour_of = colours(layout.labels)
    names = list(colour_of)
    number = {label: i for i, label in enumerate(names)}
    shades = list(colour_of.values())
    labels = [number.get(label, len(names)) if label is not None else len(names) for label in layout.labels]
    if len(names) in labels:
        names.append(OTHER)
        shades.append(FADED)
    small = thumbnails([root / path for path in layout.paths], MAP_THUMBNAIL_PIXELS)
    data = {
        "x": [round(float(x), 4) for x in layout.positions[:, 0]],
        "y": [round(float(y), 4) for y in layout.positions[:, 1]],
        "label": labels,
        "names": names,
        "colours": shades,
        "path": layout.paths,
        "picture": [one.uri for one in small],
    }
    script = files(__package__).joinpath("map.js").read_text("utf-8")
    body = (
        '<div id="legend"></div><div class="map"><canvas id="map"></canvas><div id="tip" hidden><img alt="">'
        '<div class="name"></div><div class="path"></div></div></div>' + json_block("data", data)
    )
    left_out = f" {layout.left_out:,} more are not on the map." if layout.left_out else ""
    return render(
        "Map of the features",
        body,
        summary=f"{counted(len(layout.paths), 'photograph')}; those that are alike lie close together. Point at one to see it,"
        f" zoom with the wheel, click a label to hide it.{left_out}",
        scripts=[script],
    )


def _of(shown: int, found: Sequence[object]) -> str:
    return f", the first {shown} shown" if len(found) > shown else ""
