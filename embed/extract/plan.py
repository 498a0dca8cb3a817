"""What an extraction has to do: which photographs are new, which have moved, and which are gone."""

import bisect
import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from embed import images, machine
from embed.cache import Failure, FeatureCache, OtherSets, Recipe, Starts
from embed.extract.options import RunOptions
from embed.extract.scan import Run, Scan
from embed.extract.summary import Outcome
from embed.sources import Failed, Item, LeftOut, Listed, Source

GROUP_ITEMS = 16  # photographs that are read one after the other
GROUP_BYTES = 16 << 20

TOP = "."  # the source itself, as a place
TICK = 1000  # known photographs between two reports

_MET, _OUT_OF_REACH, _GONE, _SPOILT = 1, 2, 3, 4  # what is known of a row; 0 is nothing so far


class Plan:
    """The photographs to compute, told while the search goes on; what is known is settled on the way.

    Parameters
    ----------
    scan : Scan
    known : FeatureCache
        The rows that there are.
    failed : iterable of Failure
        The photographs that had no row at the end of the last extraction.
    run : RunOptions
    outcome : Outcome
        Is told of photographs that need not, or cannot, be computed.

    Attributes
    ----------
    source : Source
        Where the photographs are read from.
    recipe : Recipe
        By which they are computed.
    others : OtherSets
        Where rows of contents are that this set does not know.
    """

    def __init__(
        self, scan: Scan, known: FeatureCache, failed: Iterable[Failure], run: RunOptions, outcome: Outcome
    ) -> None:
        self.source: Source = scan.source
        self.recipe: Recipe = known.recipe
        self.others = OtherSets(known.folder, known.recipe, images.are_current)
        self._scan = scan
        self._known = known
        self._run = run
        self._outcome = outcome
        self._failed_before = {failure.path: failure for failure in failed}
        self._failed_places: set[str] = set()
        self._state = np.zeros(len(known), np.int8)  # of every row
        self._next = 0  # the row after the one that was met last: names come in the order of the rows
        self._current = images.are_current(known.decoders)

    def groups(self) -> Iterator[list[Item]]:
        """Yield the photographs that have to be read, in order, those together that are to be read one after the other.

        Raises
        ------
        InputError
            The search broke off; nothing is known to be gone then.
        """
        for block in self._scan.blocks():
            group: list[Item] = []
            size = 0
            for told in block:
                if isinstance(told, LeftOut):
                    self._outcome.left_out.append((told.place, told.reason, told.images))
                    continue
                if not isinstance(told, Run):
                    self._settle_place(told)
                    continue
                if self._are_next(told):
                    continue
                for item in told.items():
                    if self._settle(item):
                        continue
                    group.append(item)
                    size += item.size
                    if len(group) == GROUP_ITEMS or size >= GROUP_BYTES:
                        yield self._started(group)
                        group, size = [], 0
            if group:
                yield self._started(group)
        self._outcome.progress.total = self._scan.total
        for name, failure in self._failed_before.items():
            if not self._failed_places.isdisjoint(map(str, PurePosixPath(name).parents)):
                self._outcome.failures.append(failure)  # it is where nobody can look now
                self._outcome.progress.failed += 1

    def row(self, name: str) -> int | None:
        """Return the known row of a photograph, or None."""
        key = os.fsencode(name)
        keys = self._known.keys
        if self._next < len(keys) and keys[self._next] == key:
            return self._next
        return keys.find(key)

    def row_of_content(self, sha256: bytes) -> int | None:
        """Return a known row of a content that need not be computed again, or None; any thread may ask."""
        rows = self._starts.rows(sha256)
        return next((row for row in rows if self._known.content(row) == sha256), None)

    def knows(self, sha256: bytes) -> bool:
        """Return whether a content need not be computed: this set has it, or another that can be read."""
        return self.row_of_content(sha256) is not None or self.others.find(sha256) is not None

    def contents(self) -> NDArray[np.uint64]:
        """Return the first eight bytes of every content that need not be computed, ascending; `knows` has the last word."""
        others = self.others.starts()
        known = self._starts.starts
        if len(others):
            known = np.concatenate([known, others])
            known.sort()
        return known

    @cached_property
    def _starts(self) -> Starts:
        starts = Starts(self._known.content_starts(), self._current)
        machine.return_memory()
        return starts

    @property
    def left(self) -> int | None:
        """How many photographs wait for a decision, or for their features; None until all have been found."""
        progress = self._outcome.progress
        return None if progress.total is None else progress.total - progress.done

    def unchanged(self, row: int, item: Item) -> bool:
        """Return whether a row is what would be computed of a photograph, going by its size and its stamp."""
        return bool(
            self._known.sizes[row] == item.size
            and self._known.mtimes_ns[row] == item.stamp
            and self._current[row]
        )

    def spoil(self, row: int) -> None:
        """Note that what is there now gives no features: the row is of what was there before."""
        self._state[row] = _SPOILT

    @property
    def gone(self) -> NDArray[np.bool_]:
        """Rows whose place was looked at to its end without meeting them; ndarray of shape (n,)."""
        return self._state == _GONE

    @property
    def spoilt(self) -> NDArray[np.bool_]:
        """Rows in whose place there is something now that gives no features; ndarray of shape (n,)."""
        return self._state == _SPOILT

    def _started(self, group: list[Item]) -> list[Item]:
        self._outcome.progress.total = self._scan.total
        self._outcome.start()
        return group

    def _are_next(self, run: Run) -> bool:
        """Settle items where they are the next rows, unchanged, and return whether they are: most of a second extraction."""
        known, rows = self._known, slice(self._next, self._next + len(run.names))
        if (
            self._run.rehash
            or not self._failed_before.keys().isdisjoint(run.names)
            or not self._current[rows].all()
            or b"\0".join(known.keys[rows]) != os.fsencode("\0".join(run.names))
            or known.sizes[rows].tolist() != list(run.sizes)
            or known.mtimes_ns[rows].tolist() != list(run.stamps)
        ):
            return False
        self._state[rows] = _MET
        self._next = rows.stop
        progress = self._outcome.progress
        before = progress.done
        progress.reused += len(run.names)
        if progress.done // TICK > before // TICK:
            progress.total = self._scan.total
            self._outcome.tick()
        return True

    def _settle(self, item: Item) -> bool:
        """Return whether nothing has to be done about a photograph."""
        outcome = self._outcome
        before = self._failed_before.pop(item.name, None) if self._failed_before else None
        row = self.row(item.name)
        if row is not None:
            self._state[row] = _MET
            self._next = row + 1
        if row is not None and not self._run.rehash and self.unchanged(row, item):
            outcome.progress.reused += 1
        elif before is not None and not self._run.retry_failed and _is_of(before, item):
            outcome.fail(item.name, before.reason, item)
            if row is not None:
                self.spoil(row)
        else:
            return False
        if outcome.progress.done % TICK == 0:
            outcome.progress.total = self._scan.total
            outcome.tick()
        return True

    def _settle_place(self, told: Listed | Failed) -> None:
        """Decide about the rows of a place at which the search has come to an end, or could not look."""
        below = self._state[self._rows_below(told.place)]
        if isinstance(told, Listed):
            below[below == 0] = _GONE
            return
        self._failed_before.pop(told.place, None)
        row = self.row(told.place)
        place = told.place or TOP
        if told.gone:
            self._outcome.fail(place, told.reason)
            return
        self._failed_places.add(place)
        stay = below == 0
        rows = int(stay.sum())
        below[stay] = _OUT_OF_REACH
        if row is not None:
            self._state[row] = _OUT_OF_REACH
            self._outcome.keep(place, told.reason)
        elif rows or told.expected:
            self._outcome.fail(place, told.reason)
        if rows:
            self._outcome.keep(place, told.reason, rows)

    def _rows_below(self, place: str) -> slice:
        if not place:
            return slice(0, len(self._known))
        prefix = os.fsencode(place)
        # "0" is what follows "/".
        return slice(*(bisect.bisect_left(self._known.keys, prefix + end) for end in (b"/", b"0")))


def _is_of(failure: Failure, item: Item) -> bool:
    return (failure.size, failure.mtime_ns) == (item.size, item.stamp)
