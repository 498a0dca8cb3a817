"""A sample of photographs that may be judged, drawn by content before anything was computed."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embed import files, labels, sources
from embed.cache import FeatureCache, list_features, origin_of
from embed.errors import LabelError, UsageError
from embed.extract import sample
from embed.labels import Labels
from embed.learn import splits
from embed.learn.trainer import Progress


class _Found:
    """Photographs that were found and not computed, as what has labels; their contents are read where a label needs them."""

    def __init__(
        self, source: sources.Source, items: Sequence[sources.Item], cache: Path, tell: Progress
    ) -> None:
        self._source, self._items, self._cache, self._tell = source, items, cache, tell
        self.root, self.places = source.root, source.places

    @cached_property
    def paths(self) -> NDArray[np.object_]:
        paths = np.empty(len(self._items), object)
        paths[:] = [item.name for item in self._items]
        return paths

    @cached_property
    def sha256(self) -> NDArray[np.uint8]:
        contents = sample.contents_of(self._source, self._items, self._cache, self._tell)
        # One that cannot be read is like no other.
        alone = (hashlib.sha256(os.fsencode(item.name)).digest() for item in self._items)
        known = b"".join(content or own for content, own in zip(contents, alone, strict=True))
        return np.frombuffer(known, np.uint8).reshape(-1, 32)

    @property
    def exif(self) -> dict[str, list[str | None]]:
        return {}

    @property
    def labels_file(self) -> Path:
        sets = (one for one in list_features(self._cache) if one.meta.root == str(self.root))
        found = next(sets, None)
        return self._cache / labels.hand.NAME if found is None else FeatureCache.open(found).labels_file

    @cached_property
    def labels_of_source(self) -> Path | None:
        folder = self._cache / sample.SAMPLES
        files.make_folder(folder)
        labels.brought.write(folder, self._source.described)
        file = folder / labels.brought.NAME
        return file if file.exists() else None


@dataclass(frozen=True)
class Drawn:
    """A sample.

    Attributes
    ----------
    photographs : Some
    contents : list of bytes
        The sha256 of each.
    labelled : Labels
        Of each, by the whole folder.
    among : int
        How many it was drawn among.
    """

    photographs: sources.Some
    contents: list[bytes]
    labelled: Labels
    among: int

    @property
    def names(self) -> list[str]:
        """What they are called."""
        return [item.name for item in self.photographs.items]


def draw(data: Path, cache: Path, size: int, rule: str, seed: int, tell: Progress) -> Drawn:
    """Draw photographs by their content, among those that have a label and lie in no test folder.

    Nor in a validation folder where there is no other.

    Raises
    ------
    InputError
        There is no such folder.
    UsageError
        They would be too few.
    LabelError
        None has a label.
    """
    if size < 2:
        raise UsageError(f"{size} are too few; it is 2 or more", "size")
    source = sources.open(data)
    before = origin_of(cache, source.root, source.again)
    source = sources.open(data, sources.Filters(before.exclude, before.include))
    items = [told for told in source.find() if isinstance(told, sources.Item)]
    labelled = labels.of(_Found(source, items, cache, tell), rule)
    untouched = "test" if np.any(labelled.splits == "test") else "validation"
    may = [i for i in range(len(items)) if labelled.labels[i] is not None and labelled.splits[i] != untouched]
    if not may:
        raise LabelError(
            f"no photograph in {data} has a label by the rule {labelled.rule!r}; {labels.NO_LABELS}"
        )
    contents = sample.contents_of(source, [items[i] for i in may], cache, tell)
    first: dict[bytes, int] = {}
    for content, i in zip(contents, may, strict=True):
        if content:
            first.setdefault(content, i)
    chosen = sorted(first, key=lambda content: splits.draw_of(content.hex(), seed))[:size]
    chosen.sort(key=lambda content: first[content])
    rows = [first[content] for content in chosen]
    kept = replace(
        labelled,
        labels=labelled.labels[rows],
        splits=np.full(len(rows), None, object),
        columns={name: values[rows] for name, values in labelled.columns.items()},
        asked=None,
        folds=None if labelled.folds is None else labelled.folds[rows],
        copies=None,
    )
    return Drawn(sources.Some(source, [items[i] for i in rows]), chosen, kept, len(first))
