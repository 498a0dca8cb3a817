"""Probabilities from scores: softmax of a common scale times the scores, plus an offset per class.

Fitted on scores of photographs that the scorer had not seen, so that a probability of 0.8 is right four times in five
(temperature scaling, Guo et al. 2017, with an offset for each class as in Platt's).
"""

import numpy as np

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
    from scipy.optimize import minimize

    scores = np.asarray(scores, dtype=np.float64)
    scaled = plain_scale * scores
    outcome = np.zeros_like(scaled)
    outcome[np.arange(len(target)), target] = 1

    def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        scale, offsets = np.exp(parameters[0]), parameters[1:]
        shifted = scale * scaled + offsets
        value = log_loss(shifted, target, weight) * len(target) + 0.5 * PRIOR * float(parameters @ parameters)
        residual = (softmax(shifted) - outcome) * weight[:, None]
        gradient = np.concatenate([[scale * np.sum(residual * scaled)], residual.sum(axis=0)])
        return value, gradient + PRIOR * parameters

    found = minimize(objective, np.zeros(1 + scores.shape[1]), jac=True, method="L-BFGS-B").x
    return np.concatenate([[np.exp(found[0]) * plain_scale], found[1:]])


def calibrate(scores: np.ndarray, calibration: np.ndarray) -> np.ndarray:
    """Return probabilities, float64 of shape (n, K), each row summing to 1."""
    return softmax(calibration[0] * np.asarray(scores, dtype=np.float64) + calibration[1:])
