"""Feature sets made up for the tests of fitting."""

import hashlib
import os

import numpy as np

from embed.cache import FeatureWriter, Recipe, open_features

DIMENSION = 24


def recipe(**changes):
    fields = {
        "backbone": "mobilenetv2",
        "weights": "imagenet",
        "weights_sha256": "00" * 32,
        "layer": "out",
        "size": 96,
    }
    return Recipe(**{**fields, "decoder": 1, **changes})


def features_of(paths, noise=0.5, seed=0):
    """Non-negative features around a centre per class; the class is the part of the path before the last slash."""
    random = np.random.default_rng(seed)
    names = sorted({path.split("/")[-2] if "/" in path else path.split("_")[0] for path in paths})
    centres = {name: np.random.default_rng(i).random(DIMENSION) for i, name in enumerate(names)}
    of = [centres[path.split("/")[-2] if "/" in path else path.split("_")[0]] for path in paths]
    return np.maximum(np.array(of) + noise * random.standard_normal((len(paths), DIMENSION)), 0).astype(
        np.float32
    )


def make_features(folder, paths, X=None, contents=None, views=None, dataset="photos", **changes):
    X = features_of(paths) if X is None else X
    contents = paths if contents is None else contents
    given = recipe(views=1 + (views.shape[1] if views is not None else 0), **changes)
    root = folder / dataset
    root.mkdir(exist_ok=True)
    with FeatureWriter.open(folder / "cache", dataset, root, given, X.shape[1]) as writer:
        for i, path in enumerate(paths):
            sha = hashlib.sha256(os.fsencode(contents[i])).digest()
            writer.put(path, sha, 1, 1, X[i], None if views is None else views[i])
        writer.commit()
    return open_features(folder / "cache")


def flat(per_class=30, classes=("ants", "bees", "wasps")):
    return [f"{name}/{i:03d}.jpg" for name in classes for i in range(per_class)]


def with_splits(sizes=(30, 10, 10), classes=("ants", "bees", "wasps")):
    parts = zip(("train", "valid", "test"), sizes, strict=True)
    return [f"{part}/{name}/{i:03d}.jpg" for part, n in parts for name in classes for i in range(n)]


def contents(paths):
    return np.array([list(hashlib.sha256(os.fsencode(path)).digest()) for path in paths], dtype=np.uint8)
