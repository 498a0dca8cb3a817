"""Photographs whose label the others contradict."""

from dataclasses import dataclass

import numpy as np

from embed import labels
from embed.cache import FeatureCache
from embed.errors import LabelError
from embed.learn import heads
from embed.learn.heads.sampling import deal

FOLDS = 5
STRENGTH = 3.0  # C of the logistic regression: weak enough not to learn wrong labels by heart
SEED = 0


@dataclass(frozen=True)
class Doubt:
    """A photograph whose label is not the one that the others suggest."""

    path: str
    label: str
    suggested: str
    probability: float  # of the given label, as predicted by a classifier that did not see this photograph
    suggested_probability: float


def mislabelled(features: FeatureCache, *, label_rule: str = "folder") -> list[Doubt]:
    """Return the photographs whose label disagrees with what the others suggest, the most doubtful first.

    Every photograph is classified by a logistic regression on the others, in five folds; copies of one content stay in
    one fold. Ranked by the normalised margin of confident learning (Northcutt, Jiang and Chuang, 2021,
    https://arxiv.org/abs/1911.00068): the probability of the given label less that of the likeliest other. A label of
    fewer than five photographs is not judged.

    Raises LabelError where fewer than two labels have five photographs each.
    """
    labelled = labels.assign(features.paths.tolist(), label_rule, features.root)
    counts = labelled.counts
    classes = np.array([label for label in labelled.classes if counts[label] >= FOLDS], dtype=object)
    if len(classes) < 2:
        raise LabelError(
            f"Doubtful labels can be found where at least two labels have {FOLDS} photographs each;"
            f" by the rule {labelled.rule!r} there are {len(classes)} such labels."
        )
    number = {label: i for i, label in enumerate(classes)}
    rows = np.array([row for row, label in enumerate(labelled.labels) if label in number])
    y = np.array([number[labelled.labels[row]] for row in rows])
    _, groups = np.unique(features.sha256[rows], axis=0, return_inverse=True)
    probabilities = out_of_fold(features.rows(rows), y, groups.reshape(-1))
    each = np.arange(len(y))
    given = probabilities[each, y]
    others = probabilities.copy()
    others[each, y] = -1
    suggested = others.argmax(axis=1)
    margin = given - others[each, suggested]
    return [
        Doubt(
            path=features.paths[rows[i]],
            label=classes[y[i]],
            suggested=classes[suggested[i]],
            probability=round(float(given[i]), 6),
            suggested_probability=round(float(others[i, suggested[i]]), 6),
        )
        for i in np.argsort(margin, kind="stable")
        if margin[i] < 0
    ]


def out_of_fold(X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the probability of each class for each row, float64 (n, classes), by a classifier that did not see it.

    Args:
        X: features, float32 (n, d).
        y: classes as numbers from 0, (n,).
        groups: rows with one number, from 0 on, stay in one fold, (n,).
    """
    draws = np.random.default_rng(SEED).random(int(groups.max()) + 1)
    fold = deal(y, groups, draws, FOLDS)
    probabilities = np.zeros((len(y), int(y.max()) + 1))
    probabilities[np.arange(len(y)), y] = 1.0  # what is in no fold, for want of copies, is not doubted
    for k in range(FOLDS):
        held_out = fold == k
        head = heads.make("logistic", C=STRENGTH).fit(X[~held_out], y[~held_out])
        probabilities[np.ix_(held_out, head.classes_)] = head.predict_proba(X[held_out])
    return probabilities
