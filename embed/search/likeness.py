"""How similar photographs of one feature set are that have nothing to do with each other: what more than that means differs.

Pages of text are all alike for a network that knows photographs of things; photographs of many things are not. So no
one similarity says that two photographs are copies: it is read off pairs of the set itself that were drawn at random.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embed.search.vectors import Vectors

SAMPLE = 2048  # photographs that pairs are drawn of
SEED = 0
AROUND = 50  # photographs that are nearer to each than the floor, by the pairs at random
ALIKE = 5.0  # standard deviations above what is usual, for photographs that look alike
_LARGEST = 0.9999995  # that Fisher's transformation takes


@dataclass(frozen=True)
class Likeness:
    """What similarity means in one feature set.

    Attributes
    ----------
    floor : float
        Below it no copies are looked for: each photograph has some fifty others above it by mere chance.
    alike : float
        Above it photographs look alike.
    """

    floor: float
    alike: float


def likeness(vectors: Vectors) -> Likeness:
    """Return what similarity means among some vectors (n, d) of length one."""
    count = len(vectors)
    if count < 2:
        return Likeness(-1.0, 1.0)
    drawn = np.sort(np.random.default_rng(SEED).permutation(count)[:SAMPLE])
    sample = vectors[drawn]
    pairs: NDArray[np.float32] = (sample @ sample.T)[np.triu_indices(len(sample), 1)]
    floor = float(np.quantile(pairs, max(0.0, 1 - AROUND / count)))
    # The middle and the spread of what is usual, whatever copies there are among it; Fisher's z has no end at 1.
    low, middle, high = np.arctanh(np.quantile(pairs, (0.16, 0.5, 0.84)).clip(-_LARGEST, _LARGEST))
    return Likeness(floor, float(np.tanh(middle + ALIKE * max(high - low, 1e-3) / 2)))
