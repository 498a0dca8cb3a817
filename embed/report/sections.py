"""The sections of a report that show photographs."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from embed.cache import Failure
from embed.explain import ClassMap
from embed.labels import Labels
from embed.learn.evaluation import Evaluation
from embed.learn.splits import NearDuplicates
from embed.report import tables
from embed.report.gallery import card
from embed.report.page import counted, text
from embed.report.photographs import SMALL, Photographs

TOP_LOSSES = 24  # photographs in that gallery
MISCLASSIFIED = 48
PAIRS, PHOTOGRAPHS_OF_PAIR = 6, 6
NEAR_PAIRS = 12
CONTACT_SHEET, MOST_OF_CLASS = 240, 12  # photographs in all, and of one class
SHEETS = 60  # classes with a contact sheet
FAILURES = 100  # files in the table

Maps = Mapping[str, Sequence[ClassMap]]  # path → the map of the class said, then that of the true class


def grid(cards: Sequence[str]) -> str:
    """Cards side by side."""
    return f'<ul class="cards">{"".join(cards)}</ul>'


def top_losses(evaluation: Evaluation, photographs: Photographs, maps: Maps, method: str | None) -> str:
    """The photographs whose true class was given the least probability, with what spoke for either class."""
    order = top_loss_positions(evaluation)
    photographs.fetch(evaluation.paths[order])
    cards = []
    for i in order:
        found = maps.get(evaluation.paths[i], ())
        heat = [(style, one.cells) for style, one in zip(("said", "true"), found, strict=False)]
        cards.append(_judged(evaluation, i, photographs.image(evaluation.paths[i], heat=heat)))
    if not maps:
        return grid(cards)
    # Radio buttons before the grid, so that the page needs no script.
    choice = "".join(
        f'<input type="radio" name="heat" id="heat-{key}" class="choose-{key}"{checked}><label for="heat-{key}">{words}</label>'
        for key, words, checked in (
            ("none", "photograph", ""),
            ("said", "what spoke for the class that was said", " checked"),
            ("true", "what spoke for the true class", ""),
        )
    )
    legend = (
        '<p class="legend faint"><span class="swatch for"></span>speaks for the class'
        f'<span class="swatch against"></span>speaks against it<span>{text(method or "")}</span></p>'
    )
    return f'<div class="choices">{choice}{legend}{grid(cards)}</div>'


def top_loss_positions(evaluation: Evaluation) -> np.ndarray:
    """Positions of the photographs of that gallery, worst first, int ndarray."""
    return np.argsort(-evaluation.losses, kind="stable")[:TOP_LOSSES]


def misclassified(evaluation: Evaluation, photographs: Photographs) -> str:
    """All other photographs of which the wrong class was said, the surest first; empty where there are none."""
    shown = set(top_loss_positions(evaluation).tolist())
    wrong = [i for i in np.flatnonzero(evaluation.predicted != evaluation.true) if i not in shown]
    if not wrong:
        return ""
    sure = evaluation.probabilities[wrong, evaluation.predicted[wrong]]
    order = [wrong[i] for i in np.argsort(-sure, kind="stable")[:MISCLASSIFIED]]
    photographs.fetch(evaluation.paths[order])
    cards = [_judged(evaluation, i, photographs.image(evaluation.paths[i])) for i in order]
    return _cut(len(order), len(wrong), "the surest first") + grid(cards)


def confused_pairs(evaluation: Evaluation, photographs: Photographs) -> str:
    """The pairs of classes confused most often, with photographs; empty where nothing was confused."""
    parts = []
    column = {label: k for k, label in enumerate(evaluation.classes)}
    for pair in evaluation.most_confused(PAIRS).to_dict("records"):
        true, said = column[pair["true"]], column[pair["predicted"]]
        members = np.flatnonzero((evaluation.true == true) & (evaluation.predicted == said))
        order = members[np.argsort(-evaluation.probabilities[members, said], kind="stable")]
        order = order[:PHOTOGRAPHS_OF_PAIR]
        photographs.fetch(evaluation.paths[order])
        cards = [_judged(evaluation, i, photographs.image(evaluation.paths[i])) for i in order]
        parts.append(
            f"<h3>{text(pair['true'])} <span>taken for</span> {text(pair['predicted'])}</h3>"
            f'<p class="faint">{counted(pair["count"], "time")}, {pair["share"]:.0%} of {text(pair["true"])}</p>{grid(cards)}'
        )
    return "".join(parts)


def contact_sheets(paths: np.ndarray, labels: Labels, photographs: Photographs) -> str:
    """A few photographs of every class, spread evenly over it."""
    classes = labels.classes
    each = int(np.clip(CONTACT_SHEET // max(1, len(classes)), 3, MOST_OF_CLASS))
    parts = [_cut(SHEETS, len(classes), "in alphabetical order", "classes")] if len(classes) > SHEETS else []
    counts = labels.counts
    for label in classes[:SHEETS]:
        members = np.flatnonzero(labels.labels == label)
        chosen = members[np.linspace(0, len(members) - 1, min(each, len(members))).astype(int)]
        photographs.fetch(paths[chosen], SMALL)
        pictures = "".join(
            f'<li title="{text(paths[i])}">{photographs.image(paths[i], SMALL)}</li>' for i in chosen
        )
        parts.append(
            f'<div class="sheet"><h3>{text(label)} <span>{counts[label]:,}</span></h3><ul>{pictures}</ul></div>'
        )
    return "".join(parts)


def near_duplicates(near: NearDuplicates, paths: np.ndarray, labels: Labels, photographs: Photographs) -> str:
    """Photographs that are scored beside what they nearly equal in training."""
    cards = []
    for scored, trained, cosine in near.pairs[:NEAR_PAIRS]:
        for role, row in (("scored", scored), ("trained on", trained)):
            name = labels.labels[row] or ""
            image = photographs.image(paths[row])
            cards.append(card(image, paths[row], name=name, figure=f"{cosine:.3f}", note=role))
    return _cut(min(NEAR_PAIRS, len(near.pairs)), len(near.pairs), "the most alike", "pairs") + grid(cards)


def failures(failed: Sequence[Failure]) -> str:
    """Files without features, and why."""
    reasons = Counter(failure.reason for failure in failed)
    often = "".join(f"<li>{count} × {text(reason)}</li>" for reason, count in reasons.most_common(10))
    table = tables.plain(
        ("file", "reason"), ((failure.path, failure.reason) for failure in failed[:FAILURES])
    )
    return f"<ul>{often}</ul>" + _cut(FAILURES, len(failed), "by name", "files") + table


def _judged(evaluation: Evaluation, i: int, image: str) -> str:
    of_true = evaluation.probabilities[i, evaluation.true[i]] if evaluation.true[i] >= 0 else 0.0
    return card(
        image,
        evaluation.paths[i],
        name=evaluation.classes[evaluation.predicted[i]],
        figure=f"{evaluation.probabilities[i, evaluation.predicted[i]]:.1%}",
        tone="good" if evaluation.predicted[i] == evaluation.true[i] else "bad",
        note=f"is {evaluation.y[i]} ({of_true:.1%}), loss {evaluation.losses[i]:.2f}",
    )


def _cut(shown: int, there: int, order: str, what: str = "photographs") -> str:
    if shown >= there:
        return ""
    return f'<p class="faint">{shown} of {there:,} {what}, {order}.</p>'
