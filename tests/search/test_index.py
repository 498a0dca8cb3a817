"""The index against brute force: never the photograph of another vector, whatever happened in between."""

import hashlib

import numpy as np
import pytest
from cache_helpers import fill, open_writer, row_of

from embed.cache import open_features
from embed.errors import UsageError
from embed.search import Demand, open_index, tuning
from embed.search.exact import Exact
from embed.search.index import Slots
from embed.search.kinds import KINDS
from embed.search.vectors import normalised, similarities

K = 12


def brute_force(features, query):
    """Return {content: similarity} of everything, by the definition of the cosine."""
    X, q = features.X.astype(float), query.astype(float)
    cosines = X @ q / (np.linalg.norm(X, axis=1) * np.linalg.norm(q))
    return {sha256.tobytes(): cosine for sha256, cosine in zip(features.sha256, cosines, strict=True)}


def check_against_brute_force(features, index, queries=25):
    """Every answer has the similarity of its photograph, and no photograph is nearer than the answers."""
    some = np.random.default_rng(len(features)).permutation(len(features))[:queries]
    for row in some:
        query = features.rows([row])[0]
        truth = brute_force(features, query)
        ((slots, scores),) = index.search(query[None], K)
        assert len(slots) == min(K, len(truth))
        for slot, score in zip(slots, scores, strict=True):
            content = index.slots.contents[slot].tobytes()
            assert score == pytest.approx(truth[content], abs=2e-6)
            for answered in index.slots.rows(slot):
                assert features.sha256[answered].tobytes() == content
        nearest = sorted(truth.values(), reverse=True)[: len(slots)]
        assert scores == pytest.approx(nearest, abs=2e-6)


def shuffle_delete_rename_add(folder, generator, step):
    """Change the feature set as an extraction would after files were moved, deleted, copied and added."""
    with open_writer(folder) as writer:
        known = writer.known
        order = generator.permutation(len(known))
        for row in order[:7]:
            writer.remove(known.paths[row])
        for row in order[7:14]:  # renamed
            writer.copy(f"renamed {step}/{row}.jpg", 5, 5, int(row))
            writer.remove(known.paths[row])
        for row in order[14:17]:  # copied
            writer.copy(f"copies {step}/{row}.jpg", 5, 5, int(row))
        for row, other in zip(order[17:20], order[20:23], strict=True):  # swapped, two and two
            writer.copy(known.paths[row], 5, 5, int(other))
            writer.copy(known.paths[other], 5, 5, int(row))
        fill(writer, [f"added {step}/{i}.jpg" for i in range(9)])
        fill(writer, [known.paths[row] for row in order[23:26]], version=step + 2)  # edited


@pytest.mark.parametrize("kind", KINDS)
def test_every_answer_is_right_after_any_history(tmp_path, kind):
    generator = np.random.default_rng(0)
    with open_writer(tmp_path) as writer:
        fill(writer, [f"train/{i % 5}/{i:04d}.jpg" for i in range(300)])
    cache = tmp_path / "cache"
    # With full recall demanded every kind looks hard enough to miss nothing here.
    open_index(open_features(cache), Demand(kind, recall=1.0))
    for step in range(6):
        shuffle_delete_rename_add(tmp_path, generator, step)
        features = open_features(cache)
        index = open_index(features)
        assert index.kind.name == kind
        assert len(index) == len({sha256.tobytes() for sha256 in features.sha256})
        check_against_brute_force(features, index)
        check_against_brute_force(features, open_index(features), queries=5)  # as stored


def test_renaming_everything_touches_no_vector(tmp_path, monkeypatch):
    with open_writer(tmp_path) as writer:
        fill(writer, [f"{i}.jpg" for i in range(50)])
    before = open_index(open_features(tmp_path / "cache"))
    with open_writer(tmp_path) as writer:
        for row, path in enumerate(list(writer.known.paths)):
            writer.copy(f"moved/{49 - int(path[:-4]):02d}.jpg", 5, 5, row)
            writer.remove(path)
    features = open_features(tmp_path / "cache")
    monkeypatch.setattr("embed.search.exact.Exact.build", None)  # building anew is not needed
    after = open_index(features)
    assert np.array_equal(after.kind.matrix, before.kind.matrix)
    check_against_brute_force(features, after)


def test_only_new_features_are_read_when_photographs_come_and_go(tmp_path, monkeypatch):
    with open_writer(tmp_path) as writer:
        fill(writer, [f"{i}.jpg" for i in range(100)])
    open_index(open_features(tmp_path / "cache"))
    with open_writer(tmp_path) as writer:
        writer.remove("3.jpg")
        fill(writer, ["new 1.jpg", "new 2.jpg"])
    features = open_features(tmp_path / "cache")
    read = []
    rows = features.rows
    monkeypatch.setattr(features, "rows", lambda wanted: read.extend(np.asarray(wanted)) or rows(wanted))
    open_index(features)
    assert sorted(features.paths[row] for row in read) == ["new 1.jpg", "new 2.jpg"]


def test_copies_share_a_slot(tmp_path):
    with open_writer(tmp_path) as writer:
        fill(writer, ["a.jpg", "b.jpg"])
    with open_writer(tmp_path) as writer:
        writer.copy("c.jpg", 5, 5, 0)
    features = open_features(tmp_path / "cache")
    index = open_index(features)
    assert len(index) == 2
    shared = index.slots.of_row[features.index_of("c.jpg")]
    assert [features.paths[row] for row in index.slots.rows(shared)] == ["a.jpg", "c.jpg"]


def test_answers_that_are_equally_similar_come_in_the_order_of_their_contents(tmp_path):
    paths = [f"{number}.jpg" for number in range(8)]
    alike = row_of("alike").features
    with open_writer(tmp_path) as writer:
        for path in paths:
            writer.put(path, row_of(path).sha256, 1, 1, alike)
    index = open_index(open_features(tmp_path / "cache"))
    ((slots, scores),) = index.search(alike[None], len(paths))
    assert scores.tolist() == [1.0] * len(paths)
    found = [index.slots.contents[slot].tobytes() for slot in slots]
    assert found == sorted(row_of(path).sha256 for path in paths)


@pytest.mark.parametrize("kind", KINDS)
def test_a_filter_is_searched_within(tmp_path, kind):
    with open_writer(tmp_path) as writer:
        fill(writer, [f"{i}.jpg" for i in range(400)])
    features = open_features(tmp_path / "cache")
    index = open_index(features, Demand(kind, recall=1.0))
    query = row_of("elsewhere.jpg").features
    truth = normalised(features.X) @ normalised(query)[0]
    for share in (0.005, 0.1, 0.9):
        rows = np.random.default_rng(1).random(400) < share
        allowed = np.zeros(len(index.slots), bool)
        allowed[index.slots.of_row[rows]] = True
        ((_, scores),) = index.search(query[None], 10, allowed)
        assert scores == pytest.approx(np.sort(truth[rows])[::-1][:10], abs=2e-6)
    assert len(index.search(query[None], 10, np.zeros(len(index.slots), bool))[0][0]) == 0


def test_a_batch_answers_as_its_queries_do_alone(tmp_path):
    with open_writer(tmp_path) as writer:
        fill(writer, [f"{i}.jpg" for i in range(500)])
    features = open_features(tmp_path / "cache")
    index = open_index(features)
    queries = features.rows(range(0, 500, 7)) + np.float32(0.01)
    for query, (slots, scores) in zip(queries, index.search(queries, 10), strict=True):
        ((alone, alone_scores),) = index.search(query[None], 10)
        assert np.array_equal(slots, alone)
        assert np.array_equal(scores, alone_scores)


@pytest.mark.parametrize("block", [7, 64, 65_536])
def test_the_exact_index_answers_as_that_of_faiss(block, monkeypatch):
    faiss = pytest.importorskip("faiss")
    monkeypatch.setattr("embed.search.exact.BLOCK", block)
    generator = np.random.default_rng(0)
    vectors = normalised(generator.standard_normal((500, 40), dtype=np.float32))
    queries = normalised(generator.standard_normal((9, 40), dtype=np.float32))
    flat = faiss.IndexFlatIP(40)
    flat.add(vectors)
    exact = Exact.build(vectors)
    for k in (1, 12, 500):
        assert np.array_equal(np.sort(exact.search(queries, k, None)), np.sort(flat.search(queries, k)[1]))
    allowed = generator.random(500) < 0.1
    chosen = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little")))
    expected = flat.search(queries, 12, params=chosen)[1]
    assert np.array_equal(np.sort(exact.search(queries, 12, allowed)), np.sort(expected))


def test_a_small_index_is_exact_and_says_so(tmp_path):
    with open_writer(tmp_path) as writer:
        fill(writer, [f"{i}.jpg" for i in range(40)])
    index = open_index(open_features(tmp_path / "cache"))
    assert (index.kind.name, index.measured.recall, index.measured.vectors) == ("exact", 1.0, 40)
    assert index.measured.milliseconds > 0


@pytest.mark.parametrize(
    ("milliseconds", "chosen"),
    [
        ({"exact": 40, "ivf": 1, "hnsw": 1}, "exact"),  # fast enough
        ({"exact": 90, "ivf": 30, "hnsw": 1}, "ivf"),
        ({"exact": 90, "ivf": 70, "hnsw": 20}, "hnsw"),
        ({"exact": 90, "ivf": 95, "hnsw": 99}, "exact"),  # nothing is faster
    ],
)
def test_what_searches_is_chosen_by_how_long_it_takes(tmp_path, monkeypatch, milliseconds, chosen):
    monkeypatch.setattr(tuning, "_milliseconds", lambda index, queries: milliseconds[index.kind.name])
    with open_writer(tmp_path) as writer:
        fill(writer, [f"{i}.jpg" for i in range(300)])
    index = open_index(open_features(tmp_path / "cache"))
    assert (index.kind.name, index.measured.milliseconds) == (chosen, milliseconds[chosen])
    assert index.measured.recall >= 0.99


def test_an_index_without_vectors_finds_nothing(tmp_path):
    with open_writer(tmp_path):
        pass
    index = open_index(open_features(tmp_path / "cache"))
    assert len(index) == 0
    assert [len(slots) for slots, _ in index.search(np.ones((2, 24), np.float32), 5)] == [0, 0]


def test_a_demand_that_cannot_be_met_is_refused():
    with pytest.raises(UsageError, match=r"--kind 'tree' is not known; it is one of auto, exact, ivf"):
        Demand("tree")
    with pytest.raises(UsageError, match=r"--recall 1\.5"):
        Demand(recall=1.5)


def test_similarities_lie_between_minus_one_and_one():
    X = np.random.default_rng(0).normal(size=(200, 33)).astype(np.float32) * np.float32(1e18)
    X[0] = 0
    vectors = normalised(X)
    assert np.linalg.norm(vectors[1:], axis=1) == pytest.approx(1)
    assert similarities(vectors, vectors[0]).tolist() == [0.0] * 200  # no direction
    assert similarities(vectors, vectors[7])[7] == 1.0
    assert similarities(vectors, -vectors[7])[7] == -1.0


def test_slots_of_contents_that_went_are_taken_out():
    digests = np.array([hashlib.sha256(bytes([i])).digest() for i in range(6)])
    digests = np.frombuffer(b"".join(digests.tolist()), np.uint8).reshape(6, 32)
    slots = Slots(np.empty((0, 32), np.uint8), np.empty(0, np.int64)).after(digests)
    later = slots.after(digests[[5, 0, 3]])
    assert later.of_row.tolist() == [5, 0, 3]
    assert later.alive.tolist() == [True, False, False, True, False, True]
    closed = later.without(np.array([1, 2, 4]))
    assert closed.of_row.tolist() == [2, 0, 1]
    assert np.array_equal(closed.contents[closed.of_row], digests[[5, 0, 3]])
