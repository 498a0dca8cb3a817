"""Cosine search, duplicates, similarity matrix, map and outliers, on cached features."""

from embed.search.current import open_index
from embed.search.duplicates import Duplicate, DuplicateGroup, duplicates
from embed.search.index import Index, Measured
from embed.search.layout import Layout, layout
from embed.search.matrix import Matrix, similarity_matrix
from embed.search.outliers import Outlier, outliers
from embed.search.similar import Answer, Answers, Wanted, similar
from embed.search.tuning import Demand

__all__ = [
    "Answer",
    "Answers",
    "Demand",
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
    "open_index",
    "outliers",
    "similar",
    "similarity_matrix",
]
