"""Vectors of length one: the inner product of two of them is their cosine similarity."""

import numpy as np

SIMILARITY_DECIMALS = 6  # float32 features carry no more


def normalised(X: np.ndarray) -> np.ndarray:
    """Return a float32 copy of X, shape (n, d), with every row scaled to length one.

    A row of zeros has no direction: it stays zero, and its similarity to everything is 0.
    """
    X = np.array(X, dtype=np.float32, order="C", ndmin=2)
    # In float64 the squares of the largest float32 do not overflow, nor do those of the smallest vanish.
    lengths = np.sqrt(np.einsum("nd,nd->n", X, X, dtype=np.float64))
    lengths[lengths == 0] = 1
    X /= lengths[:, None]
    return X


def similarities(vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Return the cosine of each row of vectors (n, d) with one query (d,), float64 (n,), rounded, in [-1, 1].

    All arguments have length one. The sum is taken in float64 and in one fixed order: neither the number of threads
    nor the other queries of a batch change a digit.
    """
    cosines = np.einsum("nd,d->n", vectors, query, dtype=np.float64)
    return np.clip(cosines.round(SIMILARITY_DECIMALS), -1.0, 1.0) + 0.0  # no -0.0
