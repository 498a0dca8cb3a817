"""The kinds of index that FAISS offers, each one string for its ``index_factory``.

==========  =========================================================  ==================
kind        what is searched                                           bytes a vector
==========  =========================================================  ==================
exact       everything: no index at all                                0
compressed  the nearest cells of a k-means partition, one byte for     d + 8
            each value; the features in the cache rank what is found
ivf         the same with whole values                                 4 d + 8
hnsw        a graph from neighbour to neighbour, one byte for each     d + 8 LINKS
            value
==========  =========================================================  ==================
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed.search.store import Progress
from embed.search.vectors import Vectors, blocks

EXACT = "exact"
AUTO = "auto"
CELLS_PER_ROOT = 4  # cells = this × √n, as the FAISS wiki advises
TRAINING_VECTORS_PER_CELL = 64  # of k-means; FAISS asks for 39 or more
TRAINING_VALUES = 3 << 26  # at most: 0.8 GB
ITERATIONS = 10  # of k-means
RANGE_VECTORS = 1 << 15  # that the range of each value is taken from, where it is stored in one byte
LINKS = 32  # of each vector in a graph
LINKING_EFFORT = 200  # candidates while a vector is linked in (efConstruction)
SEED = 0


@dataclass(frozen=True)
class Kind:
    """A kind of index that FAISS builds.

    Attributes
    ----------
    name : str
    factory : str
        Description for ``index_factory``; ``{cells}`` is filled in.
    candidates : int
        Taken for each answer, because coded vectors are only nearly right.
    graph : bool
        It is searched as a whole, not by cells.
    """

    name: str
    factory: str
    candidates: int
    graph: bool = False

    def empty(self, dimension: int, cells: int) -> Any:
        """Return an index of FAISS without vectors, not trained."""
        import faiss

        index = faiss.index_factory(dimension, self.factory.format(cells=cells), faiss.METRIC_INNER_PRODUCT)
        if self.graph:
            index.hnsw.efConstruction = LINKING_EFFORT
        else:
            index.cp.spherical = True  # centres of length one, as the vectors
            index.cp.min_points_per_centroid = 1  # no warning on stderr for a handful of vectors
        return index


COMPRESSED = Kind("compressed", "IVF{cells},SQ8", candidates=4)
IVF = Kind("ivf", "IVF{cells},Flat", candidates=1)
HNSW = Kind("hnsw", f"HNSW{LINKS}_SQ8", candidates=4, graph=True)
KINDS = {kind.name: kind for kind in (COMPRESSED, IVF, HNSW)}
NAMES = (AUTO, EXACT, *KINDS)


def trained(kind: Kind, vectors: Vectors, progress: Progress) -> Any:
    """Return an index of FAISS without vectors, trained on a sample of some."""
    count, dimension = vectors.shape
    index = kind.empty(dimension, cells := cell_count(count))
    most = min(cells * TRAINING_VECTORS_PER_CELL, max(cells, TRAINING_VALUES // dimension))
    sample = vectors[np.sort(np.random.default_rng(SEED).permutation(count)[:most])]
    if not kind.graph:
        _find_cells(index, sample, progress)
    index.train(sample[:: max(1, len(sample) // RANGE_VECTORS)])
    return index


def _find_cells(index: Any, sample: NDArray[np.float32], progress: Progress) -> None:
    """Put the centres of k-means into the quantizer of an index, an iteration at a time: FAISS tells no progress."""
    import faiss

    clustering = faiss.Clustering(index.d, index.nlist, index.cp)
    clustering.niter = 1
    for iteration in range(ITERATIONS):
        progress("Looking for cells", iteration, ITERATIONS)
        clustering.train(sample, index.quantizer)  # goes on from the centres that it has


def cells_of(index: Any, vectors: Vectors, progress: Progress) -> NDArray[np.int64]:
    """Return the cell of each vector, int64 (n,)."""
    count, dimension = vectors.shape
    cells = np.empty(count, np.int64)
    for block in blocks(count, dimension):
        cells[block] = index.quantizer.search(vectors[np.arange(block.start, block.stop)], 1)[1][:, 0]
        progress("Sorting vectors into cells", block.stop, count)
    return cells


def cell_count(vectors: int) -> int:
    """Return the number of cells for so many vectors."""
    return max(1, min(int(CELLS_PER_ROOT * vectors**0.5), vectors // 39))


def ladder(first: int, last: int) -> list[int]:
    """Return whole numbers from first to last, each about √2 times the one before."""
    steps = int(2 * np.log2(max(last / first, 1)))
    return sorted({min(last, round(first * 2 ** (step / 2))) for step in range(steps + 1)} | {last})
