"""The arithmetic that a head is written in: a few operations that every format has.

A format says how each is written; what is made of several of them is said once, here.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

SMALLEST = np.float32(1e-12)  # a length or a sum that is divided by, at least


class Arithmetic(ABC):
    """Operations on rows, tensors of shape (n, d) of whatever the format calls one."""

    @abstractmethod
    def affine(self, x: Any, matrix: np.ndarray, offset: np.ndarray) -> Any:
        """Return ``x @ matrix + offset`` for a float32 matrix (d, k) and an offset (k,)."""

    @abstractmethod
    def add(self, x: Any, y: Any) -> Any:
        """Return the sum of two tensors; one of them may be a column, (n, 1)."""

    @abstractmethod
    def multiply(self, x: Any, y: Any) -> Any:
        """Return the product of two tensors, value by value."""

    @abstractmethod
    def divide(self, x: Any, y: Any) -> Any:
        """Return the quotient of two tensors; the second may be a column, (n, 1)."""

    @abstractmethod
    def total(self, x: Any) -> Any:
        """Return the sum of each row, (n, 1)."""

    @abstractmethod
    def at_least(self, x: Any, least: np.float32) -> Any:
        """Return the greater one of each value and a number."""

    @abstractmethod
    def absolute(self, x: Any) -> Any:
        """Return each value without its sign."""

    @abstractmethod
    def below_zero(self, x: Any) -> Any:
        """Return 1.0 for each value below zero, otherwise 0.0."""

    @abstractmethod
    def exponential(self, x: Any) -> Any:
        """Return e to the power of each value."""

    @abstractmethod
    def square_root(self, x: Any) -> Any:
        """Return the square root of values that are not below zero."""

    @abstractmethod
    def cube_root(self, x: Any) -> Any:
        """Return the cube root of values of either sign."""

    @abstractmethod
    def sigmoid(self, x: Any) -> Any:
        """Return ``1 / (1 + exp(-x))``."""

    @abstractmethod
    def softmax(self, x: Any) -> Any:
        """Return ``exp(x)``, divided by its sum over each row."""

    def root(self, x: Any) -> Any:
        """Return the square root, of what is below zero as of zero."""
        return self.square_root(self.at_least(x, np.float32(0)))

    def rectified(self, x: Any) -> Any:
        """Return each value, or zero where it is below."""
        return self.at_least(x, np.float32(0))

    def unit(self, x: Any) -> Any:
        """Return each row scaled to length 1; one of zeros stays."""
        length = self.square_root(self.total(self.multiply(x, x)))
        return self.divide(x, self.at_least(length, SMALLEST))

    def shares(self, x: Any) -> Any:
        """Return each row divided by its sum."""
        return self.divide(x, self.at_least(self.total(x), SMALLEST))

    def kernel(self, x: Any, points: np.ndarray, gamma: np.ndarray) -> Any:
        """Return ``exp(-gamma |x - z|²)`` for each of the points z, (m, d): (n, m)."""
        points = points.astype(np.float64)
        matrix = (2 * gamma * points.T).astype(np.float32)
        offset = (-gamma * (points**2).sum(axis=1)).astype(np.float32)
        scale, nothing = np.full((1, 1), -gamma, np.float32), np.zeros(1, np.float32)
        own = self.affine(self.total(self.multiply(x, x)), scale, nothing)
        return self.exponential(self.add(self.affine(x, matrix, offset), own))

    def votes(self, x: Any, first: np.ndarray, second: np.ndarray) -> Any:
        """Return the score of each class from its duels, (n, pairs), as scikit-learn counts them.

        A duel is won by the first of its two classes where it is above zero. A class has its votes, and less than half of
        one for how clearly it won.

        Parameters
        ----------
        x : tensor of shape (n, pairs)
        first, second : float32 ndarray of shape (pairs, K)
            Which class of each pair.
        """
        none = np.zeros(first.shape[1], np.float32)
        lost = self.below_zero(x)
        won = self.affine(lost, second - first, first.sum(axis=0))
        margin = self.affine(x, first - second, none)
        one = np.eye(first.shape[1], dtype=np.float32)
        bound = self.affine(self.absolute(margin), 3 * one, none + 3)
        return self.add(won, self.divide(margin, bound))
