"""The photographs that look most like others."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np

from embed import labels
from embed.cache import FeatureCache
from embed.errors import NoFeaturesError, UsageError
from embed.search.current import open_index
from embed.search.index import Index

BATCH = 256  # queries searched at once


class Query(Protocol):
    """A photograph with its features, as `embed.extract.embed_files` yields it."""

    @property
    def file(self) -> Path: ...
    @property
    def sha256(self) -> bytes | None: ...
    @property
    def features(self) -> np.ndarray | None:
        """Float32 (views, d); the first view is the one searched with."""

    @property
    def problem(self) -> str | None: ...


@dataclass(frozen=True)
class Answer:
    """A photograph of the feature set."""

    path: str
    similarity: float  # cosine, in [-1, 1]
    label: str | None


@dataclass(frozen=True)
class Answers:
    """What looks like one query, most similar first; or the reason why it could not be asked."""

    query: Path
    answers: list[Answer]
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which answers are wanted."""

    k: int = 10
    threshold: float = -1.0
    label: str | None = None
    split: str | None = None
    include_self: bool = False

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"-k {self.k} asks for nothing; it is 1 or more.")
        if not -1 <= self.threshold <= 1:
            raise UsageError(f"--threshold {self.threshold:g} is no similarity; it lies between -1 and 1.")


def similar(
    features: FeatureCache, queries: Iterable[Query], wanted: Wanted, *, label_rule: str = "folder"
) -> Iterator[Answers]:
    """Yield for each query the photographs of a feature set that are most similar to it.

    The index is read, or built, while the features of the first queries are computed. A photograph is not its own
    answer unless asked for, nor is a copy of it that lies elsewhere answered by its original; further copies in the
    data folder are answers.

    Raises NoFeaturesError where the set is empty, UsageError for a split that there is not, and LabelError where no
    photograph has the label or is in the split.
    """
    if len(features) == 0:
        raise NoFeaturesError(
            f"There is no photograph in {features.name}: run `embed extract` on some first."
        )
    with ThreadPoolExecutor(1) as background:
        opening = background.submit(open_index, features)
        labelled = labels.assign(features.paths.tolist(), label_rule, features.root)
        rows = _wanted_rows(labelled, wanted)
        remaining = iter(queries)
        while batch := list(islice(remaining, BATCH)):
            yield from _answered(features, opening.result(), batch, wanted, labelled.labels, rows)


def _wanted_rows(labelled: labels.Labels, wanted: Wanted) -> np.ndarray | None:
    """Return which rows may answer, bool (rows,), or None for all."""
    if wanted.label is None and wanted.split is None:
        return None
    label, split = ([one] if one is not None else None for one in (wanted.label, wanted.split))
    return labels.chosen(labelled.labels, labelled.splits, label=label, split=split)


def _answered(
    features: FeatureCache,
    index: Index,
    batch: list[Query],
    wanted: Wanted,
    label_of_row: np.ndarray,
    rows: np.ndarray | None,
) -> Iterator[Answers]:
    allowed = None
    if rows is not None:
        allowed = np.zeros(len(index.slots), bool)
        allowed[index.slots.of_row[rows]] = True
    vectors = [query.features[0] for query in batch if query.features is not None]
    # One content more than asked for: the query itself may be among them.
    found = iter(index.search(np.stack(vectors), wanted.k + 1, allowed) if vectors else [])
    for query in batch:
        if query.features is None:
            yield Answers(query.file, [], query.problem)
            continue
        slots, similarities = next(found)
        answers = []
        for slot, similarity in zip(slots, similarities, strict=True):
            if similarity < wanted.threshold:
                break
            same = index.slots.rows(slot)
            if index.slots.contents[slot].tobytes() == query.sha256 and not wanted.include_self:
                same = np.delete(same, _own(features, same, query.file))
            answers += [
                Answer(features.paths[row], float(similarity), label_of_row[row])
                for row in same
                if rows is None or rows[row]
            ]
        yield Answers(query.file, answers[: wanted.k])


def _own(features: FeatureCache, same: np.ndarray, file: Path) -> int:
    """Return which of the rows with the content of a query is the query itself.

    It is that very file; where the query lies elsewhere, a photograph that is gone, since the query may be where it went;
    and otherwise the first, whose copy the query is.
    """

    def distance(i: int) -> int:
        try:
            return 0 if (features.root / features.paths[same[i]]).samefile(file) else 2
        except OSError:
            return 1

    return min(range(len(same)), key=distance)
