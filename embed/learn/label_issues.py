"""Photographs whose label the others contradict, and how many labels are probably wrong."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from embed import labels
from embed.cache import FeatureCache, tuned_on
from embed.errors import LabelError
from embed.labels import NO_LABELS
from embed.learn import groups as together
from embed.learn import noise, selection, splits
from embed.learn.choice import silent
from embed.learn.trainer import Progress

FOLDS = 5
STRENGTH = 3.0  # C of the logistic regression: weak enough not to learn wrong labels by heart
PASSES = 3  # fits; every later one makes use of what the former one made of the labels
SEED = 0
JUDGING = "judging the labels"


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
    doubt : float
        From 0 to 1; photographs are ranked by it.
    probably_wrong : bool
        Whether it is among the most doubtful, as many as there are probably wrong labels.
    """

    path: str
    label: str
    suggested: str
    probability: float
    suggested_probability: float
    doubt: float
    probably_wrong: bool


@dataclass(frozen=True)
class LabelIssues(Sequence[LabelIssue]):
    """Photographs whose label is doubtful, the most doubtful first.

    Attributes
    ----------
    issues : tuple of LabelIssue
        Those that are probably wrong, and all others whose label is not the likeliest one.
    judged : int
        Photographs whose label was judged.
    seen : int
        Photographs that were not judged because the network was tuned on them.
    """

    issues: tuple[LabelIssue, ...]
    judged: int
    seen: int = 0

    @property
    def wrong(self) -> int:
        """How many labels are probably wrong."""
        return sum(one.probably_wrong for one in self.issues)

    @property
    def in_words(self) -> str:
        """How many labels are probably wrong, as a sentence."""
        labels = f"{self.judged:,} label{'' if self.judged == 1 else 's'}"
        if not self.wrong:
            return f"No label stands out as wrong among the {labels} that {'was' if self.judged == 1 else 'were'} judged."
        return f"About {self.wrong:,} of {labels} {'is' if self.wrong == 1 else 'are'} probably wrong."

    def __len__(self) -> int:
        return len(self.issues)

    @overload
    def __getitem__(self, place: int) -> LabelIssue: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[LabelIssue, ...]: ...

    def __getitem__(self, place: int | slice) -> LabelIssue | tuple[LabelIssue, ...]:
        return self.issues[place]


def mislabelled(
    features: FeatureCache,
    *,
    label_rule: str = "folder",
    group: str | None = None,
    progress: Progress = silent,
) -> LabelIssues:
    """Return the photographs whose label is doubtful, the most doubtful first, and how many are probably wrong.

    Every photograph is classified by logistic regressions on the others, as `doubts` says. A label of fewer than five
    photographs is not judged, and neither is one that the network has seen: features that it was tuned on agree with it.

    Parameters
    ----------
    features : FeatureCache
    label_rule : str
    group : str, optional
        ``regex:PATTERN``, or a column of the table that labels: photographs with one match, or one value, do not judge one
        another. Neither do copies of one content.
    progress : callable, optional
        Takes what is done, how many of it are, and of how many.

    Raises
    ------
    LabelError
        Fewer than two labels have five photographs each, or none can be judged without its group.
    UsageError
        The group is no usable pattern, and no column.
    """
    labelled = labels.of(features, label_rule)
    groups = together.of(features, labelled, group, progress)
    seen = tuned_on(features)
    counts = Counter(label for label in labelled.labels[~seen] if label is not None)
    classes = np.array([label for label in labelled.classes if counts[label] >= FOLDS], dtype=object)
    if len(classes) < 2 and seen.any():
        raise LabelError(
            f"The network of {features.name} was tuned on {int(seen.sum())} of {len(features)} photographs, and by features that have"
            " seen a label it cannot be doubted: look for doubtful labels in features of the weights before."
        )
    if len(classes) < 2:
        raise LabelError(
            f"Doubtful labels can be found where at least two labels have {FOLDS} photographs each;"
            f" by the rule {labelled.rule!r} there are {len(classes)} such labels."
            + ("" if labelled.classes else f" ({NO_LABELS}.)")
        )
    number = {label: i for i, label in enumerate(classes)}
    rows = np.array([row for row, label in enumerate(labelled.labels) if label in number and not seen[row]])
    y = np.array([number[labelled.labels[row]] for row in rows])
    keys = splits.keys_of(features.sha256[rows], None if groups is None else groups[rows])
    found = doubts(features.rows(rows), y, keys, progress)
    each = np.arange(len(y))
    others = found.probabilities.copy()
    others[each, y] = -1
    suggested = others.argmax(axis=1)
    given, other = found.probabilities[each, y], others[each, suggested]
    ranked = np.lexsort((each, -found.doubt))
    return LabelIssues(
        tuple(
            LabelIssue(
                path=features.paths[rows[i]],
                label=classes[y[i]],
                suggested=classes[suggested[i]],
                probability=round(float(given[i]), 6),
                suggested_probability=round(float(other[i]), 6),
                doubt=round(float(found.doubt[i]), 6),
                probably_wrong=place < found.wrong,
            )
            for place, i in enumerate(ranked)
            if place < found.wrong or given[i] < other[i]
        ),
        int(found.judged.sum()),
        int(seen.sum()),
    )


@dataclass(frozen=True)
class Doubts:
    """How doubtful each label is.

    Attributes
    ----------
    probabilities : float64 ndarray of shape (n, K)
        Of each class, by a classifier that did not see the row.
    doubt : float64 ndarray of shape (n,)
        From 0, no doubt, to 1.
    judged : bool ndarray of shape (n,)
        False for what has nothing to be judged by.
    wrong : int
        How many labels are probably wrong.
    """

    probabilities: np.ndarray
    doubt: np.ndarray
    judged: np.ndarray
    wrong: int


def doubts(X: np.ndarray, y: np.ndarray, keys: np.ndarray, progress: Progress = silent) -> Doubts:
    """Judge every label by a logistic regression on the other rows, in five folds.

    It is then fitted again, with each row counted by how probably its label is right. A label is doubtful in so far as its class is
    improbable, and in so far as it is probably wrong in view of how labels get mixed up (`embed.learn.noise`). The one
    finds labels that are wrong at random, the other those given for what looks alike, and counts the more, the less evenly
    the wrong labels are spread over the classes.

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

    Raises
    ------
    LabelError
        No row can be held out.
    """
    fold = splits.inner_folds(y, keys, FOLDS, SEED)
    judged = fold >= 0
    if not judged.any():
        raise LabelError(
            "no label can be judged: photographs of one content or one group stay together, and some label has no"
            " others; label more photographs, or leave the group out"
        )
    done, steps = 0, PASSES * (int(fold.max()) + 1)

    def tell(_: str) -> None:
        nonlocal done
        done += 1
        progress(JUDGING, done, steps)

    progress(JUDGING, 0, steps)
    heads = selection.OutOfFold("logistic", X, y, fold, {"C": STRENGTH})
    weight = None
    for _ in range(PASSES):
        probabilities = heads.predict_proba(weight, tell)
        seen, given = probabilities[judged], y[judged]
        sharpness = noise.sharpness(seen, given)
        # Sums are best estimated with the likeliest sharpness, which pushes too many probabilities to the ends to rank by.
        right = noise.mixed(seen, given, np.sqrt(sharpness)).right
        weight = np.ones(len(y))
        weight[judged] = right
    likeliest = noise.mixed(seen, given, sharpness)
    share = likeliest.evenness
    doubt = np.zeros(len(y))
    doubt[judged] = 1 - share * seen[np.arange(len(given)), given] - (1 - share) * right
    wrong = round(float(np.sum(1 - likeliest.right)))
    return Doubts(probabilities, doubt, judged, wrong)
