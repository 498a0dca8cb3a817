"""Cosine search, duplicates, similarity matrix, map and outliers, on cached features.

Few photographs are compared one by one with a query. Many have an index on disk, behind the seam `Store`: whatever keeps
the vectors names candidates by their content, and the features in the cache rank them.

What lies on disk, and what is trusted, is described in ``cache/README.md`` under "Derived files".
"""

from embed.search.closest import Pair, closest_pair
from embed.search.clusters import Cluster, Clusters, clusters
from embed.search.current import measured, open_index, silent
from embed.search.duplicates import Duplicate, DuplicateGroup, Grade, duplicates
from embed.search.groups import Groups, group_rows, keep_groups, notes_on_groups, read_groups
from embed.search.index import Index, Measured
from embed.search.keeping import superfluous
from embed.search.layout import Layout, layout
from embed.search.matrix import Matrix, similarity_matrix
from embed.search.outliers import Outlier, outliers
from embed.search.similar import Neighbour, Neighbours, Query, Searcher, SimilarOptions, similar
from embed.search.store import Progress, Store
from embed.search.tuning import IndexOptions

__all__ = [
    "Cluster",
    "Clusters",
    "Duplicate",
    "DuplicateGroup",
    "Grade",
    "Groups",
    "Index",
    "IndexOptions",
    "Layout",
    "Matrix",
    "Measured",
    "Neighbour",
    "Neighbours",
    "Outlier",
    "Pair",
    "Progress",
    "Query",
    "Searcher",
    "SimilarOptions",
    "Store",
    "closest_pair",
    "clusters",
    "duplicates",
    "group_rows",
    "keep_groups",
    "layout",
    "measured",
    "notes_on_groups",
    "open_index",
    "outliers",
    "read_groups",
    "silent",
    "similar",
    "similarity_matrix",
    "superfluous",
]
