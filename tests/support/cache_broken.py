"""Writers with one step of the protocol left out or done wrongly: the checker has to notice each of them."""

import contextlib
import dataclasses
import os

from embed import files
from embed.cache import batch, failures, writer
from embed.files import draft


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


# Where each step is found, and what a broken writer does instead.
BROKEN = {
    "sync_folder": (draft, "sync_folder", lambda folder: None),
    "_sync": (draft.Draft, "_sync", lambda self, final: None),
    "publish": (draft.Draft, "publish", publish_in_place),
    "sweep": (files, "sweep", lambda folder: None),
    "replay": (writer, "write", forget_removals),
    "failures": (failures, "write", drop_a_failure),
    "order": (writer.FeatureWriter, "commit", acknowledge_early),
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
