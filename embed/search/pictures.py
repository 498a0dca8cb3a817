"""Pairs of photographs compared by their pixels, in bounded memory; only those that are asked about are decoded."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from embed import sources
from embed.cache import FeatureCache
from embed.images import Decoder, Resize
from embed.machine import one_thread, processors
from embed.search import alignment, verdicts
from embed.search.alignment import OUTLINE, SIZE
from embed.search.store import Progress

KEPT_BYTES = 256 << 20  # of pictures in memory
_KEPT = KEPT_BYTES // (SIZE * SIZE * 3)
AT_ONCE = 64  # pairs that are compared between two reports
METHOD = 1  # raised where another picture would be found the same


class Compared(NamedTuple):
    """What became of pairs.

    Attributes
    ----------
    same : ndarray of shape (n,), bool
        Which are one picture.
    unseen : dict of int to str
        Rows of photographs that cannot be looked at, and why.
    """

    same: NDArray[np.bool_]
    unseen: dict[int, str]


def compare(
    features: FeatureCache, first: NDArray[np.int64], second: NDArray[np.int64], progress: Progress
) -> Compared:
    """Return which pairs of rows of a feature set are one picture, as it was found before or as it is found now."""

    sha256 = features.sha256
    known = verdicts.Verdicts(features, METHOD)
    keys = verdicts.keys(sha256[first], sha256[second])
    there, same = known.find(keys)
    new = np.flatnonzero(~there)
    if not len(new):
        return Compared(same, {})
    new = new[np.lexsort((second[new], first[new]))]
    looked = _Pictures(features, np.unique(np.concatenate([first[new], second[new]])), progress)
    asked = new[looked.may_be_same(first[new], second[new])]
    with one_thread(), ThreadPoolExecutor(processors(), "compare") as threads:
        done = 0
        for some in looked.portions(first[asked], second[asked]):
            part = asked[some]
            pixels = looked.get(np.unique(np.concatenate([first[part], second[part]])))
            there = np.array([{int(first[pair]), int(second[pair])} <= pixels.keys() for pair in part], bool)
            part = part[there]
            blocks = [part[start : start + AT_ONCE] for start in range(0, len(part), AT_ONCE)]
            for pairs, answers in zip(
                blocks, threads.map(partial(_same, pixels, first, second), blocks), strict=True
            ):
                same[pairs] = answers
                done += len(pairs)
                progress("Comparing pictures", done, len(asked))
    seen = np.array([looked.saw(int(first[pair])) and looked.saw(int(second[pair])) for pair in new], bool)
    known.add(keys[new[seen]], same[new[seen]])
    return Compared(same, looked.unseen)


def _same(
    pixels: dict[int, NDArray[np.uint8]],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    pairs: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Return which of some pairs are one picture, given the pixels of every row."""
    return alignment.same(*(np.stack([pixels[int(row)] for row in rows[pairs]]) for rows in (first, second)))


class _Pictures:
    """The pictures of some rows: all as outlines, as many as memory allows as they are, the others once more when they are needed."""

    def __init__(self, features: FeatureCache, rows: NDArray[np.int64], progress: Progress) -> None:
        self._features = features
        self._file_of = sources.locator(features.root)
        self._kept: dict[int, NDArray[np.uint8]] = {}
        self.unseen: dict[int, str] = {}
        self._place = {int(row): place for place, row in enumerate(rows)}
        self._outlines = np.zeros((len(rows), OUTLINE, OUTLINE), np.float32)
        self._seen = np.zeros(len(rows), bool)
        for done, (row, pixels) in enumerate(self._decoded(rows), 1):
            self._seen[self._place[row]] = True
            self._outlines[self._place[row]] = alignment.outlines(pixels[None])[0]
            if len(self._kept) < _KEPT:
                self._kept[row] = pixels
            progress("Looking at photographs", done, len(rows))

    def saw(self, row: int) -> bool:
        """Return whether a photograph could be looked at whenever it was asked for."""
        return bool(self._seen[self._place[row]]) and row not in self.unseen

    def may_be_same(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which pairs are alike from far away, one of them in a mirror or not."""
        a, b = (self._outlines[[self._place[int(row)] for row in rows]] for rows in (first, second))
        straight, mirrored = (np.einsum("nij,nij->n", a, one) for one in (b, b[:, :, ::-1]))
        return np.maximum(straight, mirrored) >= alignment.LEAST_OUTLINE

    def portions(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> Iterator[slice]:
        """Yield slices of pairs whose pictures memory holds."""
        start, rows = 0, set[int]()
        for pair, both in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
            if len(rows | {*both}) > _KEPT:
                yield slice(start, pair)
                start, rows = pair, set()
            rows |= {*both}
        if start < len(first):
            yield slice(start, len(first))

    def get(self, rows: NDArray[np.int64]) -> dict[int, NDArray[np.uint8]]:
        """Return the pictures of some rows, without those that cannot be looked at."""
        wanted = {int(row) for row in rows} - self.unseen.keys()
        missing = wanted - self._kept.keys()
        if missing:
            self._kept = {row: pixels for row, pixels in self._kept.items() if row in wanted}
            self._kept.update(self._decoded(np.array(sorted(missing))))
        return {row: self._kept[row] for row in wanted if row in self._kept}

    def _decoded(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield each row with its pixels, where its file still is what its features were computed of."""
        files = {str(self._file_of(self._features.path(int(row)))): int(row) for row in rows}
        source = sources.Files(map(Path, files))
        with Decoder(Resize(SIZE)) as decoder:
            for one in decoder.map(source.read(list(source.items()))):
                row = files[one.item.name]
                if one.pixels is None:
                    self.unseen[row] = one.problem or "cannot be decoded"
                elif one.sha256 != self._features.sha256[row].tobytes():
                    self.unseen[row] = "has changed since its features were computed"
                else:
                    yield row, one.pixels[0]
