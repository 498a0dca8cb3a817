"""What a feature set looks like: similarity matrix, map and report."""

from typing import TYPE_CHECKING

from embed.api.photographs import Photographs
from embed.arguments import Seed, checked
from embed.labels import with_where

if TYPE_CHECKING:
    from embed.api.figures import Map, Page, SimilarityMatrix
    from embed.search import Progress


class Drawn(Photographs):
    """A whole feature set, and what is drawn of it: a notebook shows it, ``save`` writes it into a file."""

    @checked
    def matrix(
        self,
        *,
        per_class: int = 4,
        random_state: Seed = 0,
        where: str | None = None,
        progress: "Progress | None" = None,
    ) -> "SimilarityMatrix":
        """Return how similar a few photographs of each class are, or the means of more than 30 classes.

        Parameters
        ----------
        per_class : int
            Photographs of each class, drawn at random.
        random_state : int
        where : str, optional
        progress : callable, optional

        Raises
        ------
        LabelError
            No photograph has a label.
        UsageError
            `per_class` is less than 1.

        Examples
        --------
        >>> embed.open("cache").matrix(per_class=2).similarity.shape
        (12, 12)
        """
        from embed import search
        from embed.api.figures import SimilarityMatrix

        matrix = search.similarity_matrix(
            self._cache,
            per_class=per_class,
            seed=random_state,
            label_rule=with_where(self._rule, where),
            progress=progress or search.silent,
        )
        return SimilarityMatrix(self.root, matrix)

    @checked
    def map(
        self,
        *,
        limit: int = 100_000,
        random_state: Seed = 0,
        where: str | None = None,
        progress: "Progress | None" = None,
    ) -> "Map":
        """Return a map: where photographs lie on a plane on which what is alike is close together.

        It is made by t-SNE. Of more than a few thousand photographs some are placed so, and the others beside those that they are
        most like; with ``pip install 'embed-images[map]'`` all are.

        Parameters
        ----------
        limit : int
            Photographs at most, drawn at random.
        random_state : int
            The same features and the same seed give the same map.
        where : str, optional
        progress : callable, optional

        Raises
        ------
        NoFeaturesError
            There is no photograph.
        UsageError
            `limit` is less than 1.

        Examples
        --------
        >>> drawn = embed.open("cache").map(limit=10)
        >>> drawn.table.columns.tolist(), len(drawn.table), drawn.left_out
        (['path', 'label', 'x', 'y'], 10, 14)
        >>> drawn.save("map.csv").name
        'map.csv'
        """
        from embed import search
        from embed.api.figures import Map

        placed = search.layout(
            self._cache,
            limit=limit,
            seed=random_state,
            label_rule=with_where(self._rule, where),
            progress=progress or search.silent,
        )
        return Map(self.root, placed)

    @checked
    def report(
        self, model: str | None = None, *, maps: bool = True, progress: "Progress | None" = None
    ) -> "Page":
        """Return a report on the model, or where nothing has been fitted on the photographs, as one page.

        Parameters
        ----------
        model : str, optional
            Its name; by default the one fitted last.
        maps : bool
            With class-activation maps of the top losses, which takes the network.
        progress : callable, optional

        Raises
        ------
        ModelError
            The model that was named is missing, or the one to be used is damaged.

        Examples
        --------
        >>> features = embed.open("cache")
        >>> features.report(maps=False).save("report.html").name
        'report.html'
        """
        from embed import report, search
        from embed.api.figures import Page
        from embed.api.scores import EXPLAINED, review

        seen = review(
            self._cache,
            model,
            labels=self._rule,
            explained=EXPLAINED if maps else 0,
            progress=progress or search.silent,
        )
        return Page(report.report_page(seen, progress or search.silent), f"Report on {self.name}")
