"""What a feature set is like: what is there twice, far from all others or doubtfully labelled; and classifiers side by side."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embed.api.photographs import Photographs
from embed.arguments import Seed, checked
from embed.labels import with_where

if TYPE_CHECKING:
    from embed.learn import Compared, FitOptions, LabelIssues
    from embed.search import DuplicateGroup, Layout, Matrix, Neighbours, Outlier, Progress


class Analysed(Photographs):
    """A whole feature set, and what it is like.

    Lists of results become tables by ``pandas.DataFrame(found)``. Where a method takes `where`, it is about the photographs
    as this condition says; see `select`. `progress` is told what is done, and how many photographs of how many.
    """

    @checked
    def duplicates(
        self,
        threshold: float | None = None,
        *,
        grade: str = "same",
        across_splits: bool = False,
        where: str | None = None,
        progress: "Progress | None" = None,
        notice: Callable[[str], None] = lambda _: None,
    ) -> "list[DuplicateGroup]":
        """Return the groups of photographs that show the same picture; first those whose labels disagree.

        Copies, and pictures saved again, scaled, flipped, turned, cropped, without colours or with a watermark. The features name
        candidates, the pixels decide; what was found is kept in the cache. `embed.api.put_aside` tidies them up.

        Parameters
        ----------
        threshold : float, optional
            Least similarity (the cosine) of photographs that look alike, which are then told as well; by default what the feature
            set suggests.
        grade : {"identical", "same", "alike"}
            What is told: the same file; the same picture as well; what only looks alike as well.
        across_splits : bool
            Only groups with photographs of more than one split.
        where : str, optional
        progress : callable, optional
        notice : callable
            Is told, in a sentence, of photographs that cannot be looked at.

        Raises
        ------
        UsageError
            The threshold is no similarity, there is no such grade, or too many pairs are above the threshold.

        Examples
        --------
        >>> groups = embed.open("cache").duplicates()
        >>> [len(group.photographs) for group in groups]
        []
        """
        from embed import search

        return search.duplicates(
            self._cache,
            threshold,
            grade=grade,
            across_splits=across_splits,
            label_rule=with_where(self._rule, where),
            progress=progress or search.silent,
            notice=notice,
        )

    @checked
    def outliers(
        self,
        *,
        where: str | None = None,
        progress: "Progress | None" = None,
        notice: Callable[[str], None] = lambda _: None,
    ) -> "list[Outlier]":
        """Return every photograph with its mean similarity to the ten nearest others, the furthest first.

        Parameters
        ----------
        where : str, optional
        progress : callable, optional
        notice : callable
            Is told, in a sentence, where the neighbours are not found by comparing everything.

        Examples
        --------
        >>> import pandas
        >>> pandas.DataFrame(embed.open("cache").outliers()).columns.tolist()
        ['path', 'similarity', 'label']
        """
        from embed import search

        return search.outliers(
            self._cache,
            label_rule=with_where(self._rule, where),
            progress=progress or search.silent,
            notice=notice,
        )

    @checked
    def mislabelled(
        self, *, group: str | None = None, where: str | None = None, progress: "Progress | None" = None
    ) -> "LabelIssues":
        """Return the photographs whose label the others contradict, the most doubtful first, and how many are probably wrong.

        Parameters
        ----------
        group : str, optional
            ``regex:PATTERN``, or a column of the table that labels: photographs with one match, or one value, do not judge
            one another.
        where : str, optional
        progress : callable, optional

        Raises
        ------
        LabelError
            Fewer than two labels have five photographs each, or none can be judged without its group.
        UsageError
            The group is no usable pattern, and no column.

        Examples
        --------
        >>> embed.open("cache").mislabelled()
        Traceback (most recent call last):
            ...
        embed.errors.LabelError: Doubtful labels can be found where at least two labels have 5 photographs each; ...
        """
        from embed import learn, search

        rule = with_where(self._rule, where)
        return learn.mislabelled(
            self._cache, label_rule=rule, group=group, progress=progress or search.silent
        )

    @checked
    def matrix(self, *, per_class: int = 4, random_state: Seed = 0, where: str | None = None) -> "Matrix":
        """Return how similar a few photographs of each class are.

        Parameters
        ----------
        per_class : int
            Photographs of each class, drawn at random.
        random_state : int
        where : str, optional

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

        rule = with_where(self._rule, where)
        return search.similarity_matrix(self._cache, per_class=per_class, seed=random_state, label_rule=rule)

    @checked
    def layout(self, *, limit: int = 3000, random_state: Seed = 0, where: str | None = None) -> "Layout":
        """Return a map: where photographs lie on a plane on which what is alike is close together.

        Parameters
        ----------
        limit : int
            Photographs at most, drawn at random.
        random_state : int
        where : str, optional

        Raises
        ------
        NoFeaturesError
            There is no photograph.
        UsageError
            `limit` is less than 1.

        Examples
        --------
        >>> embed.open("cache").layout(limit=10).positions.shape
        (10, 2)
        """
        from embed import search

        rule = with_where(self._rule, where)
        return search.layout(self._cache, limit=limit, seed=random_state, label_rule=rule)

    @checked
    def neighbours(
        self,
        files: Iterable[Path],
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
        files : iterable of Path
            Photographs, or folders of them.
        k, threshold, label, split, where, include_self
            As for `similar`.
        progress : callable, optional
        notice : callable
            Is told, in a sentence, why there is no index where there should be one.

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
            embed_files(expand(files), self._cache),
            options,
            label_rule=with_where(self._rule, where),
            progress=progress or search.silent,
            notice=notice,
        )

    @checked
    def index(
        self, kind: str = "auto", recall: float = 0.99, *, progress: "Progress | None" = None
    ) -> dict[str, Any]:
        """Build the search index, and measure what it does.

        Nothing needs this: `similar` builds an index by itself where comparing everything would take too long.

        Parameters
        ----------
        kind : {"auto", "exact", "compressed", "ivf", "hnsw"}
        recall : float
            Share of the true nearest that an approximate one finds.
        progress : callable, optional

        Returns
        -------
        dict
            kind, effort, vectors, recall with its 95 % interval, filtered_recall, queries, milliseconds, exact_milliseconds,
            megabytes.

        Raises
        ------
        UsageError
            There is no such kind, or no such recall.
        CacheWriteError, CacheLockedError
            The index cannot be kept, or another process is building it.

        Examples
        --------
        >>> figures = embed.open("cache").index()
        >>> figures["kind"], figures["recall"], figures["vectors"]
        ('exact', 1.0, 24)
        """
        from embed import search

        options = search.IndexOptions(kind, recall)
        built = search.open_index(self._cache, options, progress or search.silent)
        effort = 0 if built.store is None else built.store.effort
        return {"kind": built.kind, "effort": effort, **search.measured(built).to_json()}

    @checked
    def compare(
        self,
        classifiers: Sequence[str] | None = None,
        *,
        alone: bool = False,
        cv: int | str | None = 5,
        group: str | None = None,
        where: str | None = None,
        balanced: bool = False,
        random_state: Seed = 0,
    ) -> "Iterator[Compared]":
        """Yield the cross-validated score of classifiers on every feature set of the same photographs in the cache.

        Photographs in a test folder, or in a validation folder where there is no other, take no part: they stay for the one
        that you choose.

        Parameters
        ----------
        classifiers : sequence of str, optional
            As for `fit`; by default every one that has a name.
        alone : bool
            On this feature set only.
        cv, group, where, balanced, random_state
            As for `fit`.

        Raises
        ------
        LabelError
            There are no labels, or too few.
        UsageError
            An argument has a value that cannot work.

        Examples
        --------
        >>> [(row.classifier, row.n) for row in embed.open("cache").compare(["knn"], cv=2)]
        [('knn', 18)]
        """
        from embed import learn
        from embed.cache import FeatureCache, list_features

        options = self._fit_options(where, cv=cv, group=group, balanced=balanced, seed=random_state)
        others = [] if alone else [FeatureCache.open(one) for one in list_features(self.folder.parent)]
        sets = learn.same_photographs(self._cache, others)
        return learn.compare(sets, classifiers or list(learn.HEADS), options)

    @checked
    def learning_curve(
        self,
        classifiers: Sequence[str] = ("logistic",),
        *,
        group: str | None = None,
        where: str | None = None,
        balanced: bool = False,
        random_state: Seed = 0,
    ) -> "Iterator[Compared]":
        """Yield the accuracy of classifiers that were fitted on 2, 5, 10, ... photographs of each class.

        Parameters
        ----------
        classifiers : sequence of str
        group, where, balanced, random_state
            As for `fit`.

        Raises
        ------
        LabelError
            There are no labels, or too few.
        UsageError
            An argument has a value that cannot work.

        Examples
        --------
        >>> [row.per_class for row in embed.open("cache").learning_curve(["knn"])]
        [None]
        """
        from embed import learn

        options = self._fit_options(where, group=group, balanced=balanced, seed=random_state)
        return learn.learning_curve(self._cache, classifiers, options)

    def _fit_options(self, where: str | None, **options: Any) -> "FitOptions":
        from embed.learn import FitOptions

        return FitOptions(labels=with_where(self._rule, where), **options)
