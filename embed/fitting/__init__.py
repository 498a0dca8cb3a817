"""Between features and numbers: splits, fitting with an honest score, and the models on disk."""

from embed.fitting.models import Model, all_models, load
from embed.fitting.protocol import FitOptions, Fitted, fit

__all__ = ["FitOptions", "Fitted", "Model", "all_models", "fit", "load"]
