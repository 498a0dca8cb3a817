"""What looks like a photograph."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embed.api.analysis import Analysed
from embed.arguments import checked
from embed.cache import FeatureCache
from embed.labels import with_where

if TYPE_CHECKING:
    from embed.api.searcher import Searcher
    from embed.api.tables import PhotographTable
    from embed.search import Neighbours, Progress


class Asked(Analysed):
    """A whole feature set that is asked what looks like a photograph."""

    def __init__(self, cache: FeatureCache, labels: str) -> None:
        super().__init__(cache, labels)
        self._kept_searcher: Searcher | None = None

    @checked
    def similar(
        self,
        files: Any,
        k: int = 10,
        *,
        threshold: float = -1.0,
        label: str | None = None,
        split: str | None = None,
        where: str | None = None,
        include_self: bool = False,
    ) -> "PhotographTable":
        """Return the photographs that look most like others, in the cache or not.

        The first call opens a `Searcher`, and keeps it for the next.

        Parameters
        ----------
        files : one photograph or several
            As for `ImageFeatures.transform`; the path of a folder stands for the photographs in it.
        k : int
            Neighbours for each.
        threshold : float
            Only photographs at least this similar.
        label, split : str, optional
            Only photographs with this label, in this split.
        where : str, optional
            Only photographs as this condition says; see `select`.
        include_self : bool
            A photograph may be its own neighbour.

        Returns
        -------
        DataFrame
            One row per neighbour, the most similar first: query, rank (from 1), path, similarity (the cosine), label.

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

        Examples
        --------
        >>> found = embed.open("cache").similar("pictures/test/fish/fish-000.jpg", k=3)
        >>> found.columns.tolist(), len(found)
        (['query', 'rank', 'path', 'similarity', 'label'], 3)
        """
        if where is None:
            if self._kept_searcher is None:
                self._kept_searcher = self.searcher()
            searcher = self._kept_searcher
        else:
            searcher = self.searcher(where=where)
        return searcher.similar(
            files, k, threshold=threshold, label=label, split=split, include_self=include_self
        )

    @checked
    def searcher(
        self,
        *,
        where: str | None = None,
        device: str = "auto",
        progress: "Progress | None" = None,
        notice: Callable[[str], None] = lambda _: None,
    ) -> "Searcher":
        """Return what answers many questions, one after another or from several threads.

        Parameters
        ----------
        where : str, optional
            Only photographs as this condition says are found; see `select`.
        device : {"auto", "cpu", "gpu"}
        progress : callable, optional
            Is told how far the building of an index is.
        notice : callable
            Is told, in a sentence, why there is no index where there should be one, and where the network has to be prepared.

        Examples
        --------
        >>> embed.open("cache").searcher().similar("pictures/test/sun/sun-000.jpg", k=2).shape
        (2, 5)
        """
        from embed.api.searcher import Searcher

        rule = with_where(self._rule, where)
        return Searcher(self._cache, rule, device=device, progress=progress, notice=notice)

    @checked
    def neighbours(
        self,
        files: Iterable[str | Path],
        k: int = 10,
        *,
        threshold: float = -1.0,
        label: str | None = None,
        split: str | None = None,
        where: str | None = None,
        include_self: bool = False,
        progress: "Progress | None" = None,
        notice: Callable[[str], None] = lambda _: None,
    ) -> "Iterator[Neighbours]":
        """Yield what looks like each of many files, as `similar` finds it, as soon as it is found.

        A file that cannot be read is told with its ``problem``, and the others go on. Nothing is kept for another call.

        Parameters
        ----------
        files : iterable of path or URL
            Photographs, or folders and archives of them.
        k, threshold, label, split, where, include_self
            As for `similar`.
        progress : callable, optional
        notice : callable
            Is told, in a sentence, why there is no index where there should be one, and where the network has to be prepared.

        Raises
        ------
        InputError
            A folder holds no photograph, or cannot be read.
        LabelError, UsageError
            As for `similar`.

        Examples
        --------
        >>> from pathlib import Path
        >>> [len(found.neighbours) for found in embed.open("cache").neighbours([Path("pictures/test/fish")], k=3)]
        [3]
        """
        from embed import search
        from embed.extract import embed_files
        from embed.sources import expand

        options = search.SimilarOptions(
            k=k, threshold=threshold, label=label, split=split, include_self=include_self
        )
        return search.similar(
            self._cache,
            embed_files(expand(files), self._cache, notify=notice),
            options,
            label_rule=with_where(self._rule, where),
            progress=progress or search.silent,
            notice=notice,
        )
