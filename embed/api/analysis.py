"""What a feature set is like: what is there twice, far from all others or doubtfully labelled; and classifiers side by side."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from embed.api.drawn import Drawn
from embed.arguments import Seed, checked
from embed.labels import with_where

if TYPE_CHECKING:
    from embed.api.tables import PhotographTable
    from embed.learn import Compared, FitOptions
    from embed.search import Progress


class Analysed(Drawn):
    """A whole feature set, and what it is like.

    A notebook shows what is returned with its photographs. Where a method takes `where`, it is about the photographs
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
    ) -> "PhotographTable":
        """Return the photographs that show the same picture, in groups; first those whose labels disagree.

        Copies, and pictures saved again, scaled, flipped, turned, cropped, without colours or with a watermark. The features name
        candidates, the pixels decide; what was found is kept in the cache. `embed.api.put_aside` tidies up the groups that
        `embed.api.duplicates` returns.

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

        Returns
        -------
        DataFrame
            group (from 1), path, similarity (the cosine to the first of the group), label, split, grade.

        Raises
        ------
        UsageError
            The threshold is no similarity, there is no such grade, or too many pairs are above the threshold.

        Examples
        --------
        >>> embed.open("cache").duplicates(threshold=0.99).columns.tolist()
        ['group', 'path', 'similarity', 'label', 'split', 'grade']
        """
        from embed import search
        from embed.api import tables

        found = search.duplicates(
            self._cache,
            threshold,
            grade=grade,
            across_splits=across_splits,
            label_rule=with_where(self._rule, where),
            progress=progress or search.silent,
            notice=notice,
        )
        rows = [
            (number, one.path, one.similarity, one.label, one.split, str(one.grade))
            for number, group in enumerate(found, 1)
            for one in group.photographs
        ]
        return tables.table(self.root, rows, ("group", "path", "similarity", "label", "split", "grade"))

    @checked
    def outliers(
        self,
        *,
        where: str | None = None,
        progress: "Progress | None" = None,
        notice: Callable[[str], None] = lambda _: None,
    ) -> "PhotographTable":
        """Return every photograph with its mean similarity to the ten nearest others, the furthest first.

        Parameters
        ----------
        where : str, optional
        progress : callable, optional
        notice : callable
            Is told, in a sentence, where the neighbours are not found by comparing everything.

        Returns
        -------
        DataFrame
            path, similarity, label.

        Examples
        --------
        >>> embed.open("cache").outliers().columns.tolist()
        ['path', 'similarity', 'label']
        """
        from embed import search
        from embed.api import tables

        found = search.outliers(
            self._cache,
            label_rule=with_where(self._rule, where),
            progress=progress or search.silent,
            notice=notice,
        )
        return tables.of_results(self.root, found, search.Outlier)

    @checked
    def mislabelled(
        self, *, group: str | None = None, where: str | None = None, progress: "Progress | None" = None
    ) -> "PhotographTable":
        """Return the photographs whose label the others contradict, the most doubtful first, and how many are probably wrong.

        Parameters
        ----------
        group : str, optional
            ``regex:PATTERN``, or a column of the table that labels: photographs with one match, or one value, do not judge
            one another.
        where : str, optional
        progress : callable, optional

        Returns
        -------
        DataFrame
            path, label, suggested (the likeliest other label), probability (of the given label, by a classifier that did not
            see the photograph), suggested_probability, doubt (from 0 to 1), probably_wrong. ``attrs["wrong"]`` is how many are
            probably wrong, ``attrs["judged"]`` how many labels were judged.

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
        from embed.api import tables

        rule = with_where(self._rule, where)
        found = learn.mislabelled(
            self._cache, label_rule=rule, group=group, progress=progress or search.silent
        )
        counts = {"wrong": found.wrong, "judged": found.judged}
        return tables.of_results(self.root, found, learn.LabelIssue, **counts)

    @checked
    def index(
        self,
        kind: str = "auto",
        recall: float = 0.99,
        *,
        store: str = "",
        progress: "Progress | None" = None,
    ) -> dict[str, Any]:
        """Build the search index, and measure what it does.

        Nothing needs this: `similar` builds an index by itself where comparing everything would take too long.

        Parameters
        ----------
        kind : {"auto", "exact", "compressed", "ivf", "hnsw"}
        recall : float
            Share of the true nearest that an approximate one finds.
        store : str
            Where it is kept, if not beside the features: a place that ends in ``.lance``, on this machine or in object storage
            (LanceDB), or ``postgresql://HOST/DATABASE`` (pgvector).
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
        CacheError
            The store cannot be reached.

        Examples
        --------
        >>> figures = embed.open("cache").index()
        >>> figures["kind"], figures["recall"], figures["vectors"]
        ('exact', 1.0, 24)
        """
        from embed import search

        options = search.IndexOptions(kind, recall, store)
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
        progress: "Progress | None" = None,
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
        progress : callable, optional

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
        from embed import learn, search
        from embed.cache import FeatureCache, list_features

        options = self._fit_options(where, cv=cv, group=group, balanced=balanced, seed=random_state)
        others = [] if alone else [FeatureCache.open(one) for one in list_features(self.folder.parent)]
        sets = learn.same_photographs(self._cache, others)
        return learn.compare(sets, classifiers or list(learn.HEADS), options, progress or search.silent)

    @checked
    def learning_curve(
        self,
        classifiers: Sequence[str] = ("logistic",),
        *,
        group: str | None = None,
        where: str | None = None,
        balanced: bool = False,
        random_state: Seed = 0,
        progress: "Progress | None" = None,
    ) -> "Iterator[Compared]":
        """Yield the accuracy of classifiers that were fitted on 2, 5, 10, ... photographs of each class.

        Parameters
        ----------
        classifiers : sequence of str
        group, where, balanced, random_state
            As for `fit`.
        progress : callable, optional

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
        from embed import learn, search

        options = self._fit_options(where, group=group, balanced=balanced, seed=random_state)
        return learn.learning_curve(self._cache, classifiers, options, progress or search.silent)

    def _fit_options(self, where: str | None, **options: Any) -> "FitOptions":
        from embed.learn import FitOptions

        return FitOptions(labels=with_where(self._rule, where), **options)
