"""The store that is there by itself: segments of FAISS and tombstones, in the folder ``index/`` of a feature set.

``index/manifest.json`` is a sealed document (see `embed.files`): format_version, kind, efforts, fingerprint of the
features, notes, and the segments, each with the name of its file of tombstones ("" for none). ``HASH.segment`` is
described in `embed.search.segment`; ``HASH.alive`` has a bit for each vector of a segment, 0 where its photograph went,
and the xxh3-128 of the file as its name. No file but the manifest is ever changed, and the manifest is replaced last: a
crash leaves the index of before or the new one, and files that nothing names, which the next commit sweeps away. It all
follows from the features. Nothing of it is worth a backup: what is missing, damaged or foreign is built anew.

The first segment is of the kind that was asked for. What is added later goes into segments of whole values, which are
merged when a new one is half as long: a vector is written again at most once for each doubling. A photograph that is
removed costs one bit.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from embed import files
from embed.errors import CacheError, CacheWriteError, UntrustedError
from embed.search import segment
from embed.search.entry import CONTENT_BYTES, DIGEST, MOST, Entry
from embed.search.kinds import IVF, KINDS, ladder, trained
from embed.search.segment import Segment
from embed.search.store import Progress, StoreDamagedError
from embed.search.vectors import Vectors, missing_from

FORMAT_VERSION = 1
FOLDER = "index"
MANIFEST = "manifest.json"
ALIVE_SUFFIX = ".alive"
FEW = 20  # candidates that an effort is tuned for; more of them lie in further cells
LEAST_CANDIDATES, MOST_CANDIDATES = 16, 4096  # of a walk over a graph


@dataclass
class _Live:
    """A segment and which of its places are still in the set; None for all."""

    segment: Segment
    alive: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.segment) if self.alive is None else int(self.alive.sum())

    @property
    def places(self) -> NDArray[np.int64]:
        return np.arange(len(self.segment)) if self.alive is None else np.flatnonzero(self.alive)


class FaissStore:
    """Vectors in segments of FAISS on disk. See `embed.search.store.Store`.

    Parameters
    ----------
    features_folder : Path
        Of the feature set.
    kind : str
        A name in ``KINDS``.
    """

    def __init__(self, features_folder: Path, kind: str) -> None:
        self.kind = kind
        self.fingerprint = ""
        self.notes: dict[str, Any] = {}
        self.effort = self.filtered_effort = 1
        self._folder = features_folder / FOLDER
        self._boundary = files.Boundary.of_set(features_folder)
        self._segments: list[_Live] = []

    @classmethod
    def load(cls, features_folder: Path) -> "FaissStore | None":
        """Return what was committed last, or None where there is none.

        Raises
        ------
        StoreDamagedError
            It is not what was written, or others may write to it.
        """
        manifest = features_folder / FOLDER / MANIFEST
        store = cls(features_folder, "")
        try:
            document = files.read_document(manifest, boundary=store._boundary)
            if document["format_version"] != FORMAT_VERSION:
                raise StoreDamagedError(f"{manifest} is of another format")
            store.kind, store.fingerprint = str(document["kind"]), str(document["fingerprint"])
            store.effort, store.filtered_effort = (
                _effort(document[name]) for name in ("effort", "filtered_effort")
            )
            store.notes = dict(document["notes"])
            for one in document["segments"]:
                alive = one.pop("alive")
                opened = Segment(manifest.parent, Entry.from_json(one), store._boundary)
                store._segments.append(
                    _Live(opened, store._read_alive(alive, len(opened)) if alive else None)
                )
        except (OSError, CacheError, AttributeError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, UntrustedError):
                files.tell(
                    f"The index is not used, and every photograph is compared or a new one built: {error}"
                )
            if isinstance(error, FileNotFoundError) and not store.notes:
                return None
            raise StoreDamagedError(f"{manifest} cannot be used: {error}", store.notes) from error
        return store

    def _read_alive(self, name: str, count: int) -> NDArray[np.bool_]:
        if not DIGEST.fullmatch(name):
            raise StoreDamagedError(f"{self._folder / MANIFEST} names no file of an index")
        path = self._folder / (name + ALIVE_SUFFIX)
        data = files.read_bytes(path, boundary=self._boundary)
        if xxhash.xxh3_128_hexdigest(data) != name:
            raise StoreDamagedError(f"{path} is not what was written")
        if len(data) != -(-count // 8):
            raise StoreDamagedError(f"{path} has not a bit for each vector")
        return np.unpackbits(np.frombuffer(data, np.uint8), count=count, bitorder="little").view(bool)

    def __len__(self) -> int:
        return sum(len(live) for live in self._segments)

    @property
    def changed(self) -> int:
        """Vectors that came or went since the first segment was built."""
        base = self._segments[0] if self._segments else None
        return len(self) + len(base.segment) - 2 * len(base) if base is not None else 0

    @property
    def efforts(self) -> Sequence[int]:
        """Cells that are searched in each segment, or candidates of a walk."""
        if not self._segments:
            return [1]
        entry = self._segments[0].segment.entry
        graph = KINDS[entry.kind].graph
        return ladder(LEAST_CANDIDATES, MOST_CANDIDATES) if graph else ladder(1, entry.cells)

    @property
    def contents(self) -> NDArray[np.uint8]:
        """What it holds, uint8 (n, 32)."""
        held = [live.segment.contents[live.places] for live in self._segments]
        return np.concatenate([np.empty((0, CONTENT_BYTES), np.uint8), *held])

    @property
    def bytes_per_vector(self) -> int:
        """Of the files, without the contents."""
        sizes = [one.segment.entry.contents_start for one in self._segments]
        return sum(sizes) // max(1, sum(len(one.segment) for one in self._segments))

    def add(self, contents: NDArray[np.uint8], vectors: Vectors, progress: Progress) -> None:
        """Write a segment of contents (n, 32) with their vectors (n, d); small segments go into it.

        Raises
        ------
        CacheWriteError
            It cannot be written.
        """
        if not len(contents):
            return
        self.prepare()
        kind = IVF if self._segments else KINDS[self.kind]
        while len(self._segments) > 1 and len(last := self._segments[-1]) <= 2 * len(contents):
            self._segments.pop()
            everything = np.arange(len(vectors))
            contents = np.concatenate([last.segment.contents[last.places], contents])
            vectors = np.concatenate([last.segment.vectors()[last.places], vectors[everything]])
        index = trained(kind, vectors, progress)
        entry = segment.write(self._folder, kind, index, contents, vectors, progress)
        del index
        self._segments.append(_Live(Segment(self._folder, entry, self._boundary)))

    def remove(self, contents: NDArray[np.uint8]) -> None:
        """Mark contents (n, 32) as gone."""
        for live in self._segments if len(contents) else ():
            places = live.places
            kept = places[missing_from(live.segment.contents[places], contents)]
            if len(kept) < len(places):
                live.alive = np.zeros(len(live.segment), bool)
                live.alive[kept] = True
        self._segments = self._segments[:1] + [live for live in self._segments[1:] if len(live)]

    def candidates(
        self, vectors: NDArray[np.float32], k: int, allowed: NDArray[np.uint8] | None = None
    ) -> list[NDArray[np.uint8]]:
        """Return the contents of candidates; see `embed.search.store.Store`. What is damaged is built anew next time."""
        try:
            return self._candidates(vectors, k, allowed)
        except StoreDamagedError:
            with suppress(CacheError):
                files.remove(self._folder, [live.segment.entry.name for live in self._segments])
            raise

    def _candidates(
        self, vectors: NDArray[np.float32], k: int, allowed: NDArray[np.uint8] | None
    ) -> list[NDArray[np.uint8]]:
        many = k * max((KINDS[live.segment.entry.kind].candidates for live in self._segments), default=1)
        effort = -(-(self.effort if allowed is None else self.filtered_effort) * max(k, FEW) // FEW)
        scores, contents = [], []
        for live in self._segments:
            mask = live.alive
            if allowed is not None:
                mask = np.zeros(len(live.segment), bool)
                places = live.places
                mask[places] = True
                mask[places[missing_from(live.segment.contents[places], allowed)]] = False
            if mask is not None and not mask.any():
                continue
            some = min(many, len(live.segment))
            found, places = live.segment.search(vectors, some, effort, mask, filtered=allowed is not None)
            known = np.unique(places[places >= 0])
            names = live.segment.contents_at(known)
            into = np.searchsorted(known, np.maximum(places, 0))
            scores.append(np.where(places >= 0, found, -np.inf))
            contents.append(
                names[np.minimum(into, len(known) - 1)]
                if len(known)
                else np.zeros((*places.shape, 32), np.uint8)
            )
        if not scores:
            return [np.empty((0, CONTENT_BYTES), np.uint8) for _ in vectors]
        all_scores, all_contents = np.concatenate(scores, 1), np.concatenate(contents, 1)
        best = np.argsort(-all_scores, axis=1, kind="stable")[:, :many]
        return [
            names[places[of_query[places] > -np.inf]]
            for names, places, of_query in zip(all_contents, best, all_scores, strict=True)
        ]

    def commit(self, fingerprint: str, notes: dict[str, Any]) -> None:
        """Publish the manifest and sweep what it does not name; see `embed.search.store.Store`."""
        self.prepare()
        names, entries = {MANIFEST}, []
        for live in self._segments:
            alive = "" if live.alive is None else self._write_alive(live.alive)
            entries.append({**asdict(live.segment.entry), "alive": alive})
            names |= {live.segment.entry.name, alive + ALIVE_SUFFIX}
        document = {
            "format_version": FORMAT_VERSION,
            "kind": self.kind,
            "effort": self.effort,
            "filtered_effort": self.filtered_effort,
            "fingerprint": fingerprint,
            "notes": notes,
            "segments": entries,
        }
        self._replace(MANIFEST, files.seal(document))
        self.fingerprint, self.notes = fingerprint, notes
        self._sweep(names)

    def _write_alive(self, alive: NDArray[np.bool_]) -> str:
        data = np.packbits(alive, bitorder="little").tobytes()
        name = xxhash.xxh3_128_hexdigest(data)
        self._replace(name + ALIVE_SUFFIX, data)
        return name

    def _replace(self, name: str, data: bytes) -> None:
        files.replace(self._folder, name, data, durable=False, closed=True)

    def prepare(self) -> Path:
        """Make the folder, which only the owner of the set writes to, and return it. Raises CacheWriteError."""
        try:
            if os.geteuid() not in (self._boundary.base.stat().st_uid, 0):
                raise CacheWriteError(
                    f"cannot write {self._folder}: the feature set belongs to another user, who may run embed index"
                )
            if os.path.lexists(self._folder):
                self._boundary.check_folder(self._folder)
            else:
                files.make_folder(self._folder, closed=True)
        except UntrustedError as error:
            raise CacheWriteError(
                f"cannot write {self._folder}: others may write to it; remove it ({error})"
            ) from error
        except OSError as error:
            raise files.write_error(self._folder, error) from error
        return self._folder

    def _sweep(self, names: set[str]) -> None:
        """Remove what no manifest names; a file that will not go harms nobody."""
        with suppress(OSError, CacheError):
            files.sweep(self._folder)
            others = {path.name for path in self._folder.iterdir()} - names
            files.remove(self._folder, sorted(name for name in others if not name.startswith(".")))
            # Those of releases before there was the folder.
            files.remove(self._folder.parent, [path.name for path in self._folder.parent.glob("index[-.]*")])


def _effort(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= MOST:
        raise ValueError(f"an effort of {value!r:.60}")
    return value
