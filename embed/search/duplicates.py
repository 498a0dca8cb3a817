"""Photographs that are there more than once: the same file, or the same picture saved, scaled, flipped, turned or cropped.

The features name candidates, the pixels decide; see `embed.search.alignment`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from embed import labels
from embed.cache import FeatureCache
from embed.errors import UsageError
from embed.search import pictures
from embed.search.current import silent
from embed.search.index import Index
from embed.search.likeness import likeness
from embed.search.pairs import Pairs, near_pairs
from embed.search.similar import check_similarity
from embed.search.store import Progress
from embed.search.vectors import SIMILARITY_DECIMALS, CachedVectors, Vectors

NEAREST = 5  # of each photograph that are looked at, where so many are similar enough
LOOKED_AT = 2000  # pairs of a small set that are looked at in any case, though more be of each
KEPT_VALUES = 1 << 28  # of vectors that are kept in memory, 1 GB; of more only the bounds are
MOST_PAIRS = 1 << 25  # that are put in groups; nobody looks at more
THINNED = 1 << 22  # candidates that are gathered before each photograph keeps its nearest


class Grade(StrEnum):
    """How surely photographs are one picture, the surest first."""

    IDENTICAL = "identical"  # the same file
    SAME = "same"  # the same picture, by its pixels
    ALIKE = "alike"  # similar features, and another picture as far as the pixels tell


@dataclass(frozen=True)
class Duplicate:
    """One photograph of a group.

    Attributes
    ----------
    path : str
    similarity : float
        Of its features to those of the first of the group: the cosine.
    label, split : str or None
    grade : Grade
        What it is to the first of the group; the first is what the surest of the others is to it.
    """

    path: str
    similarity: float
    label: str | None
    split: str | None
    grade: Grade


@dataclass(frozen=True)
class DuplicateGroup:
    """Photographs that are each the same as the first, or look like it."""

    photographs: list[Duplicate]

    @property
    def labels_disagree(self) -> bool:
        """Whether photographs of the group have different labels."""
        return len({one.label for one in self.photographs} - {None}) > 1

    @property
    def across_splits(self) -> bool:
        """Whether photographs of the group are in different splits."""
        return len({one.split for one in self.photographs} - {None}) > 1


def duplicates(
    features: FeatureCache,
    threshold: float | None = None,
    *,
    grade: str = Grade.SAME,
    across_splits: bool = False,
    label_rule: str = "folder",
    progress: Progress = silent,
    notice: Callable[[str], None] = lambda _: None,
) -> list[DuplicateGroup]:
    """Return the groups of photographs that show the same picture: first those whose labels disagree.

    The nearest of each photograph are compared with it by their pixels, as far as they are nearer than photographs of this set
    are by chance. What was found is kept. A group has a first photograph that all others are compared with: pictures that merely
    follow from one another do not run together. Takes at most 1.5 GB and some 700 bytes for each photograph.

    Parameters
    ----------
    features : FeatureCache
    threshold : float, optional
        Least similarity of photographs that look alike, which are then told as well; by default what this set suggests.
    grade : {"identical", "same", "alike"}
        What is told: no less sure than that.
    across_splits : bool
        Only groups with photographs of more than one split: what was trained on is tested with.
    label_rule : str
        Where labels and splits come from, and which photographs are asked for.
    progress : callable
        Is told what is done, and how many of how many.
    notice : callable
        Is told, in a sentence, of photographs that cannot be looked at.

    Raises
    ------
    UsageError
        The threshold is no similarity, there is no such grade, or more than 33 million pairs are similar enough.
    """
    if threshold is not None:
        check_similarity(threshold)
        grade = Grade.ALIKE
    if grade not in [*Grade]:
        raise UsageError(f"{grade!r} is not known; it is one of {', '.join(Grade)}", "grade")
    labelled = labels.of(features, label_rule)
    index = Index(features)
    distinct, copies = index.rows, index.copies(index.rows)
    if labelled.asked is not None:
        copies = [rows[labelled.asked[rows]] for rows in copies]
        distinct = distinct[[len(rows) > 0 for rows in copies]]
        copies = [rows for rows in copies if len(rows)]
    links = _Links()
    if grade != Grade.IDENTICAL and len(distinct) > 1:
        _link(links, features, distinct, threshold, Grade(grade), progress, notice)
    groups = []
    for members in _stars(np.array(list(map(len, copies)), np.int64), links):
        surest = min((one for _, _, one in members[1:]), key=[*Grade].index, default=Grade.IDENTICAL)
        if len(copies[members[0][0]]) > 1:
            surest = Grade.IDENTICAL
        members[0] = (*members[0][:2], surest)
        photographs = [
            Duplicate(
                features.path(row),
                similarity,
                labelled.labels[row],
                labelled.splits[row],
                of,
            )
            for number, similarity, of in members
            for row in copies[number].tolist()
        ]
        groups.append(DuplicateGroup(photographs))
    found = [group for group in groups if group.across_splits or not across_splits]
    rows = {id(group): features.index_of(group.photographs[0].path) or 0 for group in found}
    return sorted(found, key=lambda group: (not group.labels_disagree, rows[id(group)]))


class _Links:
    """Pairs of photographs that belong together, with how similar and how surely."""

    def __init__(self) -> None:
        self.pairs: list[Pairs] = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
        self.grades: list[NDArray[np.int8]] = [np.empty(0, np.int8)]

    def add(self, pairs: Pairs, grade: Grade) -> None:
        """Add pairs of one grade."""
        self.pairs.append(pairs)
        self.grades.append(np.full(len(pairs[0]), [*Grade].index(grade), np.int8))


def _link(
    links: _Links,
    features: FeatureCache,
    distinct: NDArray[np.int64],
    threshold: float | None,
    grade: Grade,
    progress: Progress,
    notice: Callable[[str], None],
) -> None:
    """Link photographs, told by their numbers among the distinct ones."""
    vectors: Vectors = CachedVectors(features, distinct)
    if len(vectors) * features.dimension <= KEPT_VALUES:
        vectors = vectors[np.arange(len(vectors))]
    usual = likeness(vectors)
    i, j, similarity = _nearest(vectors, usual.floor, progress)
    same, unseen = pictures.compare(features, distinct[i], distinct[j], progress)
    i, j, similarity = i[same], j[same], similarity[same]
    more_i, more_j = _not_compared(i, j)
    if len(more_i):
        same, _ = pictures.compare(features, distinct[more_i], distinct[more_j], progress)
        more_i, more_j = more_i[same], more_j[same]
        cosines = np.einsum("nd,nd->n", vectors[more_i], vectors[more_j], dtype=np.float64)
        i, j = np.concatenate([i, more_i]), np.concatenate([j, more_j])
        similarity = np.concatenate([similarity, np.minimum(cosines.round(SIMILARITY_DECIMALS), 1.0)])
    if unseen:
        row, why = next(iter(unseen.items()))
        notice(
            f"{len(unseen):,} of the photographs could not be compared, such as {features.path(row)}: {why}."
        )
    links.add((i, j, similarity), Grade.SAME)
    if grade != Grade.ALIKE:
        return
    known = set(zip(i.tolist(), j.tolist(), strict=True))
    count = 0
    least = usual.alike if threshold is None else threshold
    for some in near_pairs(vectors, least, progress):
        if (count := count + len(some[0])) > MOST_PAIRS:
            raise UsageError(
                f"{least:g} is met by more than {MOST_PAIRS:,} pairs; choose a higher one", "threshold"
            )
        other = np.array([pair not in known for pair in zip(some[0].tolist(), some[1].tolist(), strict=True)])
        links.add((some[0][other], some[1][other], some[2][other]), Grade.ALIKE)


def _not_compared(i: NDArray[np.int64], j: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of the one with the most copies, of each lot that hangs together, and those not compared with it.

    Of many versions of a picture each has others that are nearer than the one that all have in common.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows = np.unique(np.concatenate([i, j]))
    a, b = np.searchsorted(rows, i), np.searchsorted(rows, j)
    _, lot = connected_components(
        coo_array((np.ones(len(a)), (a, b)), (len(rows), len(rows))), directed=False
    )
    copies = np.bincount(np.concatenate([a, b]), minlength=len(rows))
    order = np.lexsort((np.arange(len(rows)), -copies, lot))
    first = order[np.unique(lot[order], return_index=True)[1]][lot]  # of the lot of each
    linked = {*zip(a.tolist(), b.tolist(), strict=True)}
    pairs = [
        sorted((one, centre))
        for one, centre in enumerate(first.tolist())
        if one != centre and not {(one, centre), (centre, one)} & linked
    ]
    found = rows[np.array(pairs, np.int64).reshape(-1, 2)]
    return found[:, 0], found[:, 1]


def _nearest(vectors: Vectors, floor: float, progress: Progress) -> Pairs:
    """Return the pairs of which one is among the nearest of the other, and that are similar enough."""
    found: Pairs = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    waiting: list[Pairs] = []
    for some in near_pairs(vectors, floor, progress):
        waiting.append(some)
        if sum(len(one[0]) for one in waiting) > THINNED:
            found, waiting = _thinned([found, *waiting], len(vectors)), []
    return _thinned([found, *waiting], len(vectors))


def _thinned(pairs: list[Pairs], count: int) -> Pairs:
    """Return the pairs of which one is among the nearest of the other, of those that are given."""
    i, j, similarity = map(np.concatenate, zip(*pairs, strict=True))
    one = np.concatenate([i, j])
    order = np.lexsort((np.concatenate([j, i]), -np.concatenate([similarity, similarity]), one))
    starts = np.concatenate([[0], np.cumsum(np.bincount(one, minlength=count))])
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - starts[one[order]]
    nearest = max(NEAREST, LOOKED_AT // count)
    keep = (rank[: len(i)] < nearest) | (rank[len(i) :] < nearest)
    return i[keep], j[keep], similarity[keep]


def _stars(copies: NDArray[np.int64], links: _Links) -> Iterator[list[tuple[int, float, Grade]]]:
    """Yield groups of (number, similarity to the first, grade), the first with the most neighbours that are still free.

    A content of which there are several copies is a group of its own if nothing else belongs to it.
    """
    i, j, similarities = map(np.concatenate, zip(*links.pairs, strict=True))
    grades = np.concatenate(links.grades)
    centres, others = np.concatenate([i, j]).astype(np.int32), np.concatenate([j, i]).astype(np.int32)
    similarities, grades = np.concatenate([similarities] * 2), np.concatenate([grades] * 2)
    order = np.lexsort((others, -similarities, grades, centres))
    others, similarities, grades = others[order], similarities[order], grades[order]
    neighbours = np.bincount(centres, minlength=len(copies))
    sure = np.bincount(centres[order][grades < [*Grade].index(Grade.ALIKE)], minlength=len(copies))
    starts = np.concatenate([[0], np.cumsum(neighbours)])
    free = (neighbours > 0) | (copies > 1)
    names = [*Grade]
    for centre in np.lexsort((-neighbours, -sure)).tolist():
        if not free[centre]:
            continue
        free[centre] = False
        around = slice(starts[centre], starts[centre + 1])
        near = [
            (one, similarity, names[grade])
            for one, similarity, grade in zip(
                others[around].tolist(), similarities[around].tolist(), grades[around].tolist(), strict=True
            )
            if free[one]
        ]
        free[[one for one, _, _ in near]] = False
        if near or copies[centre] > 1:
            yield [(centre, 1.0, Grade.IDENTICAL), *near]
