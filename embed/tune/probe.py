"""The head that a training begins with: a linear one, fitted on the frozen features."""

import numpy as np
from numpy.typing import NDArray

from embed.machine import one_thread
from embed.tune.train import Head

STRENGTH = 1.0  # C: weak, so that the layers below have something to learn from
SOLVER_STEPS = 500


def probe(X: NDArray[np.float32], y: NDArray[np.int64]) -> Head:
    """Return a logistic regression on features of unit length, as a dense layer.

    Parameters
    ----------
    X : float32 ndarray of shape (n, d)
    y : int64 ndarray of shape (n,)
        Classes from 0, each of which occurs.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import normalize

    with one_thread():
        fitted = LogisticRegression(C=STRENGTH, max_iter=SOLVER_STEPS).fit(normalize(X), y)
    kernel, bias = fitted.coef_.T, fitted.intercept_
    if kernel.shape[1] == 1:  # of two classes scikit-learn tells the difference
        kernel, bias = np.hstack([-kernel / 2, kernel / 2]), np.array([-bias[0] / 2, bias[0] / 2])
    return Head(kernel.astype(np.float32), bias.astype(np.float32))
