"""The groups of a feature set on disk, so that a group keeps its number until the photographs are grouped again.

``groups.json``, a sealed document beside the parts: how the groups were found, and for each the contents of its
photographs. So a group is known after photographs were renamed, and after others have come.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from embed.cache import FeatureCache
from embed.errors import CacheDamagedError, InputError
from embed.files import read_bytes, unseal, write_document
from embed.labels import Labels, hand
from embed.search.clusters import AXES, Clusters
from embed.search.vectors import as_keys, rows_with

NAME = "groups.json"
FORMAT_VERSION = 1
MOST_BYTES = 1 << 30
_CONTENTS = re.compile(r"(?:[0-9a-f]{64})+")


@dataclass(frozen=True)
class Groups:
    """The groups as they are on disk, and the rows of today that belong to them.

    Attributes
    ----------
    rows : dict of int to ndarray of int64
        Number of a group → its rows, the one nearest the centre first.
    newer : int
        Photographs that are in no group: they came, or were changed, afterwards.
    gone : int
        Contents of the groups that no photograph has any more.
    """

    rows: dict[int, NDArray[np.int64]] = field(repr=False)
    newer: int = 0
    gone: int = 0

    @property
    def outdated(self) -> str:
        """Why the photographs should be grouped again, in a sentence; "" where they need not be."""
        newer = "1 photograph is" if self.newer == 1 else f"{self.newer:,} photographs are"
        parts = [f"{newer} in no group"] if self.newer else []
        parts += (
            [f"{self.gone:,} of the groups {'is' if self.gone == 1 else 'are'} gone"] if self.gone else []
        )
        if not parts:
            return ""
        return f"The photographs have changed since they were grouped: {' and '.join(parts)}."


def keep_groups(features: FeatureCache, found: Clusters) -> None:
    """Write the groups beside the features, instead of any former ones: old or new after a crash.

    Raises
    ------
    CacheWriteError
        The disk refused.
    """
    document = {
        "format_version": FORMAT_VERSION,
        "fingerprint": features.fingerprint,
        "recipe_hash": features.recipe.hash,
        "method": "k-means",
        "axes": AXES,
        "asked": found.asked,
        "seed": found.seed,
        "groups": [
            {
                "group": number,
                "photographs": len(one.rows),
                "tightness": round(one.tightness, 6),
                "contents": "".join(content.tobytes().hex() for content in _distinct(features, one.rows)),
            }
            for number, one in enumerate(found.groups, 1)
        ],
    }
    write_document(features.folder, NAME, document)


def read_groups(features: FeatureCache) -> Groups | None:
    """Return the groups that were kept last; None where there are none.

    Raises
    ------
    CacheDamagedError
        The file is damaged, or of a newer format.
    """
    file = features.folder / NAME
    again = "run embed cluster again"
    try:
        document = unseal(read_bytes(file, MOST_BYTES), file)
    except FileNotFoundError:
        return None
    except CacheDamagedError as error:
        raise CacheDamagedError(f"{error}; {again}") from error
    try:
        if document["format_version"] != FORMAT_VERSION:
            raise ValueError(f"format {document['format_version']}")
        contents = {int(one["group"]): _contents(one["contents"]) for one in document["groups"]}
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise CacheDamagedError(
            f"{file} holds no groups that this embed can read ({error}); {again}"
        ) from error
    rows, known, there = {}, 0, 0
    for number, wanted in contents.items():
        found = rows_with(features.sha256, wanted)
        rows[number] = np.array([row for key in as_keys(wanted) for row in found.get(key, ())], np.int64)
        known += len(wanted)
        there += len(found)
    in_groups = sum(map(len, rows.values()))
    return Groups(rows, len(features) - in_groups, known - there)


def group_rows(groups: Groups | None, number: int) -> NDArray[np.int64]:
    """Return the rows of one group.

    Raises
    ------
    InputError
        There is no such group.
    """
    if groups is None:
        raise InputError("The photographs have not been grouped yet: run embed cluster first.")
    if number not in groups.rows:
        raise InputError(f"There is no group {number}; the groups are 1 to {len(groups.rows)}.")
    return groups.rows[number]


def notes_on_groups(features: FeatureCache, labelled: Labels, scored: NDArray[np.int64]) -> list[str]:
    """Return what to mind about an accuracy on some rows, where they were named by hand with their groups."""
    whole = int(_named_as_a_whole(features)[scored].sum()) if labelled.by_hand else 0
    if not whole:
        return []
    return [
        f"{whole} of {len(scored)} scored photographs were named with their whole group, which was found in these same"
        " features: about them the accuracy says how well the groups are found again. Name some photographs one by one, drawn"
        " at random, with embed label PHOTOGRAPH NAME --split test, for a number that is about the photographs"
    ]


def _named_as_a_whole(features: FeatureCache) -> NDArray[np.bool_]:
    """Return which photographs were given their label by hand together with most of their group, bool (n,)."""
    named = np.zeros(len(features), bool)
    try:
        groups = read_groups(features)
    except CacheDamagedError:  # nothing can be told, and nobody asked for the groups
        groups = None
    given = hand.of_photographs(hand.read(features.labels_file), features)
    for rows in groups.rows.values() if groups is not None else ():
        labels = [None if (one := given[row]) is None else (one.label, one.when) for row in rows]
        commonest, count = Counter(labels).most_common(1)[0] if labels else (None, 0)
        if commonest is not None and count > len(rows) / 2 and count > 1:
            named[[row for row, label in zip(rows, labels, strict=True) if label == commonest]] = True
    return named


def _distinct(features: FeatureCache, rows: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
    """Return the contents of rows, each once, in order."""
    contents = features.sha256[rows]
    return list(dict(zip(as_keys(contents), contents, strict=True)).values())


def _contents(text: str) -> NDArray[np.uint8]:
    if not _CONTENTS.fullmatch(text):
        raise ValueError("no contents")
    return np.frombuffer(bytes.fromhex(text), np.uint8).reshape(-1, 32)
