"""Galleries of what a search found."""

from collections.abc import Sequence
from pathlib import Path

from embed.report.gallery import Card, Group, gallery
from embed.search import Answers


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
    count = f"{len(groups)} photographs" if len(groups) != 1 else "one photograph"
    return gallery(
        "Similar photographs",
        groups,
        summary=f"What looks most like {count}; the figure is the cosine similarity, 1 is the same.",
    )
