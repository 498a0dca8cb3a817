"""One photograph in several classes, in several splits, or under several names: what is to be said of it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from embed.labels.rules import Labels, Photographed


def conflicts(labelled: Labels, photographs: Photographed) -> list[str]:
    """Return a sentence for each way in which the same content is there more than once, with the first that is.

    Parameters
    ----------
    labelled : Labels
    photographs : Photographed
        Those that were labelled.
    """
    contents = np.ascontiguousarray(photographs.sha256).view("V32").ravel()
    _, first, of, counts = np.unique(contents, return_index=True, return_inverse=True, return_counts=True)
    taken = np.ones(len(contents), bool) if labelled.copies is None else ~labelled.copies
    rows = np.flatnonzero((counts[of] > 1) & taken)
    if not len(rows):
        return []
    by_content: dict[int, list[int]] = {}
    for row in rows.tolist():
        by_content.setdefault(int(first[of[row]]), []).append(row)
    groups = [group for group in by_content.values() if len(group) > 1]

    def shown(row: int, value: str | None = None) -> str:
        return f"{photographs.paths[row]}" + (f" ({value})" if value is not None else "")

    def differ(values: NDArray[np.object_], counts: Callable[[int], bool]) -> tuple[int, str]:
        """Return how many contents have several values, and the first of them."""
        number, example = 0, ""
        for group in groups:
            of_value: dict[str, int] = {}
            for row in group:
                if values[row] is not None and counts(row):
                    of_value.setdefault(values[row], row)
            if len(of_value) > 1:
                number += 1
                example = example or " and ".join(
                    shown(row, value) for value, row in list(of_value.items())[:2]
                )
        return number, example

    sentences = []
    classes, example = differ(labelled.labels, lambda row: True)
    if classes:
        sentences.append(f"{_photographs(classes)} in more than one class: {example}")
    splits, example = differ(labelled.splits, lambda row: labelled.labels[row] is not None)
    if splits:
        sentences.append(
            f"{_photographs(splits)} in more than one split, so that what is scored was trained on: {example}"
        )
    if groups:
        names = sum(map(len, groups))
        sentences.append(
            f"{_photographs(len(groups))} there under more than one name ({names} in all): {shown(groups[0][0])} and"
            f" {shown(groups[0][1])}"
        )
    return sentences


def _photographs(count: int) -> str:
    return "1 photograph is" if count == 1 else f"{count} photographs are"
