"""Cosine search, duplicates, similarity matrix, map, outliers and wrong labels, on cached features."""

from embed.search.current import open_index
from embed.search.index import Index, Measured
from embed.search.similar import Answer, Answers, Wanted, query_files, similar
from embed.search.tuning import Demand

__all__ = [
    "Answer",
    "Answers",
    "Demand",
    "Index",
    "Measured",
    "Wanted",
    "open_index",
    "query_files",
    "similar",
]
