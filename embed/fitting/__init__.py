"""Between features and numbers: splits, fitting with an honest score, the models on disk and what they predict."""

from embed.fitting.bench import FitOptions
from embed.fitting.comparison import Compared, compare, learning_curve, same_photographs
from embed.fitting.models import Model, all_models, load
from embed.fitting.prediction import Prediction, predict_files
from embed.fitting.protocol import Fitted, fit

__all__ = [
    "Compared",
    "FitOptions",
    "Fitted",
    "Model",
    "Prediction",
    "all_models",
    "compare",
    "fit",
    "learning_curve",
    "load",
    "predict_files",
    "same_photographs",
]
