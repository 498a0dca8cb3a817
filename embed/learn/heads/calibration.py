"""Probabilities from scores: softmax of a common scale times the scores, plus an offset per class.

Fitted on scores of photographs that the scorer had not seen, so that a probability of 0.8 is right four times in five
(temperature scaling, Guo et al. 2017, with an offset for each class as in Platt's).
"""

import numpy as np

STEPS = 50  # of Gauss and Newton at most
ENOUGH = 1e-6  # a step that promises to gain less, of log likelihood, is not made
SHARE = 1e-3  # of what a step promises, that it must gain
PRIOR = 5.0  # pulls the scale to the plain one and the offsets to zero: few photographs move them little


def softmax(scores: np.ndarray) -> np.ndarray:
    """Return the softmax of every row, float64."""
    scores = np.asarray(scores, dtype=np.float64)
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def log_loss(scores: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
    """Return the weighted mean cross-entropy of the softmax of the scores."""
    rows = np.arange(len(target))
    shifted = scores - scores.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[rows, target]
    return float(np.average(losses, weights=weight))


def fit_calibration(
    scores: np.ndarray, target: np.ndarray, weight: np.ndarray, plain_scale: float = 1.0
) -> np.ndarray:
    """Return (scale, offset of class 1, ..., offset of class K), float64 of shape (1 + K,).

    Args:
        scores: shape (n, K), of photographs that were not fitted on.
        target: int ndarray of shape (n,).
        weight: shape (n,).
        plain_scale: the scale to take where nothing speaks for another.
    """
    scaled = plain_scale * np.asarray(scores, dtype=np.float64)
    rows = np.arange(len(target))
    # The logarithm of the scale beyond the plain one, and the offsets.
    parameters = np.zeros(1 + scaled.shape[1])

    def objective(parameters: np.ndarray) -> float:
        shifted = np.exp(parameters[0]) * scaled + parameters[1:]
        return log_loss(shifted, target, weight) * weight.sum() + 0.5 * PRIOR * float(parameters @ parameters)

    value = objective(parameters)
    for _ in range(STEPS):
        stretched = np.exp(parameters[0]) * scaled
        p = softmax(stretched + parameters[1:])
        weighted = p * weight[:, None]
        residual = weighted.copy()
        residual[rows, target] -= weight
        gradient = np.concatenate([[np.sum(residual * stretched)], residual.sum(axis=0)]) + PRIOR * parameters
        spread = stretched - np.sum(p * stretched, axis=1, keepdims=True)
        curvature = np.empty((len(parameters), len(parameters)))
        curvature[0, 0] = np.sum(weighted * spread * spread)
        curvature[0, 1:] = curvature[1:, 0] = np.sum(weighted * spread, axis=0)
        curvature[1:, 1:] = np.diag(weighted.sum(axis=0)) - p.T @ weighted
        curvature[np.diag_indices(len(parameters))] += PRIOR
        step = np.linalg.solve(curvature, gradient)
        length, gain = 1.0, float(step @ gradient)
        if gain < ENOUGH:
            break
        while (lower := objective(parameters - length * step)) > value - SHARE * length * gain:
            length /= 2
        parameters, value = parameters - length * step, lower
    return np.concatenate([[np.exp(parameters[0]) * plain_scale], parameters[1:]])


def calibrate(scores: np.ndarray, calibration: np.ndarray) -> np.ndarray:
    """Return probabilities, float64 of shape (n, K), each row summing to 1."""
    return softmax(calibration[0] * np.asarray(scores, dtype=np.float64) + calibration[1:])
