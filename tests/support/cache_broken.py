"""Writers with one step of the protocol left out or done wrongly, and readers that believe a disk that fails.

The checker has to notice each of them.
"""

import contextlib
import dataclasses
import os

from embed import files, sources
from embed.cache import batch, checked, failures, writer
from embed.errors import CacheWriteError
from embed.extract import plan
from embed.files import draft
from embed.search import faiss_store
from embed.sources import folder


def publish_in_place(self, name):
    """Write under the final name, in two steps."""
    data = b"".join(self.blocks(1 << 20))
    descriptor = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, data[: len(data) // 2])
    os.write(descriptor, data[len(data) // 2 :])
    os.close(descriptor)


def forget_removals(file, changes, recipe, original=batch.write):
    return original(file, dataclasses.replace(changes, removed=[]), recipe)


def drop_a_failure(folder, found, original=failures.write):
    original(folder, list(found)[1:])


def acknowledge_early(self, original=writer.FeatureWriter.commit):
    """Say that rows are committed when only the next commit writes them."""
    late, self._pending.rows = self._pending.rows, getattr(self, "late", {})
    self.late = late
    return original(self)


def list_what_answers(folder, original=folder._entries):
    """Take a folder that could not be listed for an empty one, as if no error had come."""
    try:
        return original(folder)
    except OSError:
        return []


def settle_as_gone(self, told, original=plan.Plan._settle_place):
    """Take a place that could not be looked at for one that was looked at to its end."""
    if isinstance(told, sources.Failed):
        row = self.row(told.place)
        if row is not None:
            self._state[row] = plan._GONE
        told = sources.Listed(told.place)
    original(self, told)


def read_once(self, buffer, start):
    """Take a read that fails or comes up short for damage."""
    try:
        got = os.preadv(self._descriptor, [buffer], start)
    except OSError:
        got = -1
    if got < len(buffer):
        raise self.damaged("it is truncated")


def keep_no_index(self, fingerprint, notes, original=faiss_store.FaissStore.commit):
    """Say nothing of an index that could not be kept."""
    self.fingerprint, self.notes = fingerprint, notes
    with contextlib.suppress(CacheWriteError):
        original(self, fingerprint, notes)


# Where each step is found, and what a broken writer does instead.
BROKEN = {
    "sync_folder": (draft, "sync_folder", lambda folder: None),
    "_sync": (draft.Draft, "_sync", lambda self, final: None),
    "publish": (draft.Draft, "publish", publish_in_place),
    "sweep": (files, "sweep", lambda folder: None),
    "replay": (writer, "write", forget_removals),
    "failures": (failures, "write", drop_a_failure),
    "order": (writer.FeatureWriter, "commit", acknowledge_early),
    "listing": (folder, "_entries", list_what_answers),
    "reach": (plan.Plan, "_settle_place", settle_as_gone),
    "reading": (checked.CheckedFile, "_fill", read_once),
    "index": (faiss_store.FaissStore, "commit", keep_no_index),
}


@contextlib.contextmanager
def without(step):
    """Replace one step of the protocol by a broken one while the ``with`` block runs."""
    owner, name, broken = BROKEN[step]
    original = getattr(owner, name)
    setattr(owner, name, broken)
    try:
        yield
    finally:
        setattr(owner, name, original)
