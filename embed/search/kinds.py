"""The kinds of index, behind one interface: `embed.search.exact`, and what FAISS offers beside it.

Vectors are float32 of length one. Each is known by its slot, a number counted up from 0 as vectors are added.

==========  ============================================================  =======================
kind        what is searched                                              bytes for each vector
==========  ============================================================  =======================
exact       everything (as IndexFlatIP)                                   4 d
ivf         the nearest cells of a k-means partition                      4 d + 8
compressed  the same with one byte for each value; the best are ranked    d + 8
            again by the features in the cache
hnsw        a graph that leads from neighbour to neighbour                4 d + 8 LINKS
==========  ============================================================  =======================
"""

import mmap
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from embed.search.exact import Exact

TRAINING_VECTORS_PER_CELL = 64  # of k-means; FAISS asks for 39 or more
CELLS_PER_ROOT = 4  # cells = this × √n, as the FAISS wiki advises
LINKS = 32  # of each vector in a graph
LINKING_EFFORT = 200  # candidates that are looked at while a vector is linked in (efConstruction)
CANDIDATES_PER_ANSWER = 4  # compressed vectors taken for each answer, to be ranked by the whole ones
SELECTIVE = 0.5  # share of allowed vectors below which a graph loses its way
SEED = 0


class Kind(Protocol):
    """How vectors are searched."""

    name: str
    suffix: str  # of the file that it is stored in
    effort: int  # how much is looked at; more finds more and takes longer

    @property
    def efforts(self) -> list[int]:
        """The efforts worth trying, ascending."""

    @property
    def bytes_per_vector(self) -> int:
        """Memory that a search may touch, for each vector."""

    def write(self, write: Callable[[Any], Any]) -> None:
        """Hand all bytes of the file to a function, piece by piece; the class method `load` reads them."""

    def search(self, queries: np.ndarray, k: int, allowed: np.ndarray | None) -> np.ndarray:
        """Return the slots of the k nearest, or more, of each query (m, d), in any order; int64 (m, ≥ k), -1 where
        there is none.

        ``allowed`` is a bool mask over the slots, or None for all of them.
        """

    def vectors(self, slots: np.ndarray) -> np.ndarray | None:
        """Return what was added, float32 (n, d), or None where it is not at hand."""

    def add(self, vectors: np.ndarray, slots: np.ndarray) -> None:
        """Add vectors (n, d) in new slots."""

    def remove(self, slots: np.ndarray) -> bool:
        """Take vectors out. True: later slots move down. False: the slots stay, and must not be allowed any more."""


class _OfFaiss:
    """How an index of FAISS is stored."""

    suffix = ".faiss"
    mapping = "IO_FLAG_MMAP"  # how FAISS leaves it on disk, so that a search reads only what it needs

    def __init__(self, index: Any) -> None:
        self.index = index

    @classmethod
    def load(cls, path: Path, data: mmap.mmap, *, writable: bool) -> "_OfFaiss":
        """Return the index that was written: mapped into memory, or read as a whole where it is to be written to."""
        import faiss

        if str(path).isprintable():
            return cls(faiss.read_index(str(path), 0 if writable else getattr(faiss, cls.mapping)))
        data.seek(0)
        return cls(faiss.read_index(faiss.PyCallbackIOReader(data.read)))  # FAISS opens names in UTF-8 only

    def write(self, write: Callable[[Any], Any]) -> None:
        import faiss

        faiss.write_index(self.index, faiss.PyCallbackIOWriter(write))


class Cells(_OfFaiss):
    """Only the vectors in the cells nearest to the query are compared with it."""

    name = "ivf"
    coding = "Flat"
    candidates = 1  # for each answer

    @classmethod
    def build(cls, vectors: np.ndarray) -> "Cells":
        """Return the index of vectors, float32 (n, d)."""
        import faiss

        count, dimension = vectors.shape
        cells = cell_count(count)
        index = faiss.index_factory(dimension, f"IVF{cells},{cls.coding}", faiss.METRIC_INNER_PRODUCT)
        index.cp.spherical = True  # centres of length one, as the vectors
        index.cp.min_points_per_centroid = 1  # no warning on stderr for a handful of vectors
        sample = np.random.default_rng(SEED).permutation(count)[: cells * TRAINING_VECTORS_PER_CELL]
        index.train(vectors[np.sort(sample)])
        built = cls(index)
        built.add(vectors, np.arange(count))
        return built

    @property
    def effort(self) -> int:
        """Cells that are searched."""
        return int(self.index.nprobe)

    @effort.setter
    def effort(self, cells: int) -> None:
        self.index.nprobe = cells

    @property
    def efforts(self) -> list[int]:
        return _ladder(1, self.index.nlist)

    @property
    def bytes_per_vector(self) -> int:
        return int(self.index.code_size) + 8

    def search(self, queries: np.ndarray, k: int, allowed: np.ndarray | None) -> np.ndarray:
        import faiss

        cells, options = self.effort, {}
        if allowed is not None:
            # The fewer are allowed, the further away the nearest of them are.
            cells = min(self.index.nlist, -(-cells * len(allowed) // int(allowed.sum())))
            options["sel"] = _selector(allowed)
        parameters = faiss.SearchParametersIVF(nprobe=cells, **options)
        return self.index.search(queries, k * self.candidates, params=parameters)[1]

    def vectors(self, slots: np.ndarray) -> np.ndarray | None:
        return None  # they lie scattered over the cells

    def add(self, vectors: np.ndarray, slots: np.ndarray) -> None:
        self.index.add_with_ids(vectors, slots)

    def remove(self, slots: np.ndarray) -> bool:
        self.index.remove_ids(slots)
        return False


class Compressed(Cells):
    """Cells of vectors with one byte for each value."""

    name = "compressed"
    coding = "SQ8"
    candidates = CANDIDATES_PER_ANSWER


class Graph(_OfFaiss):
    """A walk over a graph of neighbours (HNSW)."""

    name = "hnsw"
    mapping = "IO_FLAG_MMAP_IFC"

    @classmethod
    def build(cls, vectors: np.ndarray) -> "Graph":
        """Return the index of vectors, float32 (n, d)."""
        import faiss

        index = faiss.IndexHNSWFlat(vectors.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = LINKING_EFFORT
        index.add(vectors)
        return cls(index)

    @property
    def effort(self) -> int:
        """Candidates that are kept on the walk (efSearch)."""
        return int(self.index.hnsw.efSearch)

    @effort.setter
    def effort(self, candidates: int) -> None:
        self.index.hnsw.efSearch = candidates

    @property
    def efforts(self) -> list[int]:
        return _ladder(16, 4096)

    @property
    def bytes_per_vector(self) -> int:
        return 4 * self.index.d + 8 * LINKS

    @property
    def _everything(self) -> Exact:
        """All vectors, without a copy."""
        import faiss

        count, dimension = self.index.ntotal, self.index.d
        if count == 0:
            return Exact(np.empty((0, dimension), np.float32))
        vectors = faiss.downcast_index(self.index.storage).get_xb()
        return Exact(faiss.rev_swig_ptr(vectors, count * dimension).reshape(count, dimension))

    def search(self, queries: np.ndarray, k: int, allowed: np.ndarray | None) -> np.ndarray:
        import faiss

        candidates, options = max(self.effort, k), {}
        if allowed is not None:
            share = allowed.mean()
            if share < SELECTIVE:
                return self._everything.search(queries, k, allowed)
            candidates = int(candidates / share)
            options["sel"] = _selector(allowed)
        parameters = faiss.SearchParametersHNSW(efSearch=candidates, **options)
        return self.index.search(queries, k, params=parameters)[1]

    def vectors(self, slots: np.ndarray) -> np.ndarray | None:
        return self._everything.vectors(slots)

    def add(self, vectors: np.ndarray, slots: np.ndarray) -> None:
        self.index.add(vectors)

    def remove(self, slots: np.ndarray) -> bool:
        return False  # others may be reached only through them


KINDS: dict[str, Any] = {kind.name: kind for kind in (Exact, Cells, Compressed, Graph)}


def cell_count(vectors: int) -> int:
    """Return the number of cells for so many vectors."""
    return max(1, min(int(CELLS_PER_ROOT * vectors**0.5), vectors // 39))


def _ladder(first: int, last: int) -> list[int]:
    """Return whole numbers from first to last, each about √2 times the one before."""
    steps = int(2 * np.log2(max(last / first, 1)))
    return sorted({min(last, round(first * 2 ** (step / 2))) for step in range(steps + 1)} | {last})


def _selector(allowed: np.ndarray) -> Any:
    """Return the FAISS selector of a bool mask over the slots."""
    import faiss

    return faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
