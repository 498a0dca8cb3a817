"""Whether two caches hold one and the same set, bit for bit."""

import numpy as np

from embed.cache import open_features
from embed.cache.failures import FAILURES_NAME


def contents(cache):
    """Return what a cache says of its photographs: rows by path, failures, and whether it is whole."""
    features = open_features(cache)
    columns = zip(
        features.paths,
        features.sha256,
        features.sizes,
        features.mtimes_ns,
        features.decoders,
        features.X,
        strict=True,
    )
    rows = {
        path: (digest.tobytes(), int(size), int(mtime), bytes(decoder), x.tobytes())
        for path, digest, size, mtime, decoder, x in columns
    }
    if features.recipe.views > 1:
        views = features.view_rows(np.arange(len(features)))
        rows = {path: (*row, view.tobytes()) for (path, row), view in zip(rows.items(), views, strict=True)}
    return rows, (features.folder / FAILURES_NAME).read_bytes(), features.meta.complete


def assert_same(cache, reference):
    """Compare two caches, and see to it that nothing temporary is left in the first."""
    assert contents(cache) == contents(reference)
    folder = open_features(cache).folder
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".tmp-")]
