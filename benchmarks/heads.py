"""Time and accuracy of every head against scikit-learn's logistic regression on standardised features.

    python benchmarks/heads.py CACHE [FEATURES]     a feature set with a test or validation folder
    python benchmarks/heads.py --synthetic          25,000 × 1,280, two classes

Seconds are those of the processor, so that a busy machine says the same as a quiet one; the ratio is to scikit-learn's.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from embed import classifiers, labels
from embed.cache import open_features
from embed.classifiers.threads import one_blas_thread
from embed.fitting import splits

SYNTHETIC = (25_000, 1_280)


def seconds(function: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    result = function()
    return time.process_time() - started, result


def reference(X: np.ndarray, y: np.ndarray) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    with one_blas_thread():
        return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)


def photographs(cache: str, name: str | None) -> tuple[np.ndarray, ...]:
    features = open_features(Path(cache), name)
    labelled = labels.assign(features.paths.tolist(), "folder", features.root)
    split = splits.divide(labelled, features.sha256)
    trained = np.setdiff1d(np.concatenate([split.train, split.validation]), split.scored)
    y = labelled.labels
    return (
        features.rows(trained),
        y[trained].astype(str),
        features.rows(split.scored),
        y[split.scored].astype(str),
    )


def synthetic() -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(0)
    n, d = SYNTHETIC
    target = random.integers(0, 2, n)
    centre = 0.08 * random.standard_normal(d)
    X = np.maximum(random.standard_normal((n, d)) + target[:, None] * centre, 0).astype(np.float32)
    y = np.array(["cat", "dog"])[target]
    return X[: n * 4 // 5], y[: n * 4 // 5], X[n * 4 // 5 :], y[n * 4 // 5 :]


def main(arguments: list[str]) -> None:
    if arguments == ["--synthetic"]:
        X, y, X_scored, y_scored = synthetic()
    else:
        X, y, X_scored, y_scored = photographs(arguments[0], arguments[1] if len(arguments) > 1 else None)
    print(f"{len(X)} photographs to fit, {len(X_scored)} to score, {X.shape[1]} values each")
    took, theirs = seconds(lambda: reference(X, y))
    print(
        f"{'scikit-learn':12} {took:7.2f} s  1.00   accuracy {theirs.score(X_scored, y_scored):.4f}",
        flush=True,
    )
    for name in classifiers.HEADS:
        ours, head = seconds(lambda name=name: classifiers.make(name).fit(X, y))
        accuracy = head.score(X_scored, y_scored)
        print(f"{name:12} {ours:7.2f} s  {ours / took:.2f}   accuracy {accuracy:.4f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
