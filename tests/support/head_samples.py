"""Heads that fit in a moment, and features around one centre for each class."""

import numpy as np

from embed.learn import heads as classifiers

TRAINABLE = [name for name in classifiers.HEADS if name != "dummy"]
FAST = {"dense": {"epochs": 20, "hidden": (16,), "learning_rate": 0.01}}


def make(name, **options):
    return classifiers.make(name, **{**FAST.get(name, {}), **options})


def blobs(n=90, d=24, classes=3, noise=0.6, seed=0):
    """Non-negative features around one centre per class, and class names."""
    random = np.random.default_rng(seed)
    centres = random.random((classes, d))
    target = np.arange(n) % classes
    X = np.maximum(centres[target] + noise * random.standard_normal((n, d)), 0).astype(np.float32)
    return X, np.array([f"class {k}" for k in range(classes)])[target]
