"""Pages of what a search found: photographs in groups."""

import posixpath
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embed import sources
from embed.report.page import counted, render, sure
from embed.report.pictures import Card, Pictures, Progress, silent

if TYPE_CHECKING:
    from embed.learn import LabelIssues
    from embed.search import DuplicateGroup, Neighbours, Outlier

CARD_PIXELS = 256  # sharp at the width of a card on a screen of high density
DUPLICATE = {"identical": "the same file", "same": "the same picture", "alike": "looks alike"}


class Gallery:
    """Photographs in groups, with words below each.

    Parameters
    ----------
    root : path, or URL as text
        The data folder, or where else the photographs are.
    files : iterable of path
        All photographs of the page: as text by their names there, and paths and URLs as they are.
    progress : callable
        Is told how many of them have been read.
    """

    def __init__(self, root: Path | str, files: Iterable[str | Path], progress: Progress) -> None:
        self._file_of = sources.locator(root)
        self.groups: list[dict[str, Any]] = []
        self._pictures = Pictures(CARD_PIXELS, progress=progress)
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

    def _file(self, file: str | Path) -> sources.Address:
        given = sources.address(file)
        return file if isinstance(file, Path) else given if isinstance(given, str) else self._file_of(file)


def similar_page(root: Path | str, found: "Sequence[Neighbours]", progress: Progress = silent) -> str:
    """Return a page with each query and the photographs that look like it.

    Parameters
    ----------
    root : path, or URL as text
        The data folder that the paths of the neighbours are relative to.
    found : sequence of Neighbours
        What `embed.search.similar` yields.
    progress : callable
        Is told what is done, and how many photographs of how many; as of the other pages.
    """
    gallery = Gallery(
        root,
        [
            *(one.query for one in found),
            *(each.path for one in found for each in one.neighbours),
            *(one.closest.path for one in found if one.closest is not None),
        ],
        progress,
    )
    for one in found:
        cards = [
            gallery.card(each.path, name=each.label or "", figure=f"{each.similarity:.3f}")
            for each in one.neighbours
        ]
        lead = gallery.card(one.query, posixpath.basename(str(one.query)), name="query", lead=True)
        note = one.problem or ""
        if one.closest is not None:
            note = f"Nothing is that similar; the closest has {one.closest.similarity:.3f}:"
            cards = [
                gallery.card(
                    one.closest.path, name=one.closest.label or "", figure=f"{one.closest.similarity:.3f}"
                )
            ]
        gallery.add(str(one.query), [lead, *cards], note)
    asked = counted(len(found), "photograph")
    return gallery.page(
        "Similar photographs",
        f"What looks most like {asked}; the figure is the cosine similarity, 1 is the same.",
    )


def duplicates_page(
    root: Path | str, found: "Sequence[DuplicateGroup]", shown: int, progress: Progress = silent
) -> str:
    """Return a page with the groups of photographs that show the same picture, as many as are to be shown."""
    gallery = Gallery(root, [one.path for group in found[:shown] for one in group.photographs], progress)
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


def outliers_page(
    root: Path | str, found: "Sequence[Outlier]", shown: int, progress: Progress = silent
) -> str:
    """Return a page with the photographs that are furthest from all others."""
    gallery = Gallery(root, [one.path for one in found[:shown]], progress)
    cards = [
        gallery.card(one.path, name=one.label or "", figure=f"{one.similarity:.3f}") for one in found[:shown]
    ]
    gallery.add("Furthest from all others", cards)
    return gallery.page("Outliers", "The figure is the mean similarity to the ten nearest others.")


def label_issues_page(root: Path | str, found: "LabelIssues", shown: int, progress: Progress = silent) -> str:
    """Return a page with the photographs whose label the others contradict: first those that are probably wrong."""
    gallery = Gallery(root, [one.path for one in found[:shown]], progress)
    for title, wrong in (("Probably wrong", True), ("Doubtful", False)):
        cards = [
            gallery.card(
                one.path,
                label=one.label,
                predicted=one.suggested,
                sure=one.suggested_probability,
                note=(one.label, sure(one.probability)),
            )
            for one in found[:shown]
            if one.probably_wrong is wrong
        ]
        if cards:
            gallery.add(title, cards, "The likeliest first." if wrong else "")
    summary = found.in_words
    if found:
        summary += (
            f" {counted(len(found), 'photograph')} whose label is not the one that the others suggest{_of(shown, found)};"
            " the figures are probabilities by a classifier that did not see the photograph."
        )
    return gallery.page("Label issues", summary)


def _of(shown: int, found: Sequence[object]) -> str:
    return f", the first {shown} shown" if len(found) > shown else ""
