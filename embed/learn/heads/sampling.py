"""How much each photograph counts, and which are held out, while a classifier is fitted."""

import numpy as np

from embed.errors import UsageError


def class_weights(target: np.ndarray, n_classes: int, mode: str | None) -> np.ndarray:
    """Return the weight of every photograph, float64 ndarray of shape (n,), averaging 1.

    Args:
        target: int ndarray of shape (n,), the column of each photograph's class.
        n_classes: K.
        mode: None for equal weights; "balanced" gives every class the same weight in all.
    """
    if mode is None:
        return np.ones(len(target))
    if mode != "balanced":
        raise UsageError(f"class_weight must be None or 'balanced', got {mode!r}")
    counts = np.bincount(target, minlength=n_classes)
    return len(target) / (np.count_nonzero(counts) * counts[target])


def deal(target: np.ndarray, groups: np.ndarray, draws: np.ndarray, k: int) -> np.ndarray:
    """Deal photographs into k folds by class, whole groups to one fold; int ndarray of shape (n,).

    Groups are dealt class by class, the largest first and then by their draw, each to the fold that holds the
    fewest of its class. A class with fewer than k groups is dealt to no fold (-1): it always trains.

    Args:
        target: int ndarray of shape (n,), the class of each photograph.
        groups: int ndarray of shape (n,), from 0 to G - 1.
        draws: shape (G,), a number per group that orders groups of one size.
        k: number of folds.
    """
    n_classes = int(target.max()) + 1
    sizes = np.bincount(groups)
    first = np.full(len(sizes), -1)
    first[groups[::-1]] = np.arange(len(groups))[::-1]
    class_of_group = target[first]
    groups_of_class = np.bincount(class_of_group, minlength=n_classes)
    held = np.zeros((n_classes, k))
    in_all = np.zeros(k)
    fold_of_group = np.full(len(sizes), -1)
    for group in np.lexsort((draws, -sizes, class_of_group)):
        label = class_of_group[group]
        if groups_of_class[label] < k:
            continue
        fold = int(np.lexsort((in_all, held[label]))[0])
        fold_of_group[group] = fold
        held[label, fold] += sizes[group]
        in_all[fold] += sizes[group]
    return fold_of_group[groups]
