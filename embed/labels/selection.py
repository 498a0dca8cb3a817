"""Photographs of some labels and splits."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embed.errors import LabelError, UsageError
from embed.labels.words import SPLITS

NAMED_AT_MOST = 10  # labels in a message


def chosen(
    labels: NDArray[np.object_],
    splits: NDArray[np.object_],
    *,
    label: Sequence[str] | None,
    split: Sequence[str] | None,
) -> NDArray[np.bool_]:
    """Return which photographs have one of these labels and are in one of these splits.

    Parameters
    ----------
    labels, splits : ndarray of shape (n,)
        Of the photographs, as in `Labels`.
    label : sequence of str, optional
        The labels wanted; by default every photograph, with a label or without.
    split : sequence of str, optional
        The splits wanted; by default every photograph, in a split or not.

    Returns
    -------
    ndarray of shape (n,), bool

    Raises
    ------
    UsageError
        There is no such split.
    LabelError
        No photograph is in one of the splits; none of those that are has one of the labels.
    """
    rows = np.ones(len(labels), bool)
    for one in split or ():
        if one not in SPLITS:
            raise UsageError(f"{one!r} is not known; it is one of {', '.join(SPLITS)}", "split")
    place = ""
    if split is not None:
        rows &= _among(splits, split, splits, "No photograph is in the split")
        place = f" in the split {' or '.join(map(repr, split))}"
    if label is not None:
        rows &= _among(labels, label, labels[rows], f"No photograph{place} is labelled")
    return rows


def _among(
    values: NDArray[np.object_], wanted: Sequence[str], there: NDArray[np.object_], complaint: str
) -> NDArray[np.bool_]:
    """Return where a value is a wanted one; every wanted one has to be there."""
    known = sorted({value for value in there if value is not None})
    for one in wanted:
        if one not in known:
            some = ", ".join(map(repr, known[:NAMED_AT_MOST])) or "none"
            raise LabelError(
                f"{complaint} {one!r}; there are {some}{' ...' if len(known) > NAMED_AT_MOST else ''}."
            )
    return np.array([value in wanted for value in values], bool)
