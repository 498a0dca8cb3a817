"""Rows whose every value follows from their path, so that any reader can be told right from wrong."""

import hashlib
from typing import NamedTuple

import numpy as np

from embed.cache import FeatureWriter, Recipe

DIMENSION = 24


class Row(NamedTuple):
    sha256: bytes
    size: int
    mtime_ns: int
    features: np.ndarray


def make_recipe(**changes):
    fields = (
        dict(backbone="m", weights="tiny", weights_sha256="ab" * 32, layer="top", size=32, decoder=1)
        | changes
    )
    return Recipe(**fields)


def row_of(path, version=1, dimension=DIMENSION):
    """Return the row of a path whose file has changed ``version - 1`` times."""
    sha256 = hashlib.sha256(f"{path}#{version}".encode("utf-8", "surrogateescape")).digest()
    seed = int.from_bytes(sha256[:8], "little")
    features = np.random.default_rng(seed).random(dimension, np.float32)
    return Row(sha256, seed % 10**6, 10**18 + version, features)


def open_writer(folder, recipe=None, root=None, dataset="data", dimension=DIMENSION, **options):
    root = root or folder / "data"
    root.mkdir(parents=True, exist_ok=True)
    return FeatureWriter.open(folder / "cache", dataset, root, recipe or make_recipe(), dimension, **options)


def fill(writer, paths, version=1, dimension=DIMENSION):
    for path in paths:
        row = row_of(path, version, dimension)
        writer.put(path, row.sha256, row.size, row.mtime_ns, row.features)
