"""The index of a feature set: which photographs are most similar to a vector."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from embed.search.kinds import Kind
from embed.search.vectors import normalised, similarities

Vectors = Callable[[np.ndarray], np.ndarray]  # slots -> float32 (n, d), of length one

TIES = 8  # candidates fetched beyond k, so that float32 rounding cannot push the k-th answer out


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What an index was found to do on this machine, when it was built or last changed."""

    vectors: int
    recall: float = 1.0  # share of the true ten nearest that are among the ten answers
    milliseconds: float = 0.0  # one query, where nothing else keeps the machine busy
    exact_milliseconds: float = 0.0  # one query compared with everything
    megabytes: float = 0.0  # of memory that the searched vectors take

    def to_json(self) -> dict[str, Any]:
        """Return the figures as a JSON object."""
        return asdict(self)


class Slots:
    """Which content lies in which slot of the index, and which photographs have it.

    Photographs with the same content share a slot; a photograph that went away may leave its slot empty. Rows are
    those of the feature set.

    Attributes:
        contents: sha256 of the photograph in each slot, uint8 (slots, 32).
        of_row: the slot of each row, int64 (rows,).
        alive: bool (slots,), False for an empty one.
    """

    def __init__(self, contents: np.ndarray, of_row: np.ndarray) -> None:
        self.contents = contents
        self.of_row = of_row
        self.alive = np.zeros(len(contents), bool)
        self.alive[of_row] = True
        self._rows = np.argsort(of_row, kind="stable")
        self._slots = of_row[self._rows]

    def __len__(self) -> int:
        return len(self.contents)

    def rows(self, slot: int) -> np.ndarray:
        """Return the rows that share a slot."""
        start, stop = np.searchsorted(self._slots, [slot, slot + 1])
        return self._rows[start:stop]

    def first_rows(self, slots: np.ndarray) -> np.ndarray:
        """Return the first row of each of these slots, none of which is empty."""
        return self._rows[np.searchsorted(self._slots, slots)]

    def after(self, sha256: np.ndarray) -> "Slots":
        """Return the slots for other rows, given by content, uint8 (rows, 32).

        A content that is here keeps its slot; others follow behind, in the order of the rows.
        """
        slot_of = {self.contents[slot].tobytes(): slot for slot in np.flatnonzero(self.alive).tolist()}
        come: list[bytes] = []
        of_row = np.empty(len(sha256), np.int64)
        for row, digest in enumerate(sha256):
            content = digest.tobytes()
            slot = of_row[row] = slot_of.setdefault(content, len(self) + len(come))
            if slot == len(self) + len(come):
                come.append(content)
        added = np.frombuffer(b"".join(come), np.uint8).reshape(-1, 32)
        return Slots(np.concatenate([self.contents, added]), of_row)

    def without(self, slots: np.ndarray) -> "Slots":
        """Return the same where these empty slots are taken out and later ones move down."""
        keep = np.ones(len(self), bool)
        keep[slots] = False
        moved = np.cumsum(keep) - 1
        return Slots(self.contents[keep], moved[self.of_row])


class Index:
    """One vector for each distinct content, searched by cosine similarity.

    Attributes:
        slots: what lies in them.
        kind: how the vectors are searched.
        measured: what it was found to do.
    """

    def __init__(self, kind: Kind, slots: Slots, measured: Measured, vectors: Vectors) -> None:
        """`vectors` returns the vectors of slots, for a kind that does not hold them."""
        self.kind = kind
        self.slots = slots
        self.measured = measured
        self._vectors = vectors

    def __len__(self) -> int:
        return int(self.slots.alive.sum())

    def vectors(self, slots: np.ndarray) -> np.ndarray:
        """Return the vectors in these slots, float32 (n, d), of length one."""
        held = self.kind.vectors(slots)
        return self._vectors(slots) if held is None else held

    def search(
        self, queries: np.ndarray, k: int, allowed: np.ndarray | None = None
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return for each query the slots of its k nearest and their similarities, nearest first.

        Fewer than k come back where fewer are allowed.

        Args:
            queries: features, float32 (m, d), of any length.
            k: answers for each.
            allowed: bool (slots,), which may answer; None for all.
        """
        queries = normalised(queries)
        alive = self.slots.alive
        mask = alive if allowed is None else alive & allowed
        most = int(mask.sum())
        if most == 0 or k <= 0:
            return [(np.empty(0, np.int64), np.empty(0)) for _ in queries]
        found = self.kind.search(queries, min(k + TIES, most), None if most == len(mask) else mask)
        return [
            self._ranked(query, slots[slots >= 0], k) for query, slots in zip(queries, found, strict=True)
        ]

    def _ranked(self, query: np.ndarray, slots: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        scores = similarities(self.vectors(slots), query)
        # Where the score is the same the content decides, whatever the history of the slots.
        names = [self.slots.contents[slot].tobytes() for slot in slots]
        best = sorted(range(len(slots)), key=lambda i: (-scores[i], names[i]))[:k]
        return slots[best], scores[best]
