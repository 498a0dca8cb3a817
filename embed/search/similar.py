"""The photographs that look most like others."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from embed import labels, sources
from embed.cache import FeatureCache
from embed.errors import CacheLockedError, CacheWriteError, UsageError
from embed.search.current import open_index, silent
from embed.search.index import Index
from embed.search.store import Progress, StoreUnreachableError
from embed.search.vectors import check_not_empty
from embed.sources import Address

BATCH = 256  # queries searched at once


class Query(Protocol):
    """A photograph with its features, as `embed.extract.embed_files` yields it."""

    @property
    def file(self) -> Address: ...
    @property
    def sha256(self) -> bytes | None: ...
    @property
    def features(self) -> np.ndarray | None:
        """Of shape (views, d), float32; the first view is the one searched with."""

    @property
    def problem(self) -> str | None: ...


@dataclass(frozen=True)
class Neighbour:
    """A photograph of the feature set that looks like a query.

    Attributes
    ----------
    path : str
        Relative to the data folder.
    similarity : float
        The cosine, in [-1, 1].
    label : str or None
    """

    path: str
    similarity: float
    label: str | None


@dataclass(frozen=True)
class Neighbours:
    """What looks like one query, most similar first; or the problem for which it could not be asked.

    Attributes
    ----------
    query : Path
    neighbours : list of Neighbour
    problem : str or None
    closest : Neighbour or None
        The most similar photograph, where none is as similar as was asked for.
    """

    query: Address
    neighbours: list[Neighbour]
    problem: str | None = None
    closest: Neighbour | None = None


@dataclass(frozen=True, kw_only=True)
class SimilarOptions:
    """Which photographs are asked for.

    Parameters
    ----------
    k : int
        Most for each query.
    threshold : float
        Least similarity.
    label, split : str, optional
        Only photographs with this label, in this split.
    include_self : bool
        A photograph may be its own neighbour.

    Raises
    ------
    UsageError
        A value cannot work.
    """

    k: int = 10
    threshold: float = -1.0
    label: str | None = None
    split: str | None = None
    include_self: bool = False

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"{self.k} asks for nothing; it is 1 or more.", "k")
        check_similarity(self.threshold)


def check_similarity(threshold: float) -> None:
    """Refuse a threshold that is no cosine. Raises UsageError."""
    if not -1 <= threshold <= 1:
        raise UsageError(f"{threshold:g} is no similarity; it lies between -1 and 1.", "threshold")


class Searcher:
    """A feature set opened for many questions; any thread may ask.

    What they need is read and checked once. Where everything is compared, that is the vectors, float32 of length one, 256 MiB
    at most; where there is an index it stays mapped, and the features of its candidates are read and checked each time.

    Parameters
    ----------
    features, label_rule, progress, notice
        As in `similar`, with what that raises.
    """

    def __init__(
        self,
        features: FeatureCache,
        *,
        label_rule: str = "folder",
        progress: Progress = silent,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        check_not_empty(features)
        self._index = _opened(features, progress, notice).keep()
        self._labels = labels.of(features, label_rule)

    def relabelled(self, label_rule: str) -> "Searcher":
        """Return one that knows the labels as they are now, and shares all that was read."""
        other = copy(self)
        other._labels = labels.of(self._index.features, label_rule)
        return other

    def similar(self, queries: Iterable[Query], options: SimilarOptions) -> Iterator[Neighbours]:
        """Yield for each query the photographs that are most similar to it; see the function `similar`."""
        allowed = _allowed_rows(self._labels, options)
        remaining = iter(queries)
        while batch := list(islice(remaining, BATCH)):
            yield from _neighbours(self._index, batch, options, self._labels.labels, allowed)


def similar(
    features: FeatureCache,
    queries: Iterable[Query],
    options: SimilarOptions,
    *,
    label_rule: str = "folder",
    progress: Progress = silent,
    notice: Callable[[str], None] = lambda _: None,
) -> Iterator[Neighbours]:
    """Yield for each query the photographs of a feature set that are most similar to it.

    The index is read, or built, while the features of the first queries are computed; where it cannot be kept, or
    another process is building it, everything is compared. A photograph is not its own neighbour unless asked for, nor is
    the original of a copy that lies elsewhere; further copies in the data folder are.

    Parameters
    ----------
    features : FeatureCache
    queries : iterable of Query
    options : SimilarOptions
    label_rule : str
        Where labels and splits come from.
    progress : callable
        Is told how far the building of an index is.
    notice : callable
        Is told, in a sentence, why there is no index where there should be one.

    Raises
    ------
    NoFeaturesError
        The set is empty.
    UsageError
        There is no such split.
    LabelError
        No photograph has the label, or is in the split.
    """
    check_not_empty(features)
    with ThreadPoolExecutor(1) as background:
        opening = background.submit(_opened, features, progress, notice)
        labelled = labels.of(features, label_rule)
        rows = _allowed_rows(labelled, options)
        remaining = iter(queries)
        while batch := list(islice(remaining, BATCH)):
            yield from _neighbours(opening.result(), batch, options, labelled.labels, rows)


def _opened(features: FeatureCache, progress: Progress, notice: Callable[[str], None]) -> Index:
    try:
        return open_index(features, progress=progress)
    except (CacheLockedError, CacheWriteError, StoreUnreachableError) as error:
        notice(f"There is no index, so every photograph is compared: {error}")
        return Index(features)


def _allowed_rows(labelled: labels.Labels, options: SimilarOptions) -> NDArray[np.bool_] | None:
    """Return which rows may be found, bool (rows,), or None for all."""
    if options.label is None and options.split is None:
        return labelled.asked
    label, split = ([one] if one is not None else None for one in (options.label, options.split))
    rows = labels.chosen(labelled.labels, labelled.splits, label=label, split=split)
    return rows if labelled.asked is None else rows & labelled.asked


def _neighbours(
    index: Index,
    batch: list[Query],
    options: SimilarOptions,
    label_of_row: NDArray[np.object_],
    allowed: NDArray[np.bool_] | None,
) -> Iterator[Neighbours]:
    features = index.features
    vectors = [query.features[0] for query in batch if query.features is not None]
    # One content more than asked for: the query itself may be among them.
    found = index.search(np.stack(vectors), options.k + 1, allowed) if vectors else []
    rows = np.unique(np.concatenate([np.empty(0, np.int64), *(rows for rows, _ in found)]))
    copies = dict(zip(rows.tolist(), index.copies(rows), strict=True))
    remaining = iter(found)
    for query in batch:
        if query.features is None:
            yield Neighbours(query.file, [], query.problem)
            continue
        neighbours: list[Neighbour] = []
        closest = None
        for row, similarity in zip(*next(remaining), strict=True):
            if similarity < options.threshold and (neighbours or closest):
                break
            same = copies[int(row)]
            if features.sha256[row].tobytes() == query.sha256 and not options.include_self:
                same = np.delete(same, _own(features, same, query.file))
            near = [
                Neighbour(features.path(copy), float(similarity), label_of_row[copy])
                for copy in same.tolist()
                if allowed is None or allowed[copy]
            ]
            if similarity >= options.threshold:
                neighbours += near
            elif near:
                closest = near[0]
        yield Neighbours(query.file, neighbours[: options.k], closest=None if neighbours else closest)


def _own(features: FeatureCache, same: NDArray[np.int64], file: Address) -> int:
    """Return which of the rows with the content of a query is the query itself.

    It is that very file; where the query lies elsewhere, a photograph that is gone, since the query may be where it went;
    and otherwise the first, whose copy the query is.
    """

    file_of = sources.locator(features.root)

    def rank(i: int) -> int:
        try:
            own = file_of(features.path(int(same[i])))
            if own == file or isinstance(own, str) or isinstance(file, str):
                return 0 if own == file else 2
            return 0 if own.samefile(file) else 2
        except OSError:
            return 1

    return min(range(len(same)), key=rank)
