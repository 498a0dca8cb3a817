"""The upper layers of a network, trained on kept outputs of the layer below them; what it gained, and the weights that come of it."""

from embed.tune.options import Step, Told, TuneOptions
from embed.tune.tuning import Tuned, tune

__all__ = ["Step", "Told", "TuneOptions", "Tuned", "tune"]
