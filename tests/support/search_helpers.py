"""Feature sets for searching, and the truth about them by the definition of the cosine."""

import os

import numpy as np
from cache_helpers import fill, open_writer, row_of

from embed.cache import open_features
from embed.search.vectors import normalised


def feature_set(folder, count=300):
    """Return a set of so many photographs with random features."""
    with open_writer(folder) as writer:
        fill(writer, [f"train/{i % 5}/{i:04d}.jpg" for i in range(count)])
    return open_features(folder / "cache")


def clustered(count, dimension, clusters, generator, spread=0.3):
    """Return vectors around common centres, float32 (count, dimension), as features of photographs of a few things lie."""
    centres = np.random.default_rng(7).standard_normal((clusters, dimension), np.float32)
    X = centres[generator.integers(0, clusters, count)]
    return X + np.float32(spread) * generator.standard_normal(X.shape, np.float32)


def put_all(folder, X, label=lambda row: "a"):
    """Write features (n, d) as a set, and return it."""
    with open_writer(folder, dimension=X.shape[1]) as writer:
        for row, values in enumerate(X):
            path = f"train/{label(row)}/{row:06d}.jpg"
            one = row_of(path)
            writer.put(path, one.sha256, one.size, one.mtime_ns, values)
    return open_features(folder / "cache")


def brute_force(features, query):
    """Return {content: similarity} of everything, by the definition of the cosine."""
    X, q = features.X.astype(float), np.asarray(query, float)
    cosines = X @ q / (np.linalg.norm(X, axis=1) * np.linalg.norm(q))
    return {sha256.tobytes(): cosine for sha256, cosine in zip(features.sha256, cosines, strict=True)}


def recall(index, queries, k=10, allowed=None):
    """Return the share of the k nearest that an index finds, by all products."""
    features = index.features
    truth = normalised(queries) @ normalised(features.X).T
    if allowed is not None:
        truth[:, ~allowed] = -2
    tenth = np.sort(truth, axis=1)[:, -k] - 2e-6
    found = [
        min(k, int((scores >= least).sum()))
        for (_, scores), least in zip(index.search(queries, k, allowed), tenth, strict=True)
    ]
    return sum(found) / (k * len(queries))


def index_files(features):
    """Return the files of the index, without the lock."""
    folder = features.folder / "index"
    return (
        sorted(path for path in folder.iterdir() if not path.name.startswith(".")) if folder.exists() else []
    )


def written(process):
    """Return how many bytes a process has handed to write calls."""
    with open(f"/proc/{process}/io") as stream:
        return int(dict(line.split(": ") for line in stream.read().splitlines())["wchar"])


def bytes_written_by(call):
    """Return what a function returns, and how many bytes it wrote."""
    before = written(os.getpid())
    result = call()
    return result, written(os.getpid()) - before
