"""The index against brute force: never the photograph of another vector, whatever happened in between."""

import faiss
import numpy as np
import pytest
from cache_helpers import fill, open_writer, row_of
from search_helpers import (
    brute_force,
    bytes_written_by,
    clustered,
    feature_set,
    index_files,
    put_all,
    recall,
)

from embed.cache import open_features
from embed.errors import UsageError
from embed.search import Index, IndexOptions, measured, open_index
from embed.search.kinds import KINDS, NAMES
from embed.search.store import StoreDamagedError

K = 12


@pytest.fixture
def no_exact(monkeypatch):
    """However few photographs there are, a store is asked."""
    monkeypatch.setattr("embed.search.index.EXACT_VALUES", 0)


def check_against_brute_force(features, index, queries=25):
    """Every answer has the similarity of its photograph, and no photograph is nearer than the answers."""
    some = np.random.default_rng(len(features)).permutation(len(features))[:queries]
    for row in some:
        query = features.rows([row])[0]
        truth = brute_force(features, query)
        ((rows, scores),) = index.search(query[None], K)
        assert len(rows) == min(K, len(truth))
        assert len({features.sha256[row].tobytes() for row in rows}) == len(rows)
        for answer, score in zip(rows, scores, strict=True):
            assert score == pytest.approx(truth[features.sha256[answer].tobytes()], abs=2e-6)
        nearest = sorted(truth.values(), reverse=True)[: len(rows)]
        assert scores == pytest.approx(nearest, abs=2e-6)


def shuffle_delete_rename_add(folder, generator, step):
    """Change the feature set as an extraction would after files were moved, deleted, copied, edited and put back."""
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
        fill(writer, [f"now and then/{i}.jpg" for i in range(5)]) if step % 2 == 0 else [
            writer.remove(f"now and then/{i}.jpg") for i in range(5)
        ]


@pytest.mark.parametrize("kind", NAMES)
def test_every_answer_is_right_after_any_history(tmp_path, kind):
    generator = np.random.default_rng(0)
    # With full recall demanded every kind searches far enough to miss nothing here.
    open_index(feature_set(tmp_path, 600), IndexOptions(kind, recall=1.0))
    for step in range(6):
        shuffle_delete_rename_add(tmp_path, generator, step)
        features = open_features(tmp_path / "cache")
        index = open_index(features)
        assert index.kind == ("exact" if kind == "auto" else kind)
        check_against_brute_force(features, index)
        check_against_brute_force(features, open_index(features), queries=5)  # as stored


def test_photographs_that_come_and_go_leave_what_is_there_as_it_is(tmp_path, monkeypatch):
    open_index(feature_set(tmp_path, 400), IndexOptions("compressed"))
    before = {path: path.read_bytes() for path in index_files(open_features(tmp_path / "cache"))}
    with open_writer(tmp_path) as writer:
        writer.remove("train/3/0003.jpg")
        fill(writer, ["new 1.jpg", "new 2.jpg"])
    features = open_features(tmp_path / "cache")
    read, rows = [], features.rows
    monkeypatch.setattr(features, "rows", lambda wanted: read.extend(np.asarray(wanted)) or rows(wanted))
    index = open_index(features)
    assert {features.paths[row] for row in read} == {"new 1.jpg", "new 2.jpg"}
    after = {path: path.read_bytes() for path in index_files(features)}
    segments = [path for path in before if path.suffix == ".segment"]
    assert len(segments) == 2 and all(after[path] == before[path] for path in segments)
    removed = row_of("train/3/0003.jpg").features
    ((found, _),) = index.search(removed[None], 401)
    assert len(found) == len(features) and "train/3/0003.jpg" not in features.paths[found]


def test_renaming_everything_writes_no_vector(tmp_path):
    open_index(feature_set(tmp_path), IndexOptions("ivf", recall=1.0))
    with open_writer(tmp_path) as writer:
        for row, path in enumerate(list(writer.known.paths)):
            writer.copy(f"moved/{299 - int(path[-8:-4]):04d}.jpg", 5, 5, row)
            writer.remove(path)
    features = open_features(tmp_path / "cache")
    before = set(index_files(features))
    index = open_index(features)
    assert set(index_files(features)) == before
    check_against_brute_force(features, index)


def test_what_is_added_one_by_one_is_written_a_bounded_number_of_times(tmp_path):
    count, added = 1200, 100
    X = np.random.default_rng(0).standard_normal((count + added, 512), np.float32)
    features = put_all(tmp_path, X[:count])
    open_index(features, IndexOptions("compressed"))
    total = 0
    for row in range(count, count + added):
        path = f"later/{row}.jpg"
        with open_writer(tmp_path, dimension=512) as writer:
            one = row_of(path)
            writer.put(path, one.sha256, one.size, one.mtime_ns, X[row])
        features = open_features(tmp_path / "cache")
        index, size = bytes_written_by(lambda features=features: open_index(features))
        total += size
    # Each vector is written anew whenever its segment doubles; segment, codes, contents and manifest are some kilobytes.
    assert len(index_files(features)) <= 2 + np.log2(added + 120) + 1
    assert total < 100 * (4 * 512 + 40) * (np.log2(added) + 3) + added * 30_000
    check_against_brute_force(features, Index(features), queries=3)
    ((rows, scores),) = index.search(X[-1:], 1)
    assert features.paths[rows[0]] == f"later/{count + added - 1}.jpg" and scores[0] == 1.0


def test_copies_are_one_content_and_all_are_named(tmp_path):
    with open_writer(tmp_path) as writer:
        fill(writer, ["a.jpg", "b.jpg"])
    with open_writer(tmp_path) as writer:
        writer.copy("c.jpg", 5, 5, 0)
    features = open_features(tmp_path / "cache")
    index = open_index(features)
    assert features.paths[index.rows].tolist() == ["a.jpg", "b.jpg"]
    (both,) = index.copies(np.array([features.index_of("c.jpg")]))
    assert features.paths[both].tolist() == ["a.jpg", "c.jpg"]


@pytest.mark.parametrize("kind", ["exact", *KINDS])
def test_equally_similar_photographs_come_in_the_order_of_their_contents(tmp_path, kind):
    paths = [f"{number}.jpg" for number in range(8)]
    alike = row_of("alike").features
    with open_writer(tmp_path) as writer:
        for path in paths:
            writer.put(path, row_of(path).sha256, 1, 1, alike)
    features = open_features(tmp_path / "cache")
    ((rows, scores),) = open_index(features, IndexOptions(kind)).search(alike[None], len(paths))
    assert scores.tolist() == [1.0] * len(paths)
    assert [features.sha256[row].tobytes() for row in rows] == sorted(row_of(path).sha256 for path in paths)


@pytest.mark.parametrize("kind", ["exact", *KINDS])
@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_any_number_of_photographs_has_an_index_of_any_kind(tmp_path, kind, count):
    features = feature_set(tmp_path, count)
    index = open_index(features, IndexOptions(kind))
    check_against_brute_force(features, index)
    figures = measured(index)
    assert figures.vectors == count and 0 <= figures.recall_low <= figures.recall <= figures.recall_high <= 1


@pytest.mark.parametrize("kind", ["exact", *KINDS])
def test_an_empty_set_is_searched(tmp_path, kind):
    with open_writer(tmp_path):
        pass
    index = open_index(open_features(tmp_path / "cache"), IndexOptions(kind))
    assert [len(rows) for rows, _ in index.search(np.ones((2, 24), np.float32), 5)] == [0, 0]


@pytest.mark.parametrize("kind", ["exact", *KINDS])
def test_a_filter_is_searched_within(tmp_path, kind, no_exact):
    features = feature_set(tmp_path, 400)
    index = open_index(features, IndexOptions(kind, recall=1.0))
    query = row_of("elsewhere.jpg").features
    truth = np.array([brute_force(features, query)[sha256.tobytes()] for sha256 in features.sha256])
    for share in (0.005, 0.1, 0.9):
        allowed = np.random.default_rng(1).random(400) < share
        ((rows, scores),) = index.search(query[None], 10, allowed)
        assert allowed[rows].all()
        assert scores == pytest.approx(np.sort(truth[allowed])[::-1][:10], abs=2e-6)
    assert len(index.search(query[None], 10, np.zeros(400, bool))[0][0]) == 0


def test_a_copy_is_found_where_its_original_is_not_allowed(tmp_path, no_exact):
    with open_writer(tmp_path) as writer:
        fill(writer, [f"{i}.jpg" for i in range(50)])
    with open_writer(tmp_path) as writer:
        writer.copy("copy.jpg", 5, 5, 0)
    features = open_features(tmp_path / "cache")
    allowed = features.paths != features.paths[0]
    for kind in ("exact", "ivf"):
        index = open_index(features, IndexOptions(kind))
        ((rows, scores),) = index.search(features.rows([0]), 1, allowed)
        assert features.paths[rows].tolist() == ["copy.jpg"] and scores[0] == 1.0


def test_a_batch_answers_as_its_queries_do_alone(tmp_path):
    features = feature_set(tmp_path, 500)
    index = open_index(features)
    queries = features.rows(range(0, 500, 7)) + np.float32(0.01)
    for query, (rows, scores) in zip(queries, index.search(queries, 10), strict=True):
        ((alone, alone_scores),) = index.search(query[None], 10)
        assert np.array_equal(rows, alone)
        assert np.array_equal(scores, alone_scores)


@pytest.mark.parametrize("kind", ["compressed", "ivf"])
def test_new_photographs_find_their_neighbours(tmp_path, kind, no_exact):
    generator = np.random.default_rng(1)
    features = put_all(tmp_path, clustered(6000, 96, 60, generator), label=lambda row: f"{row % 20}")
    index = open_index(features, IndexOptions(kind))
    figures = measured(index)
    assert index.store.effort < index.store.efforts[-1] / 2  # it does not compare everything
    assert 0.99 <= figures.recall <= 1 and figures.recall_low < figures.recall <= figures.recall_high
    assert figures.filtered_recall >= 0.99 and figures.queries > 400
    new = clustered(300, 96, 60, generator)
    assert recall(index, new) >= 0.985
    label = np.array([path.split("/")[1] == "7" for path in features.paths])
    assert recall(index, new, allowed=label) >= 0.985  # a label of 5 %
    alike = features.X @ new[0] > np.quantile(features.X @ new[0], 0.95)
    assert recall(index, new, allowed=alike) >= 0.985


def test_near_copies_are_told_apart(tmp_path, no_exact):
    generator = np.random.default_rng(1)
    bursts = clustered(400, 96, 60, generator).repeat(12, axis=0)
    X = bursts + np.float32(0.02) * generator.standard_normal(bursts.shape, np.float32)
    index = open_index(put_all(tmp_path, X))
    new = bursts[::24] + np.float32(0.02) * generator.standard_normal((200, 96), np.float32)
    assert recall(index, new) >= 0.985


def test_few_photographs_are_compared_and_nothing_is_written(tmp_path):
    features = feature_set(tmp_path, 40)
    index = open_index(features)
    figures = measured(index)
    assert (index.kind, figures.recall, figures.vectors) == ("exact", 1.0, 40)
    assert figures.milliseconds > 0 and index_files(features) == []


def test_what_is_asked_for_is_kept_until_something_else_is(tmp_path, monkeypatch):
    features = feature_set(tmp_path)
    open_index(features, IndexOptions("hnsw", 0.9))
    assert open_index(features).kind == "hnsw"
    open_index(features, IndexOptions("exact"))
    assert open_index(features).store is None and [path.name for path in index_files(features)] == [
        "manifest.json"
    ]
    monkeypatch.setattr("embed.search.index.EXACT_VALUES", 100)
    assert open_index(features).store is None
    assert open_index(features, IndexOptions()).kind == "compressed"


def test_a_new_index_that_cannot_be_mapped_is_told_and_never_measured_by_comparing(tmp_path, monkeypatch):
    def failing(lists):
        raise RuntimeError("mmap failed: Input/output error")

    features = feature_set(tmp_path)
    with monkeypatch.context() as disk:
        disk.setattr(faiss.OnDiskInvertedLists, "do_mmap", failing)
        with pytest.raises(StoreDamagedError, match="cannot be mapped into memory"):
            open_index(features, IndexOptions("ivf"))
    assert open_index(features, IndexOptions("ivf")).kind == "ivf"


def test_building_says_how_far_it_is(tmp_path):
    told = []
    open_index(feature_set(tmp_path), IndexOptions("ivf"), lambda *progress: told.append(progress))
    assert ("Writing the index", 270, 270) in told and any(what.startswith("Sorting") for what, _, _ in told)
    assert [done for what, done, of in told if what == "Looking for cells"][:10] == list(range(10))


@pytest.mark.parametrize("kind", ["exact", "compressed"])
def test_what_is_kept_answers_as_what_is_read_and_is_not_read_again(tmp_path, kind, monkeypatch):
    with open_writer(tmp_path) as writer:
        fill(writer, [f"{i}.jpg" for i in range(300)])
    with open_writer(tmp_path) as writer:
        writer.copy("copy.jpg", 5, 5, 0)
    features = open_features(tmp_path / "cache")
    queries = features.rows(range(0, 300, 11)) + np.float32(0.01)
    allowed = np.random.default_rng(0).random(301) < 0.3
    reading, kept = open_index(features, IndexOptions(kind, 1.0)), open_index(features).keep()
    every = np.arange(301)
    expected = [reading.search(queries, K), reading.search(queries, K, allowed)]
    copies = [rows.tolist() for rows in reading.copies(every)]
    if kind == "exact":
        monkeypatch.setattr(type(features), "rows", None)
    assert [rows.tolist() for rows in kept.copies(every)] == copies
    for answers, again in zip(
        expected, [kept.search(queries, K), kept.search(queries, K, allowed)], strict=True
    ):
        for (rows, scores), (rows_again, scores_again) in zip(answers, again, strict=True):
            assert rows.tolist() == rows_again.tolist() and scores.tolist() == scores_again.tolist()


def test_options_that_cannot_be_met_are_refused():
    with pytest.raises(UsageError, match=r"kind 'tree' is not known; it is one of auto, exact, compressed"):
        IndexOptions("tree")
    with pytest.raises(UsageError, match=r"recall 1\.5"):
        IndexOptions(recall=1.5)
