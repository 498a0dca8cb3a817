"""What tuning has gained: heads on the frozen and on the tuned features, on the same held-out photographs."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from embed.cache import FeatureCache
from embed.learn import FitOptions, paired_difference
from embed.learn.protocol import judge
from embed.tune.options import Told

FEW_TO_TUNE_ON = 500  # photographs, below which tuning mostly learns them by heart


@dataclass(frozen=True)
class Score:
    """How a head did.

    Attributes
    ----------
    accuracy, low, high : float
        The share that was right, with Wilson's 95 % interval.
    """

    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class Gain:
    """A head on frozen features beside one on tuned features.

    Attributes
    ----------
    n : int
        Photographs that both have judged, and that neither they nor the networks have seen.
    evaluated_on : str
        Their role.
    baseline : float
        The accuracy of always predicting the most frequent class.
    frozen, tuned : Score
    won, lost : int
        Photographs that only the one on tuned features, or only the one on frozen features, has right.
    difference, low, high : float
        Of the two accuracies, with its 95 % interval: they answered about the same photographs.
    """

    n: int
    evaluated_on: str
    baseline: float
    frozen: Score
    tuned: Score
    won: int
    lost: int
    difference: float
    low: float
    high: float

    @property
    def shown(self) -> bool:
        """Whether the interval of the difference lies above 0."""
        return self.low > 0

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        return {**asdict(self), "gain_shown": self.shown}


def compare(frozen: FeatureCache, tuned: FeatureCache, options: FitOptions, told: Told) -> Gain:
    """Fit a head on the frozen and one on the tuned features, and compare their answers.

    Raises
    ------
    LabelError
        There are too few labels, or nothing is left to score.
    """
    judged = []
    for features, name in ((frozen, "frozen"), (tuned, "tuned")):
        told.stage(f"judging the {name} features", 0, 0)
        judged.append(judge(features, options, told.stage))
    first, second = (one.evaluation for one in judged)
    both = sorted(set(first.paths) & set(second.paths))
    rights = []
    for answers in (first, second):
        place = {path: i for i, path in enumerate(answers.paths)}
        rights.append((answers.true == answers.predicted)[[place[path] for path in both]])
    before, after = rights
    difference, low, high = paired_difference(after, before)
    return Gain(
        n=len(both),
        evaluated_on=judged[1].split.evaluated_on,
        baseline=second.baseline_accuracy,
        frozen=_score(before),
        tuned=_score(after),
        won=int(np.sum(after & ~before)),
        lost=int(np.sum(before & ~after)),
        difference=difference,
        low=low,
        high=high,
    )


def _score(right: np.ndarray) -> Score:
    from embed.learn.evaluation import wilson_interval

    low, high = wilson_interval(int(right.sum()), len(right))
    return Score(float(right.mean()), low, high)
