"""Cosine search, duplicates, similarity matrix, map, outliers and doubtful labels, on cached features."""

from embed.search.current import open_index
from embed.search.duplicates import Duplicate, DuplicateGroup, duplicates
from embed.search.index import Index, Measured
from embed.search.layout import Layout, layout
from embed.search.matrix import Matrix, similarity_matrix
from embed.search.similar import Answer, Answers, Wanted, similar
from embed.search.suspects import Doubt, Outlier, mislabelled, outliers
from embed.search.tuning import Demand

__all__ = [
    "Answer",
    "Answers",
    "Demand",
    "Doubt",
    "Duplicate",
    "DuplicateGroup",
    "Index",
    "Layout",
    "Matrix",
    "Measured",
    "Outlier",
    "Wanted",
    "duplicates",
    "layout",
    "mislabelled",
    "open_index",
    "outliers",
    "similar",
    "similarity_matrix",
]
