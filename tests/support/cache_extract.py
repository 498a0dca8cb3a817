"""The real ``embed extract`` as a writer to torture: real files, the real command, the network that comes along."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
from cache_world import PartsStore
from PIL import Image

from embed.cache import FeatureWriter, open_features
from embed.cli import main

ROWS_PER_PART = 5  # few, so that a run of seconds publishes and folds many parts


class ExtractStore(PartsStore):
    """A cache that ``embed extract`` fills; the photographs lie beside it."""


class ExtractWorld:
    """Photographs that change from generation to generation; an uninterrupted run says what their rows must be."""

    def __init__(self, folder, files=90):
        self.data, self.reference, self.files = folder / "data", folder / "reference", files
        self.rows = {}
        self.generations = []

    def prepare(self, generation, run):
        """Bring the data folder to a generation, and ``run`` an extraction of it into a cache of its own."""
        for i in range(self.files):
            path = self.data / f"{i % 4}" / f"caf\udce9 {i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            if (i + generation) % 7 == 0:
                path.unlink(missing_ok=True)
            elif i % 11 == 0:
                path.write_bytes(b"no photograph")
            elif not path.exists() or i % 5 == 0:
                colour = np.random.default_rng([i, generation if i % 5 == 0 else 0]).integers(
                    0, 256, (6, 6, 3), np.uint8
                )
                Image.fromarray(colour).resize((64, 64)).save(path)
        shutil.rmtree(self.reference, ignore_errors=True)
        run(lambda: extract(self.data, self.reference))
        cache = open_features(self.reference)
        columns = (cache.paths, cache.sha256, cache.sizes, cache.mtimes_ns, cache.X)
        versions = {}
        for path, digest, size, mtime, x in zip(*columns, strict=True):
            versions[path] = version_of(digest.tobytes(), mtime)
            self.rows[path, versions[path]] = digest.tobytes(), int(size), int(mtime), x.tobytes()
        self.generations.append((versions, [failure.path for failure in cache.failures()]))

    def versions(self, generation):
        return self.generations[generation][0]

    def failures(self, generation):
        return self.generations[generation][1]

    def row(self, path, version):
        return self.rows[path, version]


def version_of(sha256, mtime_ns):
    return f"{sha256.hex()}-{mtime_ns}"


def extract(data, cache, *options):
    code = main(["extract", str(data), "--cache", str(cache), "--backbone", "tiny", "--quiet", *options])
    if code:
        raise SystemExit(code)


def synchronise(store, world, generation, acknowledge):
    """Run the command, and pass on what its commits returned from."""
    log_commits(acknowledge)
    extract(world.data, store.folder / "cache")
    acknowledge({"": generation})


def log_commits(acknowledge):
    """Have every commit of this process pass on what it returned from, and publish small parts."""
    commit = FeatureWriter.commit

    def logged(writer):
        rows = {
            os.fsdecode(key): version_of(row.sha256, row.mtime_ns)
            for key, row in writer._pending.rows.items()
        }
        rows |= {os.fsdecode(key): 0 for key in writer._pending.removed}
        count = commit(writer)
        if rows:
            acknowledge(rows)
        return count

    FeatureWriter.commit = logged
    FeatureWriter.open.__func__.__kwdefaults__["rows_per_part"] = ROWS_PER_PART


if __name__ == "__main__":
    from torture import Log  # which imports this module: not at its top

    data, cache, log, *options = sys.argv[1:]
    log_commits(Log(Path(log)).acknowledge)
    extract(data, cache, *options)
