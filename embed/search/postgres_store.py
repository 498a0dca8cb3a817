"""Vectors in PostgreSQL, by pgvector: for who runs such a server anyway.

A feature set has a table of its own, ``embed_HASH`` with the content of each photograph and its vector, and a line in ``embed_sets``, which
says of which features the table is. Rows are committed in blocks and the line last: after a crash, or while another process writes, the line
says of no features, and what is missing is found by difference. Above 2,000 values pgvector keeps a half of the precision (``halfvec``); the features
in the cache rank what is found.
"""

import hashlib
import json
import threading
import weakref
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np
from numpy.typing import NDArray

from embed.errors import CacheFormatError, UsageError
from embed.search.kinds import ladder
from embed.search.store import Progress, StoreUnreachableError
from embed.search.vectors import Vectors, blocks

SCHEMES = ("postgresql://", "postgres://")
KIND = "pgvector"
MOST_VALUES, MOST_HALVES = 2000, 4000  # that an index of pgvector takes, whole and in half the precision
LEAST_EFFORT, MOST_EFFORT = 40, 1000  # of hnsw.ef_search
TIMEOUT_S = 10  # until a server that does not answer is given up


def without_password(url: str) -> str:
    """Return the URL as it may be written down."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}@{host}" if parts.username else host))


class PostgresStore:
    """A table of PostgreSQL. See `embed.search.store.Store`.

    Parameters
    ----------
    url : str
    name : str
        Of the feature set.
    dimension : int

    Raises
    ------
    StoreUnreachableError
        The server does not answer, or not to this user.
    UsageError
        The vectors are too long, or psycopg and pgvector are not installed.
    """

    kind = KIND

    def __init__(self, url: str, name: str, dimension: int) -> None:
        if dimension > MOST_HALVES:
            raise UsageError(
                f"cannot keep vectors of {dimension:,} values; pgvector indexes {MOST_HALVES:,} at most",
                "store",
            )
        try:
            import psycopg
            from pgvector.psycopg import register_vector
        except ImportError as error:
            raise UsageError(
                "needs psycopg and pgvector: pip install 'embed-images[postgres]'", "store"
            ) from error
        self._shown = without_password(url)
        self._table = f"embed_{hashlib.sha256(f'{name} {dimension}'.encode()).hexdigest()[:16]}"
        self._name, self._dimension = name, dimension
        self._type = "vector" if dimension <= MOST_VALUES else "halfvec"
        self._errors: type[Exception] = psycopg.Error
        self.fingerprint = ""
        self.notes: dict[str, Any] = {}
        self.effort = self.filtered_effort = LEAST_EFFORT
        self._lock = threading.Lock()  # of a connection, on which one question is asked at a time
        try:
            self._connection = psycopg.connect(url, connect_timeout=TIMEOUT_S, autocommit=True)
            self.close = weakref.finalize(self, self._connection.close)
            self._prepare()
            register_vector(self._connection)
        except psycopg.Error as error:
            raise self._unreachable(error) from error

    def _prepare(self) -> None:
        """Make the tables where they are not there, and read what was committed last."""
        run = self._connection.execute
        if run("SELECT 1 FROM pg_extension WHERE extname = 'vector'").fetchone() is None:
            run("CREATE EXTENSION IF NOT EXISTS vector")
        run(
            "CREATE TABLE IF NOT EXISTS embed_sets (name text PRIMARY KEY, features text NOT NULL, fingerprint text NOT NULL,"
            " effort int NOT NULL, filtered_effort int NOT NULL, notes text NOT NULL)"
        )
        run(
            f"CREATE TABLE IF NOT EXISTS {self._table} (content bytea PRIMARY KEY, vector {self._type}({self._dimension}) NOT NULL)"
        )
        run(self._make_index)
        row = run(
            "SELECT fingerprint, effort, filtered_effort, notes FROM embed_sets WHERE name = %s",
            [self._table],
        ).fetchone()
        if row is not None:
            self.fingerprint, self.effort, self.filtered_effort = row[0], int(row[1]), int(row[2])
            try:
                self.notes = dict(json.loads(row[3]))
            except (ValueError, TypeError) as error:
                raise CacheFormatError(
                    f"{self._shown}: the table embed_sets is not embed's: {error}"
                ) from error

    @property
    def _make_index(self) -> str:
        name = f"{self._table}_vector"
        return f"CREATE INDEX IF NOT EXISTS {name} ON {self._table} USING hnsw (vector {self._type}_ip_ops)"

    def __len__(self) -> int:
        return int(self._run(f"SELECT count(*) FROM {self._table}").fetchone()[0])

    @property
    def efforts(self) -> Sequence[int]:
        """Candidates of a walk over the graph."""
        return ladder(LEAST_EFFORT, MOST_EFFORT)

    @property
    def contents(self) -> NDArray[np.uint8]:
        """What it holds, uint8 (n, 32)."""
        held = b"".join(row[0] for row in self._run(f"SELECT content FROM {self._table}").fetchall())
        return np.frombuffer(held, np.uint8).reshape(-1, 32)

    @property
    def bytes_per_vector(self) -> int:
        """Of the table and its index."""
        size = self._run(f"SELECT pg_total_relation_size('{self._table}')").fetchone()[0]
        return int(size) // max(1, len(self))

    def add(self, contents: NDArray[np.uint8], vectors: Vectors, progress: Progress) -> None:
        """Add contents with their vectors, a block in a transaction. Raises StoreUnreachableError."""
        if not len(contents):
            return
        self._begin()
        if len(self) < len(
            contents
        ):  # a graph over all is made sooner than one vector after the other is linked in
            self._run(f"DROP INDEX IF EXISTS {self._table}_vector")
        for block in blocks(*vectors.shape):
            values = vectors[np.arange(block.start, block.stop)]
            try:
                with self._connection.transaction(), self._connection.cursor() as cursor:
                    cursor.executemany(
                        f"INSERT INTO {self._table} VALUES (%s, %s) ON CONFLICT (content) DO UPDATE SET vector = excluded.vector",
                        [
                            (content.tobytes(), self._value(vector))
                            for content, vector in zip(contents[block], values, strict=True)
                        ],
                    )
            except self._errors as error:
                raise self._unreachable(error) from error
            progress("Writing the index", block.stop, len(contents))
        self._run(self._make_index)

    def remove(self, contents: NDArray[np.uint8]) -> None:
        """Forget contents (n, 32). Raises StoreUnreachableError."""
        if len(contents):
            self._begin()
            self._run(
                f"DELETE FROM {self._table} WHERE content = ANY(%s)", [[one.tobytes() for one in contents]]
            )

    def candidates(
        self, vectors: NDArray[np.float32], k: int, allowed: NDArray[np.uint8] | None = None
    ) -> list[NDArray[np.uint8]]:
        """Return the contents of candidates. Raises StoreUnreachableError."""
        effort = self.effort if allowed is None else self.filtered_effort
        some = None if allowed is None else [one.tobytes() for one in allowed]
        where = "" if some is None else "WHERE content = ANY(%(some)s) "
        query = f"SELECT content FROM {self._table} {where}ORDER BY vector <#> %(vector)s LIMIT {int(k)}"
        found = []
        try:
            with self._lock, self._connection.transaction():
                self._connection.execute(f"SET LOCAL hnsw.ef_search = {min(max(effort, k), MOST_EFFORT)}")
                self._connection.execute("SET LOCAL hnsw.iterative_scan = strict_order")
                for vector in vectors:
                    rows = self._connection.execute(
                        query, {"vector": self._value(vector), "some": some}
                    ).fetchall()
                    found.append(np.frombuffer(b"".join(row[0] for row in rows), np.uint8).reshape(-1, 32))
        except self._errors as error:
            raise self._unreachable(error) from error
        return found

    def commit(self, fingerprint: str, notes: dict[str, Any]) -> None:
        """Say which feature set it belongs to. Raises StoreUnreachableError."""
        self._run(
            "INSERT INTO embed_sets VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (name) DO UPDATE SET features = excluded.features,"
            " fingerprint = excluded.fingerprint, effort = excluded.effort, filtered_effort = excluded.filtered_effort,"
            " notes = excluded.notes",
            [self._table, self._name, fingerprint, self.effort, self.filtered_effort, json.dumps(notes)],
        )
        self.fingerprint, self.notes = fingerprint, notes

    def _begin(self) -> None:
        """Say that the table is of no features until the next commit."""
        if self.fingerprint:
            self.commit("", self.notes)

    def _value(self, vector: NDArray[np.float32]) -> Any:
        from pgvector import HalfVector, Vector

        return Vector(vector) if self._type == "vector" else HalfVector(vector)

    def _run(self, query: str, values: Sequence[Any] = ()) -> Any:
        try:
            return self._connection.execute(query, values)
        except self._errors as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> StoreUnreachableError:
        line = (str(error).strip() or type(error).__name__).splitlines()[0]
        return StoreUnreachableError(f"{self._shown} cannot be used: {line}")
