"""Where the results of an extraction go: rows of the feature set, failures, and rows that leave."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.cache import FeatureWriter
from embed.errors import FeatureError
from embed.extract.pipeline import Result
from embed.extract.plan import Plan
from embed.extract.summary import Outcome
from embed.sources import DRAWN, Item

LEAST_REMOVALS = 20  # rows that may leave at once whatever the size of the set
MOST_REMOVALS = 0.5  # of the rows of a larger set that may leave at once without being asked for


class Sink:
    """Writes what an executor computes, and lets rows leave whose photographs are gone.

    Parameters
    ----------
    writer : FeatureWriter
    plan : Plan
    outcome : Outcome
        Is told what has become of each photograph.
    """

    def __init__(self, writer: FeatureWriter, plan: Plan, outcome: Outcome) -> None:
        self._writer = writer
        self._plan = plan
        self._outcome = outcome
        self._moved = np.zeros(len(writer.known), bool)  # rows whose content was met under another name

    def put(self, result: Result) -> None:
        """Write one result."""
        item = result.item
        row = self._plan.row(item.name)
        if result.problem == DRAWN:
            self._outcome.leave_out(item.name, DRAWN)
            if row is not None:
                self._plan.spoil(row)
        elif result.problem is not None:
            self._fail(result, result.problem, row)
        elif result.features is None:
            self._copy(result, row)
        else:
            try:
                views = result.features[1:] if len(result.features) > 1 else None
                self._write(result, result.features[0], views, result.decoder)
                self._outcome.progress.extracted += 1
            except FeatureError as error:
                self._fail(result, str(error), row)
        self._outcome.tick()

    def remove(self, *, allowed: bool) -> tuple[int, int]:
        """Let the rows go whose photographs are gone, or give no features any more.

        Rows of contents that lie elsewhere now go in any case. The others stay where they are so many that the
        source may not be what it was, unless their removal is allowed.

        Returns
        -------
        removed : int
            Rows of photographs that are gone.
        kept : int
            Rows that should have gone and stay.
        """
        known, gone = self._writer.known, self._plan.gone
        leave = gone | self._plan.spoilt
        most = max(LEAST_REMOVALS, MOST_REMOVALS * len(known))
        kept = 0
        if not allowed and leave.sum() > most:
            stay = {digest.tobytes() for digest in known.sha256[~leave | self._moved]}
            lost = leave.copy()
            lost[leave] = [digest.tobytes() not in stay for digest in known.sha256[leave]]
            if lost.sum() > most:
                kept, leave = int(lost.sum()), leave & ~lost
        for row in np.flatnonzero(leave).tolist():
            self._writer.remove(known.path(row))
        return int((leave & gone).sum()), kept

    def _fail(self, result: Result, problem: str, row: int | None) -> None:
        item, known = result.item, self._writer.known
        if row is None:
            self._outcome.fail(item.name, problem, item if result.sha256 and result.lasting else None)
            return
        same = known.content(row) == result.sha256
        if not result.sha256 or (same and not result.lasting):
            self._outcome.keep(item.name, problem)
        else:
            self._outcome.fail(item.name, problem, item if result.lasting else None)
            self._plan.spoil(row)

    def _copy(self, result: Result, row: int | None) -> None:
        item, known, progress = result.item, self._writer.known, self._outcome.progress
        same = row is not None and known.content(row) == result.sha256
        if row is not None and same and self._plan.unchanged(row, item):
            progress.reused += 1
        elif (from_row := self._plan.row_of_content(result.sha256)) is not None:
            self._writer.copy(item.name, item.size, _stamp(item), from_row)
            self._moved[from_row] = True
            progress.reused += 1
        elif (other := self._plan.others.find(result.sha256)) is not None:
            self._write(result, other.features, other.views, other.decoder)
            progress.reused += 1
            progress.copied += 1
        else:
            self._fail(
                replace(result, sha256=b""), "its row in another feature set was damaged meanwhile", row
            )

    def _write(
        self, result: Result, features: NDArray[Any], views: NDArray[Any] | None, decoder: str
    ) -> None:
        item = result.item
        self._writer.put(item.name, result.sha256, item.size, _stamp(item), features, views, decoder)


def _stamp(item: Item) -> int:
    assert item.stamp is not None, "what is found has a stamp"
    return item.stamp
