"""Between features and numbers: splits, fitting with an honest score, the models on disk and what they predict."""

from embed.learn.comparison import Compared, compare, learning_curve, same_photographs
from embed.learn.heads import HEADS, linear_terms
from embed.learn.installed import parse as parse_settings
from embed.learn.label_issues import LabelIssue, LabelIssues, mislabelled
from embed.learn.model import Model
from embed.learn.models import all_models
from embed.learn.networks import Candidate, NetworksCompared, command, compare_networks, paired_difference
from embed.learn.prediction import Prediction, judge, predict_files
from embed.learn.protocol import Fitted, check_classifier, fit, load
from embed.learn.saving import TRUSTED
from embed.learn.sorting import place
from embed.learn.trainer import FitOptions

__all__ = [
    "HEADS",
    "TRUSTED",
    "Candidate",
    "Compared",
    "FitOptions",
    "Fitted",
    "LabelIssue",
    "LabelIssues",
    "Model",
    "NetworksCompared",
    "Prediction",
    "all_models",
    "check_classifier",
    "command",
    "compare",
    "compare_networks",
    "fit",
    "judge",
    "learning_curve",
    "linear_terms",
    "load",
    "mislabelled",
    "paired_difference",
    "parse_settings",
    "place",
    "predict_files",
    "same_photographs",
]
