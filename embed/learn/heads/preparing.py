"""What a classifier makes of features before anything else: a root, fewer values where there are too many, length 1."""

import numpy as np

MOST_DIMENSIONS = 4_096  # values of a feature vector beyond which it may be sketched
MOST_VALUES = 48_000_000  # of all vectors together, up to which they are taken as they are (192 MB)


def prepare(X: np.ndarray, power: float, sketched: bool = False) -> np.ndarray:
    """Return sign(X) |X|**power with every row scaled to length 1, float32; a row of zeros stays.

    The root of a feature that ReLU made keeps a few large ones from deciding alone (Perronnin et al. 2010); the unit
    length makes inner products cosines.

    Args:
        X: shape (n, d).
        power: the exponent.
        sketched: whether the rows, once raised, are sketched to `MOST_DIMENSIONS` values.
    """
    raised = raise_to(np.asarray(X, dtype=np.float32), power)
    if sketched:
        raised = sketch(raised)
    raised /= lengths(raised)
    return raised


def raise_to(X: np.ndarray, power: float) -> np.ndarray:
    """Return sign(X) |X|**power, of the type of X."""
    if power == 1:
        return X.copy()
    raised = np.abs(X)
    raised = np.sqrt(raised, out=raised) if power == 0.5 else raised ** X.dtype.type(power)
    return np.copysign(raised, X, out=raised)


def lengths(X: np.ndarray) -> np.ndarray:
    """Return the length of every row, shape (n, 1); 1 for a row of zeros."""
    length = np.sqrt(np.einsum("ij,ij->i", X, X))[:, None]
    return np.where(length > 0, length, 1)


def sketch(X: np.ndarray) -> np.ndarray:
    """Deal the values of every row into `MOST_DIMENSIONS` sums with random signs.

    That keeps inner products nearly as they were (Charikar et al. 2002).
    """
    n, d = X.shape
    order, sign = _deal(d)
    sums = np.zeros((n, MOST_DIMENSIONS), np.float32)
    for start in range(0, d, MOST_DIMENSIONS):
        columns = order[start : start + MOST_DIMENSIONS]
        sums[:, : len(columns)] += X[:, columns] * sign[columns]
    return sums


def unsketch(coefficients: np.ndarray, d: int) -> np.ndarray:
    """Return what a linear model on sketched rows is on those of d values themselves, shape (d,)."""
    order, sign = _deal(d)
    whole = np.empty(d, coefficients.dtype)
    whole[order] = coefficients[np.arange(d) % MOST_DIMENSIONS]
    return whole * sign


def _deal(d: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.RandomState(d)  # the same deal for every set of that width
    return random.permutation(d), random.choice(np.array([-1, 1], np.float32), d)
