"""Pages of what a search found: photographs in groups, and the map."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embed import sources
from embed.report.page import counted, data_uri, middle, render, visible
from embed.report.pictures import Card, Pictures, thumbnails
from embed.report.plots import FADED, OTHER, colours

if TYPE_CHECKING:
    from embed.learn import LabelIssues
    from embed.search import DuplicateGroup, Layout, Neighbours, Outlier

CARD_PIXELS = 256  # sharp at the width of a card on a screen of high density
MAP_PIXELS = 128
DUPLICATE = {"identical": "the same file", "same": "the same picture", "alike": "looks alike"}


class Gallery:
    """Photographs in groups, with words below each.

    Parameters
    ----------
    root : Path
        The data folder.
    files : iterable of path
        All photographs of the page: as text relative to that folder, and otherwise as they are.
    """

    def __init__(self, root: Path, files: Iterable[str | Path]) -> None:
        self._file_of = sources.locator(root)
        self.groups: list[dict[str, Any]] = []
        self._pictures = Pictures(CARD_PIXELS)
        self._pictures.fetch(self._file(file) for file in files)

    def card(self, file: str | Path, path: str = "", **words: Any) -> Card:
        """Return the card of a photograph; the words are those of `Card`."""
        return Card(self._pictures.get(self._file(file)), path or str(file), **words)

    def add(self, title: str, cards: Sequence[Card], note: str = "") -> None:
        """Add photographs that belong together."""
        self.groups.append({"title": title, "cards": cards, "note": note})

    def page(self, title: str, summary: str) -> str:
        """Return the page."""
        return render("gallery.html", title=title, summary=summary, groups=self.groups)

    def _file(self, file: str | Path) -> Path:
        return file if isinstance(file, Path) else self._file_of(file)


def similar_page(root: Path, found: "Sequence[Neighbours]") -> str:
    """Return a page with each query and the photographs that look like it.

    Parameters
    ----------
    root : Path
        The data folder that the paths of the neighbours are relative to.
    found : sequence of Neighbours
        What `embed.search.similar` yields.
    """
    gallery = Gallery(
        root, [*(one.query for one in found), *(each.path for one in found for each in one.neighbours)]
    )
    for one in found:
        cards = [
            gallery.card(each.path, name=each.label or "", figure=f"{each.similarity:.3f}")
            for each in one.neighbours
        ]
        lead = gallery.card(one.query, one.query.name, name="query", lead=True)
        note = one.problem or ("" if cards else "Nothing is that similar.")
        gallery.add(str(one.query), [lead, *cards], note)
    asked = counted(len(found), "photograph")
    return gallery.page(
        "Similar photographs",
        f"What looks most like {asked}; the figure is the cosine similarity, 1 is the same.",
    )


def duplicates_page(root: Path, found: "Sequence[DuplicateGroup]", shown: int) -> str:
    """Return a page with the groups of photographs that show the same picture, as many as are to be shown."""
    gallery = Gallery(root, [one.path for group in found[:shown] for one in group.photographs])
    for number, group in enumerate(found[:shown], 1):
        cards = [
            gallery.card(
                one.path,
                name=one.label or "",
                figure=f"{one.similarity:.3f}",
                note=tuple(words for words in (DUPLICATE[one.grade] if i else None, one.split) if words),
                tone="bad" if group.labels_disagree else "",
                lead=i == 0,
            )
            for i, one in enumerate(group.photographs)
        ]
        told = [
            text
            for text, so in (
                ("labels disagree", group.labels_disagree),
                ("in several splits", group.across_splits),
            )
            if so
        ]
        gallery.add(f"Group {number}" + (f": {', '.join(told)}" if told else ""), cards)
    groups = f"{counted(len(found), 'group')}{_of(shown, found)}"
    return gallery.page(
        "Duplicates",
        f"{groups}. Each is said to be what it is to the framed photograph; the figure is the similarity of their features.",
    )


def outliers_page(root: Path, found: "Sequence[Outlier]", shown: int) -> str:
    """Return a page with the photographs that are furthest from all others."""
    gallery = Gallery(root, [one.path for one in found[:shown]])
    cards = [
        gallery.card(one.path, name=one.label or "", figure=f"{one.similarity:.3f}") for one in found[:shown]
    ]
    gallery.add("Furthest from all others", cards)
    return gallery.page("Outliers", "The figure is the mean similarity to the ten nearest others.")


def label_issues_page(root: Path, found: "LabelIssues", shown: int) -> str:
    """Return a page with the photographs whose label the others contradict: first those that are probably wrong."""
    gallery = Gallery(root, [one.path for one in found[:shown]])
    for title, wrong in (("Probably wrong", True), ("Doubtful", False)):
        cards = [
            gallery.card(
                one.path,
                name=one.label,
                figure=f"{one.probability:.2f}",
                note=("looks like", one.suggested, f"({one.suggested_probability:.2f})"),
            )
            for one in found[:shown]
            if one.probably_wrong is wrong
        ]
        if cards:
            gallery.add(title, cards, "The likeliest first." if wrong else "")
    return gallery.page(
        "Label issues",
        f"About {found.wrong:,} of {counted(found.judged, 'label')} {'is' if found.wrong == 1 else 'are'} probably wrong."
        f" {counted(len(found), 'photograph')} whose label is not the one that the others suggest{_of(shown, found)};"
        " the figures are probabilities by a classifier that did not see the photograph.",
    )


def map_page(root: Path, layout: "Layout") -> str:
    """Return a page with a map of the photographs: pointing at a dot shows the photograph."""
    colour_of = colours(layout.labels)
    names, shades = list(colour_of), list(colour_of.values())
    number = {label: i for i, label in enumerate(names)}
    labels = [len(names) if label is None else number.get(label, len(names)) for label in layout.labels]
    if len(names) in labels:
        names.append(OTHER)
        shades.append(FADED)
    pictures = thumbnails(map(sources.locator(root), layout.paths), MAP_PIXELS)
    data = {
        "x": [round(float(x), 4) for x in layout.positions[:, 0]],
        "y": [round(float(y), 4) for y in layout.positions[:, 1]],
        "label": labels,
        "names": [visible(middle(name)) for name in names],
        "colours": shades,
        "path": [visible(path) for path in layout.paths],
        "picture": [data_uri(one) if isinstance(one, bytes) else "" for one in pictures],
    }
    left_out = f" {layout.left_out:,} more are not on the map." if layout.left_out else ""
    summary = (
        f"{counted(len(layout.paths), 'photograph')}; those that are alike lie close together. Point at one to see it,"
        f" zoom with the wheel, click a label to hide it.{left_out}"
    )
    return render(
        "map.html",
        styles=("page.css", "map.css"),
        scripts=("map.js",),
        title="Map of the features",
        summary=summary,
        data=data,
    )


def _of(shown: int, found: Sequence[object]) -> str:
    return f", the first {shown} shown" if len(found) > shown else ""
