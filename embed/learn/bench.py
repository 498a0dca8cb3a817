"""Heads fitted on some photographs of a feature set and asked about others."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from embed.cache import FeatureCache
from embed.labels import Labels
from embed.learn import heads as classifiers
from embed.learn.evaluation import Evaluation
from embed.learn.splits import Split


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How to fit.

    Attributes:
        classifier: a name of `classifiers.HEADS`.
        labels: the rule that labels photographs.
        cv: folds of a cross-validation, instead of a held-out part.
        group: ``regex:PATTERN``; photographs with one match stay on one side of a split.
        balanced: every class counts the same.
        threshold: for two classes, the probability from which the second is said; "auto" tunes it.
        seed: of everything that is drawn.
        name: of the model; by default the classifier's.
        head: parameters of the head's own.
    """

    classifier: str = "logistic"
    labels: str = "folder"
    cv: int | None = None
    group: str | None = None
    balanced: bool = False
    threshold: float | str | None = None
    seed: int = 0
    name: str | None = None
    head: dict[str, Any] = field(default_factory=dict)


class Bench:
    """The photographs of a feature set with their labels, and heads fitted on some of them."""

    def __init__(self, features: FeatureCache, labelled: Labels, options: FitOptions) -> None:
        self.features, self.labels, self.options = features, labelled.labels, options

    def rows(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return X, y and the photograph of each row: the plain photographs first, then their views."""
        X, y = self.features.rows(positions), self.labels[positions].astype(str)
        views = self.features.view_rows(positions)
        if views is None:
            return X, y, np.arange(len(positions))
        count = views.shape[1]
        X = np.concatenate([X, views.reshape(-1, views.shape[2])])
        return X, np.concatenate([y, np.repeat(y, count)]), _of_photographs(len(positions), count)

    def fit(self, positions: np.ndarray, validation: np.ndarray | None = None) -> Any:
        """Return a head fitted on all views of some photographs."""
        head = classifiers.make(
            self.options.classifier,
            balanced=self.options.balanced,
            random_state=self.options.seed,
            **self.options.head,
        )
        X, y, groups = self.rows(positions)
        stop_by = None
        if validation is not None and len(validation):
            stop_by = self.features.rows(validation), self.labels[validation].astype(str)
        return head.fit(X, y, groups, validation=stop_by)

    def refit(self, head: Any, positions: np.ndarray) -> Any:
        """Fit a head on other photographs with what it has chosen."""
        X, y, _ = self.rows(positions)
        return head.refit(X, y)

    def score(self, head: Any, trained: np.ndarray, positions: np.ndarray) -> Evaluation:
        """Return the head's answers to the plain photographs."""
        classes = [str(label) for label in head.classes_]
        return self.evaluate(head.predict_proba(self.features.rows(positions)), classes, trained, positions)

    def cross_validate(self, split: Split) -> Evaluation:
        """Return the answers to every photograph of the folds, each by a head that was fitted without its fold."""
        if split.fold is None:
            raise ValueError("a split without folds cannot be cross-validated")
        classes = sorted(set(self.labels[split.train].tolist()))
        probabilities = np.zeros((len(split.train), len(classes)))
        for k in range(int(split.fold.max()) + 1):
            out = split.fold == k
            head = self.fit(split.train[~out])
            columns = np.searchsorted(classes, [str(label) for label in head.classes_])
            probabilities[np.ix_(out, columns)] = head.predict_proba(self.features.rows(split.train[out]))
        return self.evaluate(probabilities, classes, split.train, split.train)

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


def _of_photographs(n: int, views: int) -> np.ndarray:
    return np.concatenate([np.arange(n), np.repeat(np.arange(n), views)])
