"""Which photographs train, which choose, which are only looked at; and which look the same on both sides."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from embed.cache import FeatureCache
from embed.errors import LabelError, UsageError
from embed.labels import NO_LABELS, Labels
from embed.search.likeness import likeness
from embed.search.vectors import CachedVectors

FOLDERS = "folders"  # as a number of folds: those that the folders say
HELD_OUT = 0.2  # share of the photographs that is held out where no folder says which
NEAR_DUPLICATE = 0.97  # cosine from which photographs are taken for versions of one, unless many are so alike
MOST_COMPARISONS = (
    250_000_000  # pairs of photographs compared across a split; beyond it a sample of the scored ones
)
BLOCK = 1024  # rows of a similarity matrix held at a time
MOST_NAMED = 5  # classes in a sentence


@dataclass(frozen=True)
class Split:
    """Positions of the photographs by role, int ndarrays in ascending order, disjoint.

    Attributes
    ----------
    train : int ndarray
        What a classifier is fitted on.
    validation : int ndarray
        What choices are made on where there is a test part, and what is scored where there is none.
    test : int ndarray
        What is only scored.
    fold : int ndarray, optional
        For cross-validation, the fold of each photograph in `train`; None otherwise.
    description : str
        One line for people.
    not_scored : int ndarray
        Photographs that have a fold and are not scored.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    fold: np.ndarray | None
    description: str
    not_scored: np.ndarray = field(default_factory=lambda: np.empty(0, np.intp))

    @property
    def scored(self) -> np.ndarray:
        """The photographs that the printed number is about."""
        if self.fold is not None:
            return self.train[~np.isin(self.train, self.not_scored)]
        return self.test if len(self.test) else self.validation

    @property
    def evaluated_on(self) -> str:
        """The role of the scored photographs."""
        if self.fold is not None:
            return f"{int(self.fold.max()) + 1}-fold cross-validation"
        return "test" if len(self.test) else "validation"


def divide(
    labels: Labels,
    sha256: np.ndarray,
    *,
    seed: int = 0,
    cv: int | str | None = None,
    groups: np.ndarray | None = None,
    fraction: float = HELD_OUT,
) -> Split:
    """Give every labelled photograph its role.

    With `cv`, everything that is not in a test folder is cross-validated, in so many folds or in those of the folders;
    what lies in no fold's folder is left out then. Otherwise the folders decide where a
    validation or test folder exists. Otherwise a share of every class is held out by a hash of the content, so
    a photograph keeps its role when its folder moves or grows; copies of one content, and photographs of one
    group, stay on one side.

    Parameters
    ----------
    labels : Labels
        Labels and splits of n photographs.
    sha256 : uint8 ndarray of shape (n, 32)
        The content of each.
    seed : int
        Another seed is another draw.
    cv : int or str, optional
        Number of folds, at least 2, or "folders".
    groups : object ndarray of shape (n,), optional
        Photographs with the same value that is not None stay together.
    fraction : float
        Share held out.

    Raises
    ------
    LabelError
        Too few labelled photographs or classes.
    UsageError
        Fewer than two folds.
    """
    labelled = np.flatnonzero([label is not None for label in labels.labels])
    _need_two_classes(labels, labelled)
    keys = keys_of(sha256, groups)
    role = labels.splits
    in_test = np.array([role[i] == "test" for i in labelled], dtype=bool)
    in_validation = np.array([role[i] == "validation" for i in labelled], dtype=bool)
    none = labelled[:0]
    if cv == FOLDERS:
        return _folders_as_folds(labels, labelled[~in_test], labelled[in_test])
    if cv is not None:
        if not isinstance(cv, int) or cv < 2:
            raise UsageError(f"must be a number of folds, at least 2, or {FOLDERS}, not {cv!r}", "cv")
        train = labelled[~in_test]
        _need_two_classes(labels, train)
        fold = folds(labels.labels[train], keys[train], cv, seed)
        return Split(train, none, labelled[in_test], fold, f"{cv}-fold cross-validation (seed {seed})")
    if in_test.any() or in_validation.any():
        train = labelled[~in_test & ~in_validation]
        if not len(train):
            raise LabelError(
                "every labelled photograph is in a validation or test folder, so there is none to train on;"
                " name a folder train/, or cross-validate (cv)"
            )
        _need_two_classes(labels, train)
        return Split(train, labelled[in_validation], labelled[in_test], None, "folders")
    held_out = _held_out(labels.labels[labelled], keys[labelled], fraction, seed)
    if not held_out.any():
        raise LabelError(
            "no photograph can be held out to score on: every class has a single photograph or a single group;"
            " add more"
        )
    by = "content" if groups is None else "group"
    description = f"{fraction:.0%} of every class held out by {by} (seed {seed})"
    return Split(labelled[~held_out], labelled[held_out], none, None, description)


def unseen(split: Split, tuned_on: np.ndarray) -> Split:
    """Return a split in which no photograph is scored, or chosen by, that the network was tuned on: it trains instead.

    Of a cross-validation every photograph keeps its fold, and some are not scored.

    Parameters
    ----------
    split : Split
        As `divide` returns it.
    tuned_on : bool ndarray of shape (n,)

    Raises
    ------
    LabelError
        Nothing would be scored.
    """
    held_out = np.concatenate([split.validation, split.test])
    if not tuned_on[split.train if split.fold is not None else held_out].any():
        return split
    if split.fold is None:
        seen = held_out[tuned_on[held_out]]
        validation, test = (part[~tuned_on[part]] for part in (split.validation, split.test))
        train = np.sort(np.concatenate([split.train, seen]))
        description = f"{split.description}, without {len(seen)} that the network was tuned on"
        split = Split(train, validation, test, None, description)
    else:
        split = replace(split, not_scored=np.flatnonzero(tuned_on))
    if not len(split.scored):
        raise LabelError(
            "the network was tuned on every photograph that would be scored, so there is nothing to judge it by: score it on a"
            " test folder that it was not tuned on, without cross-validation, or judge the features of the weights before"
        )
    return split


def _folders_as_folds(labels: Labels, train: np.ndarray, test: np.ndarray) -> Split:
    """Return the folds that the folders say."""
    of = labels.folds if labels.folds is not None else np.full(len(labels.labels), None, object)
    train = train[[of[i] is not None for i in train]]
    names = sorted(set(of[train]), key=_in_counting_order)
    if len(names) < 2:
        raise UsageError(
            f"{FOLDERS} is for photographs in folders such as fold_1/, fold_2/; there are {len(names) or 'none'}",
            "cv",
        )
    fold = np.array([names.index(of[i]) for i in train])
    description = f"{len(names)}-fold cross-validation by folders: {names[0]} to {names[-1]}"
    return Split(train, train[:0], test, fold, description)


def _in_counting_order(name: str) -> tuple[int, str]:
    digits = re.search(r"[0-9]+", name)
    return int(digits[0]) if digits else 0, name


def folds(labels: np.ndarray, keys: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Return the fold of every photograph, int ndarray of shape (n,): stratified, whole groups in one fold.

    Groups are dealt out one after another, largest class first, each to the fold that holds the fewest of its class.
    """
    _, target = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
    names, first, group_of, sizes = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    if len(names) < k:
        raise LabelError(
            f"{k} folds need at least {k} different photographs or groups; there are {len(names)}"
        )
    draw = np.array([draw_of(name, seed) for name in names])
    class_of_group = target[first]
    held = np.zeros((k, target.max() + 1), dtype=int)
    fold_of_group = np.zeros(len(names), dtype=int)
    for group in np.lexsort((draw, -sizes, class_of_group)):
        of_class = held[:, class_of_group[group]]
        fewest = np.flatnonzero(of_class == of_class.min())
        fold = fewest[np.argmin(held[fewest].sum(axis=1))]
        fold_of_group[group] = fold
        held[fold, class_of_group[group]] += sizes[group]
    return fold_of_group[group_of]


def inner_folds(target: np.ndarray, keys: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Return the fold of every photograph for choices within a training part, int ndarray of shape (n,).

    Every class is among the photographs outside of a fold. There are fewer than `k` folds where a class has fewer contents
    or groups; a class of a single one is in no fold (-1): it always trains. Where nothing can be held out, all are -1.

    Parameters
    ----------
    target : str ndarray of shape (n,)
        The class of each photograph.
    keys : object ndarray of shape (n,)
        As `keys_of` gives them.
    k : int
        Folds, at most.
    seed : int
    """
    sizes = {label: len(set(keys[target == label])) for label in np.unique(target)}
    several = np.isin(target, [label for label, size in sizes.items() if size > 1])
    fold = np.full(len(target), -1)
    if len(np.unique(target[several])) < 2:
        return fold
    k = min(k, *(size for size in sizes.values() if size > 1))
    fold[several] = folds(target[several], keys[several], k, seed)
    if any(len(np.unique(target[fold != i])) < len(sizes) for i in range(k)):
        fold[:] = -1  # a content or a group of several classes took one of them along
    return fold


def draw_of(key: str, seed: int) -> float:
    """Return the number in [0, 1) that a content or group draws; the same one wherever and whenever it is drawn."""
    digest = hashlib.sha256(f"{seed}/{key}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def keys_of(sha256: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Return what keeps photographs on one side of a split, object ndarray of shape (n,): their content, or their group."""
    contents = [row.tobytes().hex() for row in np.ascontiguousarray(sha256)]
    if groups is None:
        return np.array(contents, dtype=object)
    # A copy of a photograph may lie in another group: the content then takes the group that it was seen in first.
    group_of: dict[str, str] = {}
    for content, group in zip(contents, groups, strict=True):
        if group is not None:
            group_of.setdefault(content, f"group {group}")
    return np.array([group_of.get(content, content) for content in contents], dtype=object)


def _held_out(labels: np.ndarray, keys: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Hold out what draws below `fraction`; a class that came out whole or empty-handed gives or takes one group."""
    draw_by_key = {key: draw_of(key, seed) for key in sorted(set(keys))}
    draws = np.array([draw_by_key[key] for key in keys])
    out = draws < fraction
    for label in sorted(set(labels)):
        members = labels == label
        if members.sum() < 2 or len(set(keys[members])) < 2:
            out[np.isin(keys, list(set(keys[members])))] = False  # nothing to divide: it trains
        elif not out[members].any():
            out[keys == keys[members][np.argmin(draws[members])]] = True
        elif out[members].all():
            out[keys == keys[members][np.argmax(draws[members])]] = False
    return out


def _need_two_classes(labels: Labels, positions: np.ndarray) -> None:
    classes = sorted(set(labels.labels[positions]))
    if not classes:
        raise LabelError(
            f"no photograph has a label by the rule {labels.rule!r}; put them into one folder per class, or label"
            f" them by a rule (labels): 'regex:PATTERN' or csv:FILE; {NO_LABELS}"
        )
    if len(classes) == 1:
        others = [label for label in labels.classes if label != classes[0]]
        elsewhere = (
            f", and {', '.join(map(repr, others[:MOST_NAMED]))}{', ...' if len(others) > MOST_NAMED else ''} lie in validation or test"
            " folders only; splits none with labels 'regex:([^/]+)/[^/]+$', the innermost folder, divides all of them anew"
            if others
            else ""
        )
        raise LabelError(
            f"all photographs to train on are {classes[0]!r}; a classifier needs at least two classes{elsewhere}"
        )


@dataclass(frozen=True)
class NearDuplicates:
    """Photographs on both sides of a split that are one picture, or nearly.

    Attributes
    ----------
    pairs : list of tuple
        (scored, trained on, cosine), positions, the most similar first, one for each scored photograph.
    checked : int
        Scored photographs that were compared.
    scored : int
        Scored photographs in all.
    threshold : float
        The cosine from which they count.
    """

    pairs: list[tuple[int, int, float]]
    checked: int
    scored: int
    threshold: float


def near_duplicates(
    rows: Callable[[np.ndarray], np.ndarray],
    train: np.ndarray,
    scored: np.ndarray,
    threshold: float = NEAR_DUPLICATE,
) -> NearDuplicates:
    """Find the scored photographs with a cosine of at least `threshold` to one that is trained on.

    Parameters
    ----------
    rows : callable
        Gives the features of positions, float32 of shape (n, d).
    train, scored : int ndarray
        Positions.
    """
    if not len(train) or not len(scored):
        return NearDuplicates([], 0, len(scored), threshold)
    from sklearn.preprocessing import normalize

    at_most = max(1, MOST_COMPARISONS // len(train))
    checked = (
        scored if len(scored) <= at_most else scored[np.linspace(0, len(scored) - 1, at_most).astype(int)]
    )
    trained = normalize(rows(train))
    pairs = []
    for start in range(0, len(checked), BLOCK):
        block = checked[start : start + BLOCK]
        similarity = normalize(rows(block)) @ trained.T
        nearest = similarity.argmax(axis=1)
        best = similarity[np.arange(len(block)), nearest]
        pairs += [
            (int(block[i]), int(train[nearest[i]]), min(1.0, float(best[i])))
            for i in np.flatnonzero(best >= threshold)
        ]
    pairs.sort(key=lambda pair: (-pair[2], pair[0]))
    return NearDuplicates(pairs, len(checked), len(scored), threshold)


def near_duplicates_across(features: FeatureCache, split: Split) -> NearDuplicates:
    """Find the scored photographs of a split, or of every fold, that nearly equal one that is then trained on.

    Photographs that a network finds all alike, as pages of text, have to be more alike than that.
    """
    rows = features.rows
    everything = CachedVectors(features, np.arange(len(features)))
    threshold = max(NEAR_DUPLICATE, likeness(everything).alike)
    if split.fold is None:
        trained = split.train
        if len(split.test):
            trained = np.concatenate([split.train, split.validation])
        return near_duplicates(rows, trained, split.scored, threshold)
    scored = np.isin(split.train, split.scored)
    found = [
        near_duplicates(
            rows, split.train[split.fold != k], split.train[scored & (split.fold == k)], threshold
        )
        for k in range(int(split.fold.max()) + 1)
    ]
    return NearDuplicates(
        sorted((pair for one in found for pair in one.pairs), key=lambda pair: (-pair[2], pair[0])),
        sum(one.checked for one in found),
        sum(one.scored for one in found),
        threshold,
    )


def straddling(groups: np.ndarray, train: Sequence[int], scored: Sequence[int]) -> list[str]:
    """Return the groups that lie on both sides of a split, sorted."""
    on_one_side = {groups[i] for i in train} & {groups[i] for i in scored}
    return sorted(group for group in on_one_side if group is not None)
