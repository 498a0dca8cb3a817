"""A data folder that changes from generation to generation, and two stores that are brought up to date with it.

``PartsStore`` is the real thing. ``AppendStore`` is what one would write first: one HDF5 file, appended to, with
``flush()`` after each batch. The same checker has to pass the one and fail the other.
"""

import contextlib
import json
import os

import h5py
import numpy as np
from cache_helpers import DIMENSION, make_recipe, row_of

from embed.cache import Failure, FeatureWriter, open_features

ODD_NAMES = [b"caf\xe9.jpg", b"a\nb.jpg", b"x" * 251 + b".jpg", "\U0001f98b.jpg".encode(), b"=1+1.jpg"]
ODD_NAMES += ["\u00e9.jpg".encode(), "e\u0301.jpg".encode()]  # equal after Unicode normalisation


class World:
    """Which files there are in a generation, and the row that each of them must have."""

    def __init__(self, files=40):
        self.names = [os.fsdecode(name) for name in ODD_NAMES] + [
            f"{i % 3}/{i:03d}.jpg" for i in range(files)
        ]

    def versions(self, generation):
        """Return the version of every photograph."""
        return {
            name: 1 + (generation if i % 5 == 0 else 0)
            for i, name in enumerate(self.names)
            if (i + generation) % 7 and i % 11
        }

    def failures(self, generation):
        """Return the files that are no photographs."""
        return [name for i, name in enumerate(self.names) if (i + generation) % 7 and i % 11 == 0]

    def row(self, path, version):
        """Return ``(sha256, size, mtime_ns, features)`` of a path whose file has that version."""
        row = row_of(path, version)
        return row.sha256, row.size, row.mtime_ns, row.features.tobytes()


class PartsStore:
    """The feature cache."""

    def __init__(self, folder):
        self.folder = folder

    def open(self):
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        cache = self.folder / "cache"
        # Parts are published by explicit commits only, so that the log of what was acknowledged is exact.
        return PartsWriter(
            FeatureWriter.open(cache, "data", data, make_recipe(), DIMENSION, seconds_per_part=1e9)
        )

    def read(self):
        """Return ``{path: (sha256, size, mtime_ns, features)}`` and whether the set says that it is complete."""
        cache = open_features(self.folder / "cache")
        columns = (cache.paths, cache.sha256, cache.sizes, cache.mtimes_ns, cache.X)
        rows = {
            path: (s.tobytes(), int(z), int(m), x.tobytes())
            for path, s, z, m, x in zip(*columns, strict=True)
        }
        return rows, {failure.path for failure in cache.failures()}, cache.meta.complete


class PartsWriter(contextlib.AbstractContextManager):
    def __init__(self, writer):
        self.writer = writer
        self.known = {
            path: (digest.tobytes(), int(size), int(mtime))
            for path, digest, size, mtime in zip(
                writer.known.paths,
                writer.known.sha256,
                writer.known.sizes,
                writer.known.mtimes_ns,
                strict=True,
            )
        }
        self.put, self.remove, self.commit = writer.put, writer.remove, writer.commit

    def finish(self, failures):
        self.writer.write_failures(Failure(path, "is no image", 1, 1) for path in failures)

    def __exit__(self, *error):
        self.writer.__exit__(*error)


class AppendStore:
    """One HDF5 file that is appended to: the mistake that the format of parts avoids."""

    def __init__(self, folder):
        self.folder = folder
        self.file = folder / "cache" / "features.h5"

    def open(self):
        return AppendWriter(self.file)

    def read(self):
        with h5py.File(self.file, "r") as file:
            names = [bytes(name) for name in file["path"][...]]
            rows = {}
            for i, name in enumerate(names):
                sha256, features = file["sha256"][i].tobytes(), file["features"][i].tobytes()
                rows[os.fsdecode(name)] = sha256, int(file["size"][i]), int(file["mtime_ns"][i]), features
            failures = json.loads(file.attrs.get("failures", "[]"))
            return (
                {path: row for path, row in rows.items() if row[1] >= 0},
                set(failures),
                "failures" in file.attrs,
            )


class PlainFile:
    """A file that HDF5 writes through calls of ``os``, so that faults can strike between any two of its writes."""

    def __init__(self, path):
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        self.position = 0

    def readinto(self, buffer):
        return os.preadv(self.descriptor, [buffer], self.position)

    def read(self, size):
        return os.pread(self.descriptor, size, self.position)

    def write(self, data):
        return os.pwrite(self.descriptor, bytes(data), self.position)

    def seek(self, offset, whence=os.SEEK_SET):
        self.position = offset + (os.fstat(self.descriptor).st_size if whence == os.SEEK_END else 0)
        return self.position

    def tell(self):
        return self.position

    def truncate(self, size):
        os.ftruncate(self.descriptor, size)

    def flush(self):
        """Do nothing more: HDF5 has written, and its flush does not fsync."""


class AppendWriter(contextlib.AbstractContextManager):
    def __init__(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        plain = PlainFile(path)
        self.file = h5py.File(plain, "r+" if os.fstat(plain.descriptor).st_size else "w")
        kinds = {"path": ("S255", ()), "sha256": ("u1", (32,)), "size": ("i8", ()), "mtime_ns": ("i8", ())}
        for name, (dtype, shape) in (kinds | {"features": ("f4", (DIMENSION,))}).items():
            if name not in self.file:
                self.file.create_dataset(
                    name, (0, *shape), dtype, maxshape=(None, *shape), chunks=(16, *shape)
                )
        self.file.attrs.pop("failures", None)
        names = [os.fsdecode(bytes(name)) for name in self.file["path"][...]]
        stamps = zip(self.file["sha256"], self.file["size"], self.file["mtime_ns"], strict=False)
        self.known = {
            path: (digest.tobytes(), int(size), int(mtime))
            for path, (digest, size, mtime) in zip(names, stamps, strict=False)
            if size >= 0
        }
        self.rows = []

    def put(self, path, sha256, size, mtime_ns, features):
        self.rows.append((os.fsencode(path), np.frombuffer(sha256, "u1"), size, mtime_ns, features))

    def remove(self, path):
        self.put(path, bytes(32), -1, 0, np.zeros(DIMENSION, "f4"))

    def commit(self):
        for name, values in zip(
            ("path", "sha256", "size", "mtime_ns", "features"), zip(*self.rows, strict=True), strict=False
        ):
            dataset = self.file[name]
            start = len(dataset)
            dataset.resize(start + len(values), axis=0)
            dataset[start:] = np.array(values, dataset.dtype)
        self.file.flush()
        self.rows = []

    def finish(self, failures):
        self.file.attrs["failures"] = json.dumps(failures)

    def __exit__(self, *error):
        self.file.close()


def synchronise(store, world, generation, acknowledge, rows_per_commit=2):
    """Bring a store up to date with a generation; what a commit returned from is passed to ``acknowledge``."""
    versions = world.versions(generation)
    with store.open() as writer:
        pending = {}

        def commit():
            if pending:
                writer.commit()
                acknowledge(dict(pending))
                pending.clear()

        for path, version in versions.items():
            row = row_of(path, version)
            if writer.known.get(path) != (row.sha256, row.size, row.mtime_ns):
                writer.put(path, row.sha256, row.size, row.mtime_ns, row.features)
                pending[path] = version
            if len(pending) >= rows_per_commit:
                commit()
        for path in sorted(set(writer.known) - set(versions)):
            writer.remove(path)
            pending[path] = 0
        commit()
        writer.finish(world.failures(generation))
    acknowledge({"": generation})  # the generation is complete
