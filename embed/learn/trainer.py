"""Heads fitted on some photographs of a feature set and asked about others."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from embed.cache import FeatureCache, tuned_on
from embed.errors import CacheDamagedError, LabelError
from embed.labels import RULE_VERSION, Labels
from embed.learn import groups as together
from embed.learn import selection, splits
from embed.learn.choice import Folds, silent
from embed.learn.evaluation import Evaluation
from embed.learn.selection import FittedHead

FOLDS = 3  # that a strength is chosen and probabilities are calibrated on
MANY = 10_000  # photographs beyond which two folds do
STOPPING_PARTS = 10  # one of them stops a dense head where there is no validation part

Progress = Callable[[str, int, int], None]  # what is done, how many of it are, and of how many


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How to fit.

    Attributes
    ----------
    classifier : str or classifier
        A name of `heads.HEADS`, the place of a class such as ``sklearn.ensemble.RandomForestClassifier``, or an unfitted
        scikit-learn classifier.
    labels : str
        The rule that labels photographs.
    labels_version : int
        Of the meaning of that rule.
    cv : int or "folders", optional
        Folds of a cross-validation, or those of the folders, instead of a held-out part.
    group : str, optional
        ``regex:PATTERN``, or a column of the table that labels; photographs with one match, or one value, stay on one side
        of a split.
    balanced : bool
        Every class counts the same.
    threshold : float or str, optional
        For two classes, the probability from which the second is predicted; "auto" tunes it.
    seed : int
        Of everything that is drawn.
    name : str, optional
        Of the model; by default the classifier's.
    head : dict
        Parameters of the classifier's own.
    trust : tuple of str
        Types that the file of the model may hold beside the known ones.
    """

    classifier: Any = "logistic"
    labels: str = "folder"
    labels_version: int = RULE_VERSION
    cv: int | str | None = None
    group: str | None = None
    balanced: bool = False
    threshold: float | str | None = None
    seed: int = 0
    name: str | None = None
    head: dict[str, Any] = field(default_factory=dict)
    trust: tuple[str, ...] = ()


class Trainer:
    """The photographs of a feature set with their labels, and heads fitted on some of them.

    Parameters
    ----------
    features : FeatureCache
    labelled : Labels
    options : FitOptions
        Whose classifier is a name of `heads.HEADS` or an unfitted classifier.
    progress : callable, optional
        Takes what is done, how many of it are, and of how many.
    not_scored : bool ndarray of shape (n,), optional
        Photographs that a cross-validation does not score, beside those that the network was tuned on.

    Attributes
    ----------
    tuned_on : bool ndarray of shape (n,)
        The photographs whose labels the network has seen.
    """

    def __init__(
        self,
        features: FeatureCache,
        labelled: Labels,
        options: FitOptions,
        progress: Progress = silent,
        not_scored: np.ndarray | None = None,
    ) -> None:
        self.features, self.labels, self.options = features, labelled.labels, options
        self.progress = progress
        self.tuned_on = tuned_on(features)
        self._not_scored = self.tuned_on if not_scored is None else self.tuned_on | not_scored
        self._doing = ""
        groups = together.of(features, labelled, options.group, progress)
        self.keys = splits.keys_of(features.sha256, groups)

    def rows(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return X, y and the photograph of each row: the plain photographs first, then their views.

        Raises
        ------
        CacheDamagedError
            A feature is no finite number.
        """
        X, y = self.features.rows(positions), self.labels[positions].astype(str)
        views = self.features.view_rows(positions)
        of = np.arange(len(positions))
        if views is not None:
            count = views.shape[1]
            X = np.concatenate([X, views.reshape(-1, views.shape[2])])
            y, of = np.concatenate([y, np.repeat(y, count)]), np.concatenate([of, np.repeat(of, count)])
        finite = np.isfinite(X).all(axis=1)
        if not finite.all():
            path = self.features.paths[positions[of[np.argmin(finite)]]]
            raise CacheDamagedError(
                f"the features of {path} hold values that are no finite numbers; extract them in float32"
            )
        return X, y, of

    def fit(
        self,
        positions: np.ndarray,
        validation: np.ndarray | None = None,
        chosen: dict[str, Any] | None = None,
    ) -> FittedHead:
        """Return a head fitted on all views of some photographs.

        Parameters
        ----------
        positions : ndarray
            Of the photographs.
        validation : ndarray, optional
            Of photographs that a dense head stops by; without them it holds out a share of its own.
        chosen : dict, optional
            What an earlier fit chose: it is taken over.
        """
        self._tell("reading features")
        X, y, of = self.rows(positions)
        common: dict[str, Any] = {"balanced": self.options.balanced, "random_state": self.options.seed}
        classifier, own = self.options.classifier, self.options.head
        if classifier == "dense":
            stop_by = None
            if chosen is None:
                X, y, stop_by = self._stopping_part(X, y, of, positions, validation)
            return selection.fit_dense(X, y, stop_by, options=own, chosen=chosen, tell=self._tell, **common)
        folds = self.folds(positions, of, FOLDS if len(positions) <= MANY else 2)
        if isinstance(classifier, str):
            return selection.fit_head(
                classifier, X, y, folds, options=own, chosen=chosen, tell=self._tell, **common
            )
        self._tell("fitting")
        return selection.fit_own(classifier, X, y, folds, **common)

    def fit_twice(
        self, train: np.ndarray, validation: np.ndarray, both: np.ndarray
    ) -> tuple[FittedHead, FittedHead]:
        """Return a head fitted on the training photographs, and one on both parts with what was chosen for the first.

        Parameters are positions of photographs.
        """
        classifier, options = self.options.classifier, self.options
        if isinstance(classifier, str) and classifier != "dense":
            self._tell("reading features")
            first, second = selection.fit_twice(
                classifier,
                self._part(train),
                self._part(both),
                balanced=options.balanced,
                random_state=options.seed,
                options=options.head,
                tell=self._tell,
            )
        else:
            first = self.fit(train, validation)
            second = self.fit(both, chosen=first.chosen)
        return first, replace(second, search=first.search, curve=first.curve)

    def _part(self, positions: np.ndarray) -> selection.Part:
        X, y, of = self.rows(positions)
        return X, y, self.folds(positions, of, FOLDS if len(positions) <= MANY else 2)

    def folds(self, positions: np.ndarray, of: np.ndarray, k: int) -> Folds:
        """Return how photographs are held out while a head is fitted on them, by content and group.

        Parameters
        ----------
        positions : ndarray
            Of the photographs.
        of : ndarray
            The photograph, from 0, of each row that is fitted on.
        k : int
            Folds, at most: fewer where a class has fewer photographs. A class of a single one always trains.
        """
        target = self.labels[positions].astype(str)
        fold = splits.inner_folds(target, self.keys[positions], k, self.options.seed)
        if fold.max() < 0:
            rows = np.arange(len(of))
            return Folds([(rows, rows)], whole=True, honest=False)
        of_row = fold[of]
        pairs = [(np.flatnonzero(of_row != i), np.flatnonzero(of_row == i)) for i in range(fold.max() + 1)]
        return Folds(pairs, whole=bool(fold.min() >= 0))

    def _stopping_part(
        self,
        X: np.ndarray,
        y: np.ndarray,
        of: np.ndarray,
        positions: np.ndarray,
        validation: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray] | None]:
        """Return X and y to train on, and those to stop by."""
        if validation is not None and len(validation):
            known = validation[np.isin(self.labels[validation].astype(str), y)]
            if len(known):
                return X, y, (self.features.rows(known), self.labels[known].astype(str))
        folds = self.folds(positions, of, STOPPING_PARTS)
        if not folds.honest:
            return X, y, None
        train, held_out = folds.pairs[0]
        return X[train], y[train], (X[held_out], y[held_out])

    def score(self, head: FittedHead, trained: np.ndarray, positions: np.ndarray) -> Evaluation:
        """Return the head's answers to the plain photographs."""
        self._tell("scoring")
        classes = [str(label) for label in head.classes_]
        return self.evaluate(head.predict_proba(self.features.rows(positions)), classes, trained, positions)

    def cross_validate(self, train: np.ndarray, fold: np.ndarray | None) -> Evaluation:
        """Return the answers to every photograph that the network was not tuned on, each by a head that was fitted without its fold.

        Raises
        ------
        LabelError
            Without one of the folds a single class is left.
        """
        if fold is None:
            raise ValueError("a split without folds cannot be cross-validated")
        classes = sorted(set(self.labels[train].tolist()))
        probabilities = np.zeros((len(train), len(classes)))
        for k in range(int(fold.max()) + 1):
            self._doing = f"fold {k + 1} of {int(fold.max()) + 1}, "
            out = fold == k
            left = sorted(set(self.labels[train[~out]].tolist()))
            if len(left) < 2:
                missing = sorted(set(classes) - set(left))
                raise LabelError(
                    f"without one of the {int(fold.max()) + 1} folds there is no photograph of"
                    f" {', '.join(map(repr, missing))} to train on: add photographs of that class, or fit without"
                    " cross-validation"
                )
            head = self.fit(train[~out])
            columns = np.searchsorted(classes, [str(label) for label in head.classes_])
            probabilities[np.ix_(out, columns)] = head.predict_proba(self.features.rows(train[out]))
        self._doing = ""
        scored = ~self._not_scored[train]
        return self.evaluate(probabilities[scored], classes, train, train[scored])

    def _tell(self, what: str) -> None:
        self.progress(self._doing + what, 0, 0)

    def out_of_fold(self, train: np.ndarray) -> Evaluation | None:
        """Return the answers to training photographs by heads that had not seen them; None where none can be held out."""
        fold = splits.inner_folds(self.labels[train].astype(str), self.keys[train], FOLDS, self.options.seed)
        answers = None if fold.min() < 0 else self.cross_validate(train, fold)
        return answers if answers is not None and len(answers) else None

    def evaluate(
        self, probabilities: np.ndarray, classes: list[str], trained: np.ndarray, positions: np.ndarray
    ) -> Evaluation:
        """Return probabilities of photographs as answers."""
        return Evaluation(
            classes=classes,
            y=self.labels[positions],
            probabilities=probabilities,
            paths=self.features.paths[positions],
            frequencies=np.array([int(np.sum(self.labels[trained] == label)) for label in classes]),
        )
