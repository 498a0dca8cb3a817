"""How labels get mixed up: which class is given the label of which, estimated from what is predicted."""

from dataclasses import dataclass

import numpy as np

FIRST_GUESS = 0.05  # share of every class that has the label of another one, before anything is estimated
PSEUDO_COUNT = 2.0  # photographs of every class that count as labelled right: a few mistakes make no rule
ROUNDS = 30
SHARPEST = 4.0  # power that probabilities are raised to, at most
SMALLEST_PROBABILITY = 1e-12


@dataclass(frozen=True)
class Mixed:
    """What is known of a label once it is known which labels are given for what.

    Attributes
    ----------
    right : float64 ndarray of shape (n,)
        The probability that the label of each photograph is right.
    noise : float64 ndarray of shape (K, K)
        The probability that a photograph of class k has the label j; rows sum to 1.
    evenness : float
        From 0, every class is mistaken for one other, to 1, for all others alike; 0.5 where there is only one other.
    fit : float
        The mean logarithm of the probability of a given label.
    """

    right: np.ndarray
    noise: np.ndarray
    evenness: float
    fit: float


def mixed(probabilities: np.ndarray, given: np.ndarray, sharpness: float) -> Mixed:
    """Estimate how labels get mixed up, and how probably each one is right.

    A photograph is of class k with the probability that was predicted, and has then the label j with the probability
    ``noise[k, j]``. Both are estimated in turn (expectation-maximisation, as Dawid and Skene did for observers, 1979,
    https://doi.org/10.2307/2346806).

    Parameters
    ----------
    probabilities : float64 ndarray of shape (n, K)
        Of each class, predicted without the label of the photograph.
    given : int ndarray of shape (n,)
        The label of each, from 0.
    sharpness : float
        Power that the probabilities are raised to first; above 1 they become surer.
    """
    from scipy.sparse import csr_array

    each, count = np.arange(len(given)), probabilities.shape[1]
    sharp = np.maximum(probabilities, SMALLEST_PROBABILITY) ** sharpness
    sharp /= sharp.sum(axis=1, keepdims=True)
    of_label = csr_array((np.ones(len(given)), (given, each)), shape=(count, len(given)))
    noise = np.full((count, count), FIRST_GUESS / (count - 1))
    np.fill_diagonal(noise, 1 - FIRST_GUESS)
    for _ in range(ROUNDS):
        joint = sharp * noise.T[given]
        total = joint.sum(axis=1)
        joint /= total[:, np.newaxis]
        noise = (of_label @ joint).T + PSEUDO_COUNT * np.eye(count)
        noise /= noise.sum(axis=1, keepdims=True)
    return Mixed(joint[each, given], noise, _evenness(of_label @ joint), float(np.log(total).mean()))


def _evenness(counts: np.ndarray) -> float:
    """Return the entropy of the wrong labels of a class, 1 at most, as a mean over the wrong labels.

    Parameters
    ----------
    counts : float64 ndarray of shape (K, K)
        Photographs with a label (rows) that are of a class (columns).
    """
    from scipy.stats import entropy

    others = len(counts) - 1
    if others < 2:
        return 0.5
    wrong = counts * (1 - np.eye(len(counts))) + SMALLEST_PROBABILITY
    of_class = wrong.sum(axis=0)
    return float(np.average(entropy(wrong, axis=0) / np.log(others), weights=of_class))


def sharpness(probabilities: np.ndarray, given: np.ndarray) -> float:
    """Return the power from 1 to `SHARPEST` with which the given labels are likeliest.

    A classifier that was fitted on wrong labels too is less sure than it might be: it takes for doubt about the photograph
    what is doubt about its label.
    """
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda power: -mixed(probabilities, given, power).fit,
        bounds=(1.0, SHARPEST),
        method="bounded",
        options={"xatol": 0.05},
    )
    return float(found.x)
