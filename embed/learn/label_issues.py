"""Photographs whose label the others contradict."""

from dataclasses import dataclass

import numpy as np

from embed import labels
from embed.cache import FeatureCache
from embed.errors import LabelError
from embed.labels import NO_LABELS
from embed.learn import selection, splits
from embed.learn.choice import Folds, silent
from embed.learn.trainer import Progress

FOLDS = 5
STRENGTH = 3.0  # C of the logistic regression: weak enough not to learn wrong labels by heart
SEED = 0


@dataclass(frozen=True)
class LabelIssue:
    """A photograph whose label is not the one that the others suggest.

    Attributes
    ----------
    path, label : str
    suggested : str
        The likeliest other label.
    probability : float
        Of the given label, as predicted by a classifier that did not see this photograph.
    suggested_probability : float
    """

    path: str
    label: str
    suggested: str
    probability: float
    suggested_probability: float


def mislabelled(
    features: FeatureCache, *, label_rule: str = "folder", progress: Progress = silent
) -> list[LabelIssue]:
    """Return the photographs whose label disagrees with what the others suggest, the most doubtful first.

    Every photograph is classified by a logistic regression on the others, in five folds; copies of one content stay in
    one fold. Ranked by the normalised margin of confident learning (Northcutt, Jiang and Chuang, 2021,
    https://arxiv.org/abs/1911.00068): the probability of the given label less that of the likeliest other. A label of
    fewer than five photographs is not judged.

    Raises
    ------
    LabelError
        Fewer than two labels have five photographs each.
    """
    labelled = labels.of(features, label_rule)
    counts = labelled.counts
    classes = np.array([label for label in labelled.classes if counts[label] >= FOLDS], dtype=object)
    if len(classes) < 2:
        raise LabelError(
            f"Doubtful labels can be found where at least two labels have {FOLDS} photographs each;"
            f" by the rule {labelled.rule!r} there are {len(classes)} such labels."
            + ("" if labelled.classes else f" ({NO_LABELS}.)")
        )
    number = {label: i for i, label in enumerate(classes)}
    rows = np.array([row for row, label in enumerate(labelled.labels) if label in number])
    y = np.array([number[labelled.labels[row]] for row in rows])
    keys = splits.keys_of(features.sha256[rows], None)
    probabilities = out_of_fold(features.rows(rows), y, keys, progress)
    each = np.arange(len(y))
    given = probabilities[each, y]
    others = probabilities.copy()
    others[each, y] = -1
    suggested = others.argmax(axis=1)
    margin = given - others[each, suggested]
    return [
        LabelIssue(
            path=features.paths[rows[i]],
            label=classes[y[i]],
            suggested=classes[suggested[i]],
            probability=round(float(given[i]), 6),
            suggested_probability=round(float(others[i, suggested[i]]), 6),
        )
        for i in np.argsort(margin, kind="stable")
        if margin[i] < 0
    ]


def out_of_fold(X: np.ndarray, y: np.ndarray, keys: np.ndarray, progress: Progress = silent) -> np.ndarray:
    """Return the probability of each class for each row, float64 (n, classes), by a classifier that did not see it.

    Parameters
    ----------
    X : float32 ndarray of shape (n, d)
        Features.
    y : int ndarray of shape (n,)
        Classes as numbers from 0.
    keys : object ndarray of shape (n,)
        Rows with one key stay in one fold.
    progress : callable, optional
        Takes what is done, how many of it are, and of how many.
    """
    fold = splits.inner_folds(y, keys, FOLDS, SEED)
    probabilities = np.zeros((len(y), int(y.max()) + 1))
    probabilities[np.arange(len(y)), y] = (
        1.0  # what is in no fold, for want of other photographs, is not doubted
    )
    for k in range(fold.max() + 1):
        progress("judging the labels of a fold", k + 1, fold.max() + 1)
        held_out = fold == k
        nothing = Folds([], whole=True, honest=False)
        head = selection.fit_head("logistic", X[~held_out], y[~held_out], nothing, options={"C": STRENGTH})
        probabilities[np.ix_(held_out, head.classes_)] = head.predict_proba(X[held_out])
    return probabilities
