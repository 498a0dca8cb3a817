"""A whole feature set, and what can be done with it."""

import os
import reprlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from embed.api.asking import Asked
from embed.arguments import Seed, checked
from embed.cache import Failure, FeatureCache
from embed.errors import UsageError
from embed.labels import with_where

if TYPE_CHECKING:
    import pandas as pd

    from embed.api.figures import Explanations
    from embed.learn import Fitted, Model
    from embed.learn.evaluation import Evaluation

File = str | os.PathLike[str]


class Features(Asked):
    """A whole feature set: its photographs, and what can be done with them.

    `embed.open` makes one. It is a snapshot: an extraction that goes on meanwhile changes nothing in it.
    """

    def __init__(self, cache: FeatureCache, labels: str = "folder") -> None:
        super().__init__(cache, labels)

    @property
    def cache(self) -> FeatureCache:
        """The snapshot behind it."""
        return self._cache

    def failures(self) -> list[Failure]:
        """Return the files that have no features, each with its path and the reason.

        Examples
        --------
        >>> embed.open("cache").failures()
        []
        """
        return self._cache.failures()

    @checked
    def fit(
        self,
        classifier: "str | Any" = "logistic",
        *,
        cv: int | str | None = None,
        group: str | None = None,
        where: str | None = None,
        balanced: bool = False,
        threshold: float | Literal["auto"] | None = None,
        random_state: Seed = 0,
        name: str | None = None,
        trust: Sequence[str] = (),
        **head: Any,
    ) -> "Fitted":
        """Fit a classifier, score it on photographs that it has not seen, and keep it in the cache.

        Parameters
        ----------
        classifier : str or classifier
            "logistic", "dense", "svm", "linear-svm", "knn" or "dummy"; the place of a class of an installed package, such as
            ``"sklearn.ensemble.RandomForestClassifier"``; or an unfitted scikit-learn classifier.
        cv : int or "folders", optional
            Cross-validate in so many folds, or in those that the folders say, as ``fold_1/``, ``fold_2/``.
        group : str, optional
            A column of the table that labels, or ``"regex:PATTERN"``: photographs with one value stay on one side.
        where : str, optional
            Only photographs as this condition says; see `select`.
        balanced : bool
            Let every class count the same.
        threshold : float or "auto", optional
            For two classes: predict the second from this probability; "auto" tunes it.
        random_state : int
            Seed of everything that is drawn.
        name : str, optional
            Of the model; by default the classifier's.
        trust : sequence of str
            Types that the file of the model may hold beside the known ones.
        **head
            Parameters of the classifier's own, such as ``hidden=(256,)`` and ``dropout=0.5`` of "dense".

        Returns
        -------
        Fitted
            ``evaluation`` has the scores and tables, ``model`` predicts, ``notes`` say what to mind.

        Raises
        ------
        LabelError
            The photographs have no labels, or too few.
        UsageError
            An argument has a value that cannot work.

        Examples
        --------
        >>> fitted = embed.open("cache").fit("logistic")
        >>> fitted.model.name, len(fitted.evaluation)
        ('logistic', 6)
        """
        from embed.learn import FitOptions, fit

        options = FitOptions(
            classifier=classifier,
            labels=with_where(self._rule, where),
            cv=cv,
            group=group,
            balanced=balanced,
            threshold=threshold,
            seed=random_state,
            name=name,
            head=head,
            trust=tuple(trust),
        )
        return fit(self._cache, options)

    @checked
    def model(self, name: str | None = None, *, trust: Sequence[str] = ()) -> "Model":
        """Return the model of that name, or the one fitted last.

        One that was fitted by another release of scikit-learn is fitted again, with a warning.

        Parameters
        ----------
        name : str, optional
        trust : sequence of str
            Types that its file may hold beside the known ones.

        Raises
        ------
        ModelError
            There is none, it is damaged, or it was fitted on features of another recipe.

        Examples
        --------
        >>> features = embed.open("cache")
        >>> features.model("logistic").predict_proba(features.X).shape
        (24, 6)
        """
        from embed.learn import load

        return load(self._cache, name, trust=trust)

    @checked
    def evaluate(self, model: str | None = None) -> "Evaluation":
        """Return how a fitted model did on the photographs that it had not seen.

        Parameters
        ----------
        model : str, optional
            Its name; by default the one fitted last.

        Raises
        ------
        ModelError
            There is none, it is damaged, or it was fitted on features of another recipe.

        Examples
        --------
        >>> evaluation = embed.open("cache").evaluate("logistic")
        >>> evaluation.confusion().shape, evaluation.baseline_accuracy < evaluation.accuracy
        ((6, 6), True)
        """
        return self.model(model).evaluation()

    @checked
    def predict(
        self,
        files: Any,
        model: str | None = None,
        *,
        top: int = 1,
        min_probability: float = 0.0,
    ) -> "pd.DataFrame":
        """Predict the class of photographs, in the cache or not, by a fitted model.

        Parameters
        ----------
        files : one photograph or several
            As for `ImageFeatures.transform`; the path of a folder stands for the photographs in it.
        model : str, optional
            Its name; by default the one fitted last.
        top : int
            Classes to name, the likeliest first.
        min_probability : float
            No class is predicted whose probability is below it: its label is None.

        Returns
        -------
        DataFrame
            One row per photograph: path (or its place, such as "photograph 0", where it has none), label, probability, problem
            (why it cannot be read, or None), similarity (cosine to the most similar photograph that the model was fitted
            on), unlike (whether it is unlike all of those), ``label_2``, ``probability_2`` and so on up to `top`, and
            ``p(CLASS)`` for every class. ``attrs["model"]`` is the name of the model.

        Raises
        ------
        InputError
            Something is no photograph; the message says which.
        ModelError
            There is no such model.
        UsageError
            An argument has a value that cannot work.
        WeightsError
            The weights of the backbone cannot be had.

        Examples
        --------
        >>> table = embed.open("cache").predict("pictures/test/fish")
        >>> table.columns.tolist()[:7]
        ['path', 'label', 'probability', 'problem', 'similarity', 'unlike', 'p(boat)']
        >>> len(table), table.attrs["model"], bool(table.loc[0, "unlike"])
        (1, 'logistic', False)
        """
        import pandas as pd

        from embed.images import Given
        from embed.learn import predict_files

        if top < 1:
            raise UsageError(f"must be at least 1, not {top}", "top")
        asked = Given(files, folders=True)
        fitted = self.model(model)
        predicted = list(predict_files(asked, self._cache, fitted, min_probability=min_probability))
        rows = [
            (str(one.file), one.label, one.probability, one.problem, one.similarity, one.unlike)
            for one in predicted
        ]
        unknown = (float("nan"),) * len(fitted.classes)
        probabilities = np.array([one.probabilities or unknown for one in predicted], np.float64)
        names = ["path", "label", "probability", "problem", "similarity", "unlike"]
        table = pd.DataFrame(rows, columns=names, dtype=object)
        for place in range(2, min(top, len(fitted.classes)) + 1):
            named = [one.ranked[place - 1] if one.ranked else (None, None) for one in predicted]
            table[f"label_{place}"] = pd.Series([label for label, _ in named], dtype=object)
            table[f"probability_{place}"] = [probability for _, probability in named]
        numbers = [name for name in table if name == "similarity" or name.startswith("probability")]
        table[numbers] = table[numbers].astype(float)
        columns = [f"p({label})" for label in fitted.classes]
        of_classes = pd.DataFrame(probabilities.reshape(len(predicted), len(columns)), columns=columns)
        table = pd.concat([table, of_classes], axis=1)
        table.attrs["model"] = fitted.name
        return table

    def explain(
        self,
        files: File | Iterable[File],
        label: str | None = None,
        *,
        model: str | None = None,
        device: str = "auto",
    ) -> "Explanations":
        """Return which parts of photographs speak for a class, and which against it.

        Parameters
        ----------
        files : path or iterable of paths
            Photographs.
        label : str, optional
            The class; by default the most probable one of each photograph.
        model : str, optional
            Name of the model; by default the one fitted last.
        device : {"auto", "cpu", "gpu"}

        Returns
        -------
        Explanations
            One `Explained` for each file, in order: ``maps`` with one `ClassMap`, or the ``problem`` for which there is none.

        Raises
        ------
        UsageError
            The model does not know the class.
        ModelError
            There is no such model.
        WeightsError
            The weights of the backbone cannot be had.

        Examples
        --------
        >>> (explained,) = embed.open("cache").explain("pictures/test/sun/sun-000.jpg", "sun")
        >>> explained.maps[0].label, explained.maps[0].cells.ndim
        ('sun', 2)
        """
        from embed.api.figures import Explanations
        from embed.explain import Explainer
        from embed.extract import RunOptions

        asked = [(file, [label]) for file in _files(files)]
        fitted = self.model(model)
        explainer = Explainer(self._cache, fitted.head, RunOptions(device=device))
        found = list(explainer.explain(asked))
        return Explanations(found, self.recipe.fit, fitted.document["classifier"])


def _files(given: File | Iterable[File]) -> list[Path]:
    """Return one path or many as a list."""
    try:
        return [Path(given)] if isinstance(given, (str, os.PathLike)) else [Path(file) for file in given]
    except TypeError:
        raise UsageError(f"must be a path or several, not {reprlib.repr(given)}", "files") from None
