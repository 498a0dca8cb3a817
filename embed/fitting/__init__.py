"""Between features and numbers: splits, fitting with an honest score, the models on disk and what they predict."""

from embed.fitting.models import Model, all_models, load
from embed.fitting.prediction import Prediction, predict_files
from embed.fitting.protocol import FitOptions, Fitted, fit

__all__ = ["FitOptions", "Fitted", "Model", "Prediction", "all_models", "fit", "load", "predict_files"]
