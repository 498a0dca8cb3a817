"""What a program calls: extract features, open a cache, work with what is in it."""

from embed.api.functions import DEFAULT_CACHE, extract_features, open
from embed.api.review import Review, Scores, review

__all__ = ["DEFAULT_CACHE", "Review", "Scores", "extract_features", "open", "review"]
