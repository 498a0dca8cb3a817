"""Heads and backbones side by side, and how many photographs it takes."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from embed import labels
from embed.cache import FeatureCache, tuned_on
from embed.errors import LabelError
from embed.learn import groups as together
from embed.learn import splits
from embed.learn.choice import silent
from embed.learn.evaluation import wilson_interval
from embed.learn.heads import HEADS
from embed.learn.protocol import check_classifier
from embed.learn.splits import Split
from embed.learn.trainer import FitOptions, Progress, Trainer

PER_CLASS = (2, 5, 10, 20, 50, 100, 200, 500, 1000)  # photographs of each class on a learning curve
DRAWS = 3  # sets of so few photographs that are drawn; the accuracy is their mean


@dataclass(frozen=True)
class Compared:
    """One row of a comparison.

    Attributes
    ----------
    features, backbone : str
        The feature set.
    classifier : str
        The head.
    per_class : int, optional
        Photographs of each class that it was fitted on, at most; None: all.
    n : int
        Photographs scored.
    accuracy, low, high : float
        The share that was right, with Wilson's 95 % interval.
    baseline : float
        The accuracy of always predicting the most frequent class.
    balanced_accuracy, log_loss : float
        As in `embed.learn.evaluation`.
    seconds : float
        That one fit took, with the choice of its strength.
    not_scored : int
        Photographs that are not among the `n` because a network was tuned on them.
    """

    features: str
    backbone: str
    classifier: str
    per_class: int | None
    n: int
    accuracy: float
    low: float
    high: float
    baseline: float
    balanced_accuracy: float
    log_loss: float | None
    seconds: float
    not_scored: int = 0

    def row(self) -> dict[str, Any]:
        """Return the values by name."""
        return asdict(self)


def same_photographs(features: FeatureCache, others: Sequence[FeatureCache]) -> list[FeatureCache]:
    """Return the feature sets of exactly the photographs of the first one, and it before all."""
    contents = _contents(features)
    same = [other for other in others if other.name != features.name and _contents(other) == contents]
    return [features, *same]


def compare(
    feature_sets: Sequence[FeatureCache],
    heads: Sequence[str] = tuple(HEADS),
    options: FitOptions | None = None,
    progress: Progress = silent,
) -> Iterator[Compared]:
    """Yield the cross-validated score of every head on every feature set, on the same folds.

    Photographs in a test folder, or in a validation folder where there is no other, take no part: `fit` gives its number
    on them, and here is where one chooses. The folds are those of `options.cv`, 5 by default. What the network of one of the sets
    was tuned on is scored on none. `progress` is told what is done.

    Raises
    ------
    LabelError
        There are no labels, or too few; or there is no photograph that no network was tuned on.
    UsageError
        A head is not known.
    """
    options = replace(options or FitOptions(), cv=(options.cv if options else None) or 5)
    classifiers = {head: check_classifier(head, {}) for head in heads}
    seen = {row.tobytes() for one in feature_sets for row in one.sha256[tuned_on(one)]}
    for features in feature_sets:
        not_scored = np.array([row.tobytes() in seen for row in features.sha256], bool)
        labelled = labels.of(features, options.labels)
        if not np.any(labelled.splits == "test"):
            labelled = _without(labelled, "validation")
        groups = together.of(features, labelled, options.group)
        split = splits.divide(labelled, features.sha256, seed=options.seed, cv=options.cv, groups=groups)
        scored = splits.unseen(split, not_scored).scored
        for head in heads:
            own = replace(options, classifier=classifiers[head])
            trainer = Trainer(features, labelled, own, _of(head, progress), not_scored=not_scored)
            started = time.perf_counter()
            answers = trainer.cross_validate(split.train, split.fold)
            summary = answers.summary()
            yield Compared(
                features=features.name,
                backbone=features.recipe.backbone,
                classifier=head,
                per_class=None,
                n=summary["n"],
                accuracy=summary["accuracy"],
                low=summary["accuracy_interval"][0],
                high=summary["accuracy_interval"][1],
                baseline=summary["baseline_accuracy"],
                balanced_accuracy=summary["balanced_accuracy"],
                log_loss=summary["log_loss"],
                seconds=(time.perf_counter() - started)
                / (int(split.fold.max()) + 1 if split.fold is not None else 1),
                not_scored=len(split.train) - len(scored),
            )


def learning_curve(
    features: FeatureCache,
    heads: Sequence[str] = ("logistic",),
    options: FitOptions | None = None,
    progress: Progress = silent,
) -> Iterator[Compared]:
    """Yield the accuracy of heads fitted on 2, 5, 10, ... photographs of each class.

    The photographs are drawn `DRAWS` times and the scores averaged. Scored is the validation folder, or a held-out
    share; test is not looked at. `progress` is told what is done.

    Raises
    ------
    LabelError
        There are no labels, or too few.
    UsageError
        A head is not known.
    """
    options = options or FitOptions()
    classifiers = {head: check_classifier(head, {}) for head in heads}
    split, labelled = _without_test(features, options)
    of_train = labelled.labels[split.train]
    most = max(int(np.sum(of_train == label)) for label in set(of_train))
    numbers = [number for number in PER_CLASS if number < most]
    for head in heads:
        trainer = Trainer(
            features, labelled, replace(options, classifier=classifiers[head]), _of(head, progress)
        )
        for number in (*numbers, None):
            started = time.perf_counter()
            draws = DRAWS if number else 1
            summaries = []
            for draw in range(draws):
                chosen = _draw(split.train, of_train, features.sha256, number, options.seed + draw)
                fitted = trainer.fit(chosen)
                summaries.append(trainer.score(fitted, chosen, split.validation).summary())
            losses = [summary["log_loss"] for summary in summaries]
            n = len(split.validation)
            accuracy = float(np.mean([summary["accuracy"] for summary in summaries]))
            low, high = wilson_interval(round(accuracy * n), n)
            yield Compared(
                features=features.name,
                backbone=features.recipe.backbone,
                classifier=head,
                per_class=number,
                n=n,
                accuracy=accuracy,
                low=low,
                high=high,
                baseline=float(np.mean([summary["baseline_accuracy"] for summary in summaries])),
                balanced_accuracy=float(np.mean([summary["balanced_accuracy"] for summary in summaries])),
                log_loss=None if None in losses else float(np.mean(losses)),
                seconds=(time.perf_counter() - started) / draws,
            )


def _of(head: str, progress: Progress) -> Progress:
    """Return what tells of the work of one head."""
    return lambda what, done, total: progress(f"{head}: {what}", done, total)


def _without_test(features: FeatureCache, options: FitOptions) -> tuple[Split, labels.Labels]:
    labelled = labels.of(features, options.labels)
    if not np.any(labelled.splits == "validation"):
        labelled = _without(labelled, "test")
    groups = together.of(features, labelled, options.group)
    split = splits.divide(labelled, features.sha256, seed=options.seed, groups=groups)
    split = splits.unseen(split, tuned_on(features))
    if not len(split.validation):
        raise LabelError("there is no photograph to score on")
    return split, labelled


def _without(labelled: labels.Labels, role: str) -> labels.Labels:
    """Return labels without those of the photographs in the folders of one role."""
    untouched = labelled.splits == role
    if not untouched.any():
        return labelled
    without = [labelled.labels.copy(), labelled.splits.copy()]
    for column in without:
        column[untouched] = None
    return replace(labelled, labels=without[0], splits=without[1])


def _draw(
    train: np.ndarray, of_train: np.ndarray, sha256: np.ndarray, number: int | None, seed: int
) -> np.ndarray:
    """Return `number` photographs of every class, drawn by their content; all of them for None."""
    if number is None:
        return train
    draws = np.array([splits.draw_of(sha256[i].tobytes().hex(), seed) for i in train])
    chosen = []
    for label in sorted(set(of_train)):
        members = np.flatnonzero(of_train == label)
        chosen.append(train[members[np.argsort(draws[members], kind="stable")[:number]]])
    return np.sort(np.concatenate(chosen))


def _contents(features: FeatureCache) -> set[bytes]:
    return {row.tobytes() for row in features.sha256}
