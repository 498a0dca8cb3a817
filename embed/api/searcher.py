"""A feature set that stays open for many questions."""

from collections.abc import Callable, Iterable, Iterator
from copy import copy
from typing import TYPE_CHECKING, Any

from embed import search
from embed.cache import FeatureCache
from embed.errors import ImageError
from embed.extract import Embedder, RunOptions
from embed.images import Given

if TYPE_CHECKING:
    from embed.api.tables import PhotographTable
    from embed.search import Neighbours, Progress, Query

COLUMNS = ("query", "rank", "path", "similarity", "label")


class Searcher:
    """Finds what looks like a photograph, one question after another; any thread may ask.

    `Features.searcher` makes one. What the questions need is read, checked and opened once: the vectors, float32, 256 MiB at most,
    or an index that stays on disk; and with the first photograph that is not in the cache, its network.

    Examples
    --------
    >>> searcher = embed.open("cache").searcher()
    >>> searcher.similar("pictures/test/fish/fish-000.jpg", k=2)["rank"].tolist()
    [1, 2]
    """

    def __init__(
        self,
        features: FeatureCache,
        rule: str = "folder",
        *,
        device: str = "auto",
        progress: "Progress | None" = None,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._root = features.root
        self._index = search.Searcher(
            features, label_rule=rule, progress=progress or search.silent, notice=notice
        )
        self._embedder = Embedder(features, RunOptions(device=device), notice)

    def similar(
        self,
        files: Any,
        k: int = 10,
        *,
        threshold: float = -1.0,
        label: str | None = None,
        split: str | None = None,
        include_self: bool = False,
    ) -> "PhotographTable":
        """Return the photographs that look most like others, as `Features.similar` does.

        Raises
        ------
        InputError
            Something is no photograph; the message says which.
        ImageError
            A photograph cannot be read.
        LabelError
            No photograph has the label, or is in the split.
        UsageError
            An argument has a value that cannot work.
        """
        from embed.api import tables

        rows = []
        options = {"threshold": threshold, "label": label, "split": split, "include_self": include_self}
        for found in self.neighbours(files, k, **options):
            if found.problem is not None:
                raise ImageError(f"{found.query} {found.problem}")
            rows += [
                (str(found.query), rank, one.path, one.similarity, one.label)
                for rank, one in enumerate(found.neighbours, 1)
            ]
        return tables.table(self._root, rows, COLUMNS)

    def neighbours(self, files: Any, k: int = 10, **options: Any) -> "Iterator[Neighbours]":
        """Yield what looks like each photograph, as soon as it is found; one that cannot be read is told with its ``problem``.

        Parameters
        ----------
        files, k
            As for `Features.similar`.
        **options
            threshold, label, split and include_self, as there.
        """
        asked = search.SimilarOptions(k=k, **options)
        return self._index.similar(self._embedder.embed(Given(files, folders=True)), asked)

    def ask(self, queries: "Iterable[Query]", k: int = 10, **options: Any) -> "Iterator[Neighbours]":
        """Yield what looks like each of some queries whose features are known.

        Parameters
        ----------
        queries : iterable
            With a file, a sha256 (empty where it is of no photograph), features of shape (views, d) and a problem.
        k, **options
            As for `neighbours`.
        """
        return self._index.similar(queries, search.SimilarOptions(k=k, **options))

    def relabelled(self, rule: str) -> "Searcher":
        """Return one that knows the labels as they are now, and shares all that was read and opened."""
        other = copy(self)
        other._index = self._index.relabelled(rule)
        return other
