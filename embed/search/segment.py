"""One segment of an index: an immutable file that is read in small checked pieces.

A segment holds, one after another:

1. what FAISS writes of the trained index: without vectors where they lie in cells, the whole graph otherwise
2. for each cell the codes of its vectors, and their numbers in this segment (int64, counted through all cells)
3. for each cell the contents (sha256) of its vectors; a graph has them in cells of 4096
4. the directory: for each cell its size, the xxh3-64 of 2 and of 3 (three uint64 arrays)

The manifest has the xxh3-128 of 1 and 4, which are checked when the segment is opened. A cell is checked when it is first
searched, contents whenever they are read. So what an opened index costs grows with the number of cells, the root of the
number of vectors, and no byte is used unchecked. A graph is checked as a whole when it is opened: a walk may lead anywhere.

FAISS trusts what it reads; a crafted file could make it run code. A file is opened only within the boundary of trust
(`embed.files.trust`), and what it says of itself has to agree with the manifest.
"""

import os
import weakref
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from embed.files import Boundary, Draft
from embed.search.entry import CONTENT_BYTES, Entry
from embed.search.kinds import KINDS, Kind, cells_of
from embed.search.store import Progress, StoreDamagedError
from embed.search.vectors import Vectors, blocks

BAND_BYTES = 256 << 20  # of codes that are put in order at once
PIECE = 4096  # vectors of a graph whose contents are checked at once
READ_BYTES = 1 << 20


def write(
    folder: Path, kind: Kind, index: Any, contents: NDArray[np.uint8], vectors: Vectors, progress: Progress
) -> Entry:
    """Write a segment of contents (n, 32) and their vectors (n, d) into a folder.

    Parameters
    ----------
    folder : Path
    kind : Kind
    index : faiss.Index
        Trained. A graph gets the vectors; one with cells stays empty.
    contents : ndarray of shape (n, 32), uint8
    vectors : Vectors
    progress : Progress

    Raises
    ------
    CacheWriteError
        The disk refused.
    """
    import faiss

    hasher = xxhash.xxh3_128()
    if kind.graph:
        for block in blocks(*vectors.shape):
            index.add(vectors[np.arange(block.start, block.stop)])
            progress("Linking vectors", block.stop, len(contents))
        cell_of = np.arange(len(contents)) // PIECE
        cells = -(-len(contents) // PIECE)
    else:
        cell_of, cells = cells_of(index, vectors, progress), int(index.nlist)
    order = np.argsort(cell_of, kind="stable")
    directory = np.zeros((3, cells), np.uint64)
    directory[0] = np.bincount(cell_of, minlength=cells)
    bounds = np.concatenate([[0], np.cumsum(directory[0].astype(np.int64))])
    with Draft(folder, durable=False, closed=True) as draft:

        def write_head(data: bytes) -> int:
            hasher.update(data)
            return draft.write(data)

        faiss.write_index(index, faiss.PyCallbackIOWriter(write_head))
        head_bytes = draft.size
        if not kind.graph:
            directory[1] = _write_cells(draft, index, vectors, order, bounds, progress)
        for cell in range(cells):
            data = contents[order[bounds[cell] : bounds[cell + 1]]].tobytes()
            directory[2, cell] = xxhash.xxh3_64_intdigest(data)
            draft.write(data)
        hasher.update(directory.tobytes())
        draft.write(directory)
        entry = Entry(
            kind=kind.name,
            vectors=len(contents),
            cells=cells,
            head_bytes=head_bytes,
            code_bytes=0 if kind.graph else int(index.code_size),
            digest=hasher.hexdigest(),
        )
        draft.replace(entry.name)
    return entry


def _write_cells(
    draft: Draft,
    index: Any,
    vectors: Vectors,
    order: NDArray[np.int64],
    bounds: NDArray[np.int64],
    progress: Progress,
) -> NDArray[np.uint64]:
    """Write codes and numbers cell by cell and return the checksums; the vectors pass by once for each 256 MB of codes."""
    import faiss

    cells = len(bounds) - 1
    sums = np.zeros(cells, np.uint64)
    first = 0
    while first < cells:
        most = bounds[first] + max(1, BAND_BYTES // index.code_size)
        stop = max(first + 1, int(np.searchsorted(bounds, most, "right")) - 1)
        start, end = int(bounds[first]), int(bounds[stop])
        codes = np.empty((end - start, index.code_size), np.uint8)
        cell_of = np.repeat(np.arange(first, stop), np.diff(bounds[first : stop + 1]))
        by_place = np.argsort(order[start:end])
        for block in blocks(end - start, vectors.shape[1]):
            into = by_place[block]
            X = np.ascontiguousarray(vectors[order[start + into]])
            some, inside = np.empty((len(X), index.code_size), np.uint8), cell_of[into]
            index.encode_vectors(len(X), *map(faiss.swig_ptr, (X, inside, some)))
            codes[into] = some
            progress("Writing the index", start + block.stop, len(order))
        for cell in range(first, stop):
            low, high = bounds[cell], bounds[cell + 1]
            data = codes[low - start : high - start].tobytes() + np.arange(low, high).tobytes()
            sums[cell] = xxhash.xxh3_64_intdigest(data)
            draft.write(data)
        first = stop
    return sums


class Segment:
    """A segment on disk, opened.

    Parameters
    ----------
    folder : Path
    entry : Entry
    boundary : Boundary
        Of the feature set.

    Raises
    ------
    UntrustedError
        Somebody else may have written it.
    StoreDamagedError
        It is missing, or its head or directory is not what was written.
    """

    def __init__(self, folder: Path, entry: Entry, boundary: Boundary) -> None:
        self.path = folder / entry.name
        self.entry = entry
        try:
            self._descriptor = boundary.open(self.path)
        except OSError as error:
            raise StoreDamagedError(f"cannot read {self.path}: {error.strerror}") from error
        self.close = weakref.finalize(self, os.close, self._descriptor)
        if os.fstat(self._descriptor).st_size != entry.size:
            raise self._damaged("it has not the size that was written")
        hasher = xxhash.xxh3_128()
        for start in range(0, entry.head_bytes, READ_BYTES):
            hasher.update(self._read(start, min(READ_BYTES, entry.head_bytes - start)))
        directory = self._read(entry.directory_start, 3 * 8 * entry.cells)
        hasher.update(directory)
        if hasher.hexdigest() != entry.digest:
            raise self._damaged("its head or its directory is not what was written")
        sizes, self._cell_sums, self._content_sums = np.frombuffer(directory, np.uint64).reshape(3, -1)
        if (sizes > entry.vectors).any() or sizes.sum() != entry.vectors:
            raise self._damaged("its directory is not that of its vectors")
        self.bounds = np.concatenate([[0], np.cumsum(sizes.astype(np.int64))])
        self._checked = np.zeros(entry.cells, bool)

    def __len__(self) -> int:
        return self.entry.vectors

    @cached_property
    def index(self) -> Any:
        """The index of FAISS, its cells mapped into memory."""
        import faiss

        # By the descriptor: these are the bytes that were checked, whatever lies under the name by now.
        name = f"/dev/fd/{self._descriptor}"
        graph = KINDS[self.entry.kind].graph
        try:
            index = faiss.read_index(name, faiss.IO_FLAG_MMAP_IFC) if graph else faiss.read_index(name)
        except RuntimeError as error:
            raise self._damaged("FAISS cannot read it") from error
        if graph:
            fits = index.ntotal == len(self)
        else:
            known = (index.ntotal, index.nlist, index.quantizer.ntotal, index.code_size)
            fits = known == (0, self.entry.cells, self.entry.cells, self.entry.code_bytes)
        if not fits:
            raise self._damaged("its head is not that of its vectors")
        if graph:
            return index
        lists = faiss.OnDiskInvertedLists()
        lists.nlist, lists.code_size, lists.read_only = index.nlist, index.code_size, True
        lists.filename, lists.totsize = name, self.entry.size
        places = np.empty((index.nlist, 3), np.uint64)  # size, capacity, offset
        places[:, 0] = places[:, 1] = np.diff(self.bounds)
        places[:, 2] = self.entry.head_bytes + self.bounds[:-1] * self.entry.record_bytes
        described = faiss.OnDiskOneListVector()
        described.resize(index.nlist)
        faiss.memcpy(described.data(), faiss.swig_ptr(places), places.nbytes)
        lists.lists = described
        try:
            lists.do_mmap()
        except RuntimeError as error:
            raise self._damaged("it cannot be mapped into memory") from error
        index.replace_invlists(lists, True)
        lists.this.disown()
        index.ntotal = len(self)
        return index

    def search(
        self,
        queries: NDArray[np.float32],
        k: int,
        effort: int,
        mask: NDArray[np.bool_] | None,
        *,
        filtered: bool,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return scores and places of the k nearest of each query (m, d), both (m, k); place -1 where there is none.

        Parameters
        ----------
        queries : ndarray of shape (m, d), float32
        k : int
        effort : int
            Cells that are searched, or candidates that are kept on a walk.
        mask : ndarray of shape (n,), bool, optional
            Places that may be found.
        filtered : bool
            The mask leaves out more than what was removed: further cells have to be searched.
        """
        import faiss

        if self.index.d != queries.shape[1]:
            raise self._damaged(f"it holds vectors of {self.index.d} values")
        options = (
            {} if mask is None else {"sel": faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))}
        )
        if KINDS[self.entry.kind].graph:
            share = 1.0 if mask is None else max(float(mask.mean()), 1 / len(self))
            parameters = faiss.SearchParametersHNSW(efSearch=int(max(effort, k) / share), **options)
            return self.index.search(queries, k, params=parameters)
        reach = mask if filtered else None
        scores, cells = self._nearest_cells(queries, min(effort, self.entry.cells), reach)
        self._check_cells(np.unique(cells[cells >= 0]))
        found = np.empty((len(queries), k), np.float32), np.empty((len(queries), k), np.int64)
        parameters = faiss.SearchParametersIVF(nprobe=cells.shape[1], **options)
        arrays = map(faiss.swig_ptr, (cells, scores, *found))
        self.index.search_preassigned_c(len(queries), faiss.swig_ptr(queries), k, *arrays, False, parameters)
        return found

    def _nearest_cells(
        self, queries: NDArray[np.float32], effort: int, mask: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return scores and numbers of the cells to search for each query.

        Under a filter, the nearest cells in which anything is allowed, until as many vectors are allowed there as the
        same effort compares without one.
        """
        if mask is None:
            return self.index.quantizer.search(queries, effort)
        scores, cells = self.index.quantizer.search(queries, self.entry.cells)
        allowed = np.diff(np.concatenate([[0], np.cumsum(mask)])[self.bounds])[cells]
        enough = effort * len(self) / self.entry.cells
        leave = (allowed == 0) | (np.cumsum(allowed, axis=1) - allowed >= enough)
        cells[leave] = -1
        order = np.argsort(leave, axis=1, kind="stable")[:, : max(1, int((~leave).sum(axis=1).max()))]
        taken = np.take_along_axis(scores, order, 1), np.take_along_axis(cells, order, 1)
        return np.ascontiguousarray(taken[0]), np.ascontiguousarray(taken[1])

    def _check_cells(self, cells: NDArray[np.int64]) -> None:
        """Compare the bytes of cells with their checksums, once."""
        for cell in cells[~self._checked[cells]].tolist():
            self._cell(cell)

    def _cell(self, cell: int) -> bytes:
        start, stop = self.bounds[cell : cell + 2].tolist()
        record = self.entry.record_bytes
        data = self._read(self.entry.head_bytes + start * record, (stop - start) * record)
        if xxhash.xxh3_64_intdigest(data) != self._cell_sums[cell]:
            raise self._damaged(f"cell {cell} is not what was written")
        numbers = np.frombuffer(data, np.int64, offset=(stop - start) * self.entry.code_bytes)
        if not np.array_equal(numbers, np.arange(start, stop)):
            raise self._damaged(f"cell {cell} holds the numbers of others")
        self._checked[cell] = True
        return data

    def contents_at(self, places: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the contents at some places, uint8 (n, 32)."""
        if "contents" in self.__dict__:
            return self.contents[places]
        result = np.empty((len(places), CONTENT_BYTES), np.uint8)
        cell_of = np.searchsorted(self.bounds, places, "right") - 1
        for cell in np.unique(cell_of).tolist():
            inside = cell_of == cell
            result[inside] = self._contents_of(cell)[places[inside] - self.bounds[cell]]
        return result

    def _contents_of(self, cell: int) -> NDArray[np.uint8]:
        start, stop = self.bounds[cell : cell + 2].tolist()
        data = self._read(self.entry.contents_start + start * CONTENT_BYTES, (stop - start) * CONTENT_BYTES)
        if xxhash.xxh3_64_intdigest(data) != self._content_sums[cell]:
            raise self._damaged(f"the contents of cell {cell} are not what was written")
        return np.frombuffer(data, np.uint8).reshape(-1, CONTENT_BYTES)

    @cached_property
    def contents(self) -> NDArray[np.uint8]:
        """All contents, uint8 (n, 32), in the order of the places."""
        return np.concatenate([self._contents_of(cell) for cell in range(self.entry.cells)])

    def vectors(self) -> NDArray[np.float32]:
        """Return the vectors, float32 (n, d), of a segment that holds whole values."""
        dimension = self.entry.code_bytes // 4
        result = np.empty((len(self), dimension), np.float32)
        for cell in range(self.entry.cells):
            start, stop = self.bounds[cell : cell + 2].tolist()
            values = np.frombuffer(self._cell(cell), np.float32, (stop - start) * dimension)
            result[start:stop] = values.reshape(-1, dimension)
        return result

    def _read(self, start: int, size: int) -> bytes:
        # Read, not only mapped: a bad sector is an error then, and no signal that ends the process.
        try:
            data = os.pread(self._descriptor, size, start)
        except OSError as error:
            raise self._damaged(f"reading it failed ({error.strerror})") from error
        if len(data) != size:
            raise self._damaged("it is truncated")
        return data

    def _damaged(self, what: str) -> StoreDamagedError:
        return StoreDamagedError(f"{self.path} is damaged: {what}")
