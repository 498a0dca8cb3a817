"""What keeps photographs together, as a camera, a patient, a burst; and how well each group of them is recognised."""

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from embed import labels, search
from embed.cache import FeatureCache
from embed.labels import Labels
from embed.learn.evaluation import Evaluation, wilson_interval

SIMILAR = "similar"  # as what groups: near duplicates
_similar: WeakKeyDictionary[FeatureCache, np.ndarray] = WeakKeyDictionary()  # a snapshot does not change
SMALLEST = 5  # photographs, for an accuracy of its own


def of(
    features: FeatureCache, labelled: Labels, rule: str | None, progress: search.Progress = search.silent
) -> np.ndarray | None:
    """Return the group of each photograph of a feature set, as `embed.labels.groups` does.

    Beside its rules there is ``similar``: photographs that show the same picture, or look alike, are one group.

    Parameters
    ----------
    features : FeatureCache
    labelled : Labels
        Of its photographs.
    rule : str, optional
    progress : callable

    Raises
    ------
    UsageError
        There is no such rule, column or pattern.
    """
    if rule != SIMILAR or SIMILAR in labelled.columns:
        return labels.groups(labelled, features.paths.tolist(), rule)
    if features in _similar:
        return _similar[features]
    group = np.full(len(features), None, object)
    for found in search.duplicates(features, grade=search.Grade.ALIKE, progress=progress):
        for one in found.photographs:
            group[features.index_of(one.path)] = f"like {found.photographs[0].path}"
    _similar[features] = group
    return group


def by_group(
    evaluation: Evaluation, groups: np.ndarray | None, features: FeatureCache
) -> dict[str, Any] | None:
    """Return how many groups were scored, and the worst and the best of them; None without groups.

    Groups of fewer than `SMALLEST` photographs say little: they are left out where there are two that are larger. Of groups
    that are equally good the larger one is named.

    Parameters
    ----------
    evaluation : Evaluation
    groups : object ndarray of shape (n,), optional
        The group of each photograph of the feature set, str; None for one that is in none.
    features : FeatureCache
    """
    if groups is None:
        return None
    of_path = dict(zip(features.paths, groups, strict=True))
    right: dict[str, list[bool]] = {}
    for path, is_right in zip(evaluation.paths, evaluation.true == evaluation.predicted, strict=True):
        if of_path[path] is not None:
            right.setdefault(of_path[path], []).append(bool(is_right))
    large = {group: answers for group, answers in right.items() if len(answers) >= SMALLEST}
    counted = large if len(large) > 1 else right
    if not counted:
        return None

    def accuracy(group: str) -> float:
        return sum(counted[group]) / len(counted[group])

    def told(group: str) -> dict[str, Any]:
        n = len(counted[group])
        interval = wilson_interval(sum(counted[group]), n)
        return {"group": group, "n": n, "accuracy": accuracy(group), "accuracy_interval": list(interval)}

    worst = min(counted, key=lambda group: (accuracy(group), -len(counted[group]), group))
    best = min(counted, key=lambda group: (-accuracy(group), -len(counted[group]), group))
    return {"count": len(counted), "worst": told(worst), "best": told(best)}
