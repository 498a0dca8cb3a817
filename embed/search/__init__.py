"""Cosine search, duplicates, similarity matrix, map and outliers, on cached features.

Few photographs are compared one by one with a query. Many have an index on disk, behind the seam `Store`: whatever keeps
the vectors names candidates by their content, and the features in the cache rank them.

Derived files
-------------
The folder ``index/`` of a feature set is derived from its parts and may be deleted at any time; a reader that does not know
it ignores it.

==================  ==================================================================================================
manifest.json       a sealed document: format_version (1), kind, effort, fingerprint of the features, notes, segments
HASH.segment        vectors by cells, their contents, a directory of checksums; see `embed.search.segment`
HASH.alive          a bit for each vector of a segment, 0 where its photograph went; the name is its xxh3-128
.lock               held by the process that changes the index
==================  ==================================================================================================

Segments never change; what comes is a new segment, what goes costs a bit, and the manifest is replaced last. Opening checks
the manifest, the head and the directory of each segment, and the bits; a search checks each cell that it reaches before it is
compared, and the contents of what it finds; bringing the index up to date checks all contents. What is sick is not mended but
built anew, and the search that comes upon it compares everything.

FAISS trusts what it reads. Folder and files are used only where the owner of the set, or root, wrote them and neither group
nor others may write to them: whoever could plant a file there could act as the owner anyway.
"""

from embed.search.current import measured, open_index
from embed.search.duplicates import Duplicate, DuplicateGroup, duplicates
from embed.search.index import Index, Measured
from embed.search.layout import Layout, layout
from embed.search.matrix import Matrix, similarity_matrix
from embed.search.outliers import Outlier, outliers
from embed.search.similar import Neighbour, Neighbours, SimilarOptions, similar
from embed.search.store import Progress, Store
from embed.search.tuning import IndexOptions

__all__ = [
    "Duplicate",
    "DuplicateGroup",
    "Index",
    "IndexOptions",
    "Layout",
    "Matrix",
    "Measured",
    "Neighbour",
    "Neighbours",
    "Outlier",
    "Progress",
    "SimilarOptions",
    "Store",
    "duplicates",
    "layout",
    "measured",
    "open_index",
    "outliers",
    "similar",
    "similarity_matrix",
]
