"""A page of photographs in groups: answers to queries, duplicates, outliers, doubtful labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from embed.report.page import render, text
from embed.report.thumbnails import thumbnails

THUMBNAIL_PIXELS = 256  # sharp at the width of a card on a screen of high density


@dataclass(frozen=True)
class Card:
    """One photograph and the words below it."""

    file: Path
    path: str  # as it is to be read
    name: str = ""  # label, in bold
    figure: str = ""  # similarity or probability
    note: str = ""
    lead: bool = False  # framed: what the others of the group are compared with


@dataclass(frozen=True)
class Group:
    """Photographs that belong together."""

    title: str
    cards: Sequence[Card]
    note: str = ""


def gallery(title: str, groups: Sequence[Group], *, summary: str = "") -> str:
    """Return a self-contained page with a thumbnail of every photograph; one that cannot be read says why."""
    files = list(dict.fromkeys(card.file for group in groups for card in group.cards))
    pictures = dict(zip(files, thumbnails(files, THUMBNAIL_PIXELS), strict=True))
    sections = []
    for group in groups:
        note = f'<p class="faint">{text(group.note)}</p>' if group.note else ""
        cards = "\n".join(_card(card, pictures[card.file].html) for card in group.cards)
        sections.append(
            f'<section><h2>{text(group.title)}</h2>{note}\n<ul class="cards">\n{cards}\n</ul></section>'
        )
    return render(title, "\n".join(sections), summary=summary)


def card(
    image: str,
    path: str,
    *,
    name: str = "",
    figure: str = "",
    note: str = "",
    lead: bool = False,
    tone: str = "",
) -> str:
    """Return one card; `image` is HTML, the rest is plain text; `tone` is "good", "bad" or neither, for the name."""
    frame = "card lead" if lead else "card"
    first = ""
    if name or figure:
        first = (
            f'<div class="first"><span class="name {tone}">{text(name)}</span>'
            f'<span class="figure">{text(figure)}</span></div>'
        )
    below = f"<div>{text(note)}</div>" if note else ""
    return (
        f'<li class="{frame}"><div class="picture">{image}</div>'
        f'<div class="words">{first}{below}<div class="path">{text(path)}</div></div></li>'
    )


def _card(one: Card, image: str) -> str:
    return card(image, one.path, name=one.name, figure=one.figure, note=one.note, lead=one.lead)
