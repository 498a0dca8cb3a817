"""Between features and numbers: splits, fitting with an honest score, the models on disk and what they predict."""

from embed.learn.comparison import Compared, compare, learning_curve, same_photographs
from embed.learn.heads import HEADS, linear_terms
from embed.learn.installed import parse as parse_settings
from embed.learn.label_issues import LabelIssue, mislabelled
from embed.learn.models import Model, all_models
from embed.learn.prediction import Prediction, predict_files
from embed.learn.protocol import Fitted, check_classifier, fit, load
from embed.learn.saving import TRUSTED
from embed.learn.trainer import FitOptions

__all__ = [
    "HEADS",
    "TRUSTED",
    "Compared",
    "FitOptions",
    "Fitted",
    "LabelIssue",
    "Model",
    "Prediction",
    "all_models",
    "check_classifier",
    "compare",
    "fit",
    "learning_curve",
    "linear_terms",
    "load",
    "mislabelled",
    "parse_settings",
    "predict_files",
    "same_photographs",
]
