"""Vectors in a table of LanceDB, on this machine or in object storage: nothing has to run, and several may write.

``PLACE/NAME.lance`` holds the content of each photograph and its vector, ``PLACE/NAME_commits.lance`` one line, which says of which features
that is, and is written last: after a crash, or while another process writes, it says of none, and what is missing is found by difference. Some
thousand vectors are compared one by one; of more, LanceDB has a graph with one byte for each value. The features in the cache rank what is found.
"""

import json
import os
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed import sources
from embed.errors import InputError, UsageError
from embed.search.kinds import ladder
from embed.search.store import Progress, StoreUnreachableError
from embed.search.vectors import Vectors, blocks, missing_from

SUFFIX = ".lance"
KIND = "lancedb"
LEAST_INDEXED = 10_000  # vectors: fewer are compared one by one
OF_GRAPH = 1 << 20  # vectors in one of the graphs
MOST_UNINDEXED = 0.1  # of the vectors may be compared one by one beside the graph before they are linked in
LEAST_EFFORT, MOST_EFFORT = 32, 4096  # candidates of a walk
CANDIDATES = 4  # for each answer, because coded vectors are only nearly right
BLOCKS_AT_ONCE = 16  # of 16 MB, in one commit of LanceDB
REMOVED_AT_ONCE = 1000
FURTHER = 4  # times as many candidates are asked for again where a filter left too few
ERRORS = (OSError, RuntimeError, ValueError)  # what LanceDB raises


def absolute(place: str) -> str:
    """Return a place as it holds in any working folder."""
    place = place.rstrip("/")
    found = sources.address(place)
    return found if isinstance(found, str) else os.path.normpath(found.absolute())


class LanceStore:
    """A table of LanceDB. See `embed.search.store.Store`.

    Parameters
    ----------
    place : str
        Path or URL that ends in ``.lance``.
    name : str
        Of the feature set.
    dimension : int

    Raises
    ------
    StoreUnreachableError
        The place cannot be reached.
    UsageError
        It holds another feature set; LanceDB is not installed.
    """

    kind = KIND

    def __init__(self, place: str, name: str, dimension: int) -> None:
        for variable in ("LANCE_LOG", "LANCEDB_LOG"):
            os.environ.setdefault(variable, "error")  # warnings about its own interface
        try:
            import lancedb
            import pyarrow as pa
        except ImportError as error:
            raise UsageError("needs LanceDB: pip install 'embed-images[lance]'", "store") from error
        self._place = absolute(place)
        folder, _, file = self._place.rpartition("/")
        table = file.removesuffix(SUFFIX)
        self._name = name
        self.fingerprint = ""
        self.notes: dict[str, Any] = {}
        self.effort = self.filtered_effort = LEAST_EFFORT
        self._lock = threading.Lock()
        vectors = pa.schema(
            [
                pa.field("content", pa.binary(32), False),
                pa.field("vector", pa.list_(pa.float32(), dimension), False),
            ]
        )
        commits = pa.schema([pa.field(one, pa.string(), False) for one in ("features", "document")])
        try:
            database = lancedb.connect(folder or "/", storage_options=_options(folder))
            self._table = database.create_table(table, schema=vectors, exist_ok=True)
            self._commits = database.create_table(f"{table}_commits", schema=commits, exist_ok=True)
            lines = self._commits.to_arrow().to_pylist()
        except ERRORS as error:
            if str(error).startswith("Schema Error"):
                raise UsageError(
                    f"names {self._place}, which holds vectors of another kind; name another place", "store"
                ) from error
            raise self._unreachable(error) from error
        for line in lines:
            if line["features"] != name:
                raise UsageError(
                    f"names {self._place}, which holds the vectors of {line['features']}; name another place",
                    "store",
                )
            self._take(line["document"])

    def _take(self, text: str) -> None:
        try:
            document = json.loads(text)
            self.fingerprint, self.notes = str(document["fingerprint"]), dict(document["notes"])
            self.effort, self.filtered_effort = int(document["effort"]), int(document["filtered_effort"])
        except (KeyError, TypeError, ValueError):
            self.fingerprint, self.notes = "", {}  # filled again by difference

    def __len__(self) -> int:
        return int(self._try(self._table.count_rows))

    @property
    def efforts(self) -> Sequence[int]:
        """Candidates of a walk over the graph; one where there is none."""
        return ladder(LEAST_EFFORT, MOST_EFFORT) if self._try(self._table.list_indices) else [LEAST_EFFORT]

    @property
    def contents(self) -> NDArray[np.uint8]:
        """What it holds, uint8 (n, 32)."""
        count = len(self)
        if not count:
            return np.empty((0, 32), np.uint8)
        found = self._try(lambda: self._table.search().select(["content"]).limit(count).to_arrow())
        return _as_contents(found.column("content"))

    @property
    def bytes_per_vector(self) -> int:
        """Of the graph, and of the vectors."""
        dimension = int(self._table.schema.field("vector").type.list_size)
        return 5 * dimension + 32

    def add(self, contents: NDArray[np.uint8], vectors: Vectors, progress: Progress) -> None:
        """Add contents with their vectors, some 256 MB in a commit. Raises StoreUnreachableError."""
        import pyarrow as pa

        if not len(contents):
            return
        self._begin()
        schema = self._table.schema
        waiting = list(blocks(*vectors.shape))
        for first in range(0, len(waiting), BLOCKS_AT_ONCE):
            some = waiting[first : first + BLOCKS_AT_ONCE]

            def batches(some: Sequence[slice] = some) -> Iterator[Any]:
                for block in some:
                    rows = np.ascontiguousarray(contents[block])
                    values = np.ascontiguousarray(vectors[np.arange(block.start, block.stop)])
                    columns = [
                        pa.FixedSizeBinaryArray.from_buffers(
                            pa.binary(32), len(rows), [None, pa.py_buffer(rows)]
                        ),
                        pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1]),
                    ]
                    yield pa.record_batch(columns, schema=schema)

            reader = pa.RecordBatchReader.from_batches(schema, batches())
            self._try(lambda reader=reader: self._table.add(reader))
            progress("Writing the index", some[-1].stop, len(contents))
        self._link(progress)

    def remove(self, contents: NDArray[np.uint8]) -> None:
        """Forget contents (n, 32). Raises StoreUnreachableError."""
        for start in range(0, len(contents), REMOVED_AT_ONCE):
            self._begin()
            some = ", ".join(f"X'{one.tobytes().hex()}'" for one in contents[start : start + REMOVED_AT_ONCE])
            self._try(lambda some=some: self._table.delete(f"content IN ({some})"))

    def candidates(
        self, vectors: NDArray[np.float32], k: int, allowed: NDArray[np.uint8] | None = None
    ) -> list[NDArray[np.uint8]]:
        """Return the contents of candidates. Raises StoreUnreachableError.

        LanceDB knows nothing of a filter: further candidates are asked for until enough of them pass it, or all were.
        """
        with self._lock:
            count = len(self)
            if allowed is None:
                return self._nearest(vectors, min(CANDIDATES * k, count), self.effort)
            share = max(len(allowed), 1) / max(count, 1)
            found: dict[int, NDArray[np.uint8]] = {}
            waiting = list(range(len(vectors)))
            many = int(CANDIDATES * k / min(share, 1))
            while waiting:
                many = min(many, count)
                answers = self._nearest(vectors[waiting], many, max(self.filtered_effort, many))
                for place, contents in zip(waiting, answers, strict=True):
                    passed = np.ones(len(contents), bool)
                    passed[missing_from(contents, allowed)] = False
                    found[place] = contents[passed]
                enough = min(CANDIDATES * k, len(allowed)) if many < count else 0
                waiting = [place for place in waiting if len(found[place]) < enough]
                many *= FURTHER
            return [found[place] for place in range(len(vectors))]

    def commit(self, fingerprint: str, notes: dict[str, Any]) -> None:
        """Say which feature set it belongs to, in one step. Raises StoreUnreachableError."""
        import pyarrow as pa

        document = {
            "fingerprint": fingerprint,
            "notes": notes,
            "effort": self.effort,
            "filtered_effort": self.filtered_effort,
        }
        line = pa.table(
            {"features": [self._name], "document": [json.dumps(document)]}, schema=self._commits.schema
        )
        self._try(lambda: self._commits.add(line, mode="overwrite"))
        self.fingerprint, self.notes = fingerprint, notes

    def _begin(self) -> None:
        """Say that the table is of no features until the next commit."""
        if self.fingerprint:
            self.commit("", self.notes)

    def _link(self, progress: Progress) -> None:
        """Make the graph, or link what is new into it, where there is enough."""
        from lancedb.index import HnswSq

        count = len(self)
        if count < LEAST_INDEXED:
            return
        known = self._try(self._table.list_indices)
        if known and self._table.index_stats(known[0].name).num_unindexed_rows <= MOST_UNINDEXED * count:
            return
        progress("Linking vectors", 0, count)
        graph = HnswSq(distance_type="dot", num_partitions=-(-count // OF_GRAPH))
        self._try(lambda: self._table.create_index("vector", config=graph, replace=True))

    def _nearest(self, vectors: NDArray[np.float32], many: int, effort: int) -> list[NDArray[np.uint8]]:
        if not many or not len(vectors):
            return [np.empty((0, 32), np.uint8) for _ in vectors]
        query = self._table.search(
            [*vectors] if len(vectors) > 1 else vectors[0], vector_column_name="vector"
        )
        query = (
            query.distance_type("dot").nprobes(-(-len(self) // OF_GRAPH)).ef(max(effort, many)).limit(many)
        )
        found = self._try(query.select(["content", "_distance"]).to_arrow)
        contents = _as_contents(found.column("content"))
        if len(vectors) == 1:
            return [contents]
        of_query = found.column("query_index").to_numpy()
        return [contents[of_query == place] for place in range(len(vectors))]

    def _try(self, call: Any) -> Any:
        try:
            return call()
        except ERRORS as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> StoreUnreachableError:
        line = (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(".")
        return StoreUnreachableError(f"{self._place} cannot be used: {line}")


def _options(folder: str) -> dict[str, str] | None:
    """Return what LanceDB is to be told of object storage, beside what it finds in the environment."""
    if not isinstance(sources.address(folder), str):
        return None
    try:
        return sources.storage_options(folder)
    except InputError as error:
        raise StoreUnreachableError(str(error)) from error


def _as_contents(column: Any) -> NDArray[np.uint8]:
    """Return a column of contents as an array, uint8 (n, 32)."""
    pieces = []
    for chunk in column.chunks:
        data = np.frombuffer(chunk.buffers()[1], np.uint8).reshape(-1, 32)
        pieces.append(data[chunk.offset : chunk.offset + len(chunk)])
    return np.concatenate([np.empty((0, 32), np.uint8), *pieces])
