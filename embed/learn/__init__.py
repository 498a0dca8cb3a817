"""Between features and numbers: splits, fitting with an honest score, the models on disk and what they predict."""

from embed.learn.bench import FitOptions
from embed.learn.comparison import Compared, compare, learning_curve, same_photographs
from embed.learn.label_issues import Doubt, mislabelled
from embed.learn.models import Model, all_models, load
from embed.learn.prediction import Prediction, predict_files
from embed.learn.protocol import Fitted, fit

__all__ = [
    "Compared",
    "Doubt",
    "FitOptions",
    "Fitted",
    "Model",
    "Prediction",
    "all_models",
    "compare",
    "fit",
    "learning_curve",
    "load",
    "mislabelled",
    "predict_files",
    "same_photographs",
]
