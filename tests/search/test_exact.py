"""Comparing everything: the answers of FAISS's exact index, whatever the lengths of the features."""

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_helpers import put_all

from embed.cache import Contents
from embed.search import exact
from embed.search.vectors import distinct_rows, missing_from, normalised, rows_with, similarities


@pytest.mark.parametrize("block", [40, 4000, 1 << 22])
def test_everything_is_compared_as_by_faiss(tmp_path, block, monkeypatch):
    monkeypatch.setattr("embed.search.vectors.BLOCK_VALUES", block)
    generator = np.random.default_rng(0)
    features = put_all(tmp_path, 50 * generator.standard_normal((300, 40), dtype=np.float32))
    queries = normalised(generator.standard_normal((9, 40), dtype=np.float32))
    flat = faiss.IndexFlatIP(40)
    flat.add(normalised(features.X))
    rows = np.arange(300)
    for some in (queries, queries[:1]):
        for k in (1, 12, 300):
            found = np.sort(exact.nearest(features, rows, some, k))
            assert np.array_equal(found, np.sort(flat.search(some, k)[1]))
    allowed = np.flatnonzero(generator.random(300) < 0.1)
    chosen = faiss.SearchParameters(sel=faiss.IDSelectorBatch(allowed))
    expected = flat.search(queries, 12, params=chosen)[1]
    assert np.array_equal(np.sort(exact.nearest(features, allowed, queries, 12)), np.sort(expected))
    kept = exact.Kept(features)
    assert np.array_equal(kept.vectors, normalised(features.X))
    for of_rows, some in ((rows, queries), (rows, queries[:1]), (allowed, queries), (allowed, queries[:1])):
        for k in (1, 12, 300):
            found = zip(
                exact.nearest(features, of_rows, some, k), kept.nearest(of_rows, some, k), strict=True
            )
            assert all(sorted(a) == sorted(b) for a, b in found)
    assert [len(found) for found in kept.nearest(rows[:0], queries, 5)] == [0] * 9


def test_features_of_any_length_are_compared_by_their_direction(tmp_path):
    X = np.random.default_rng(0).standard_normal((60, 33)).astype(np.float32)
    lengths = np.float32(10.0) ** np.arange(-30, 30)[:, None]
    features = put_all(tmp_path, np.concatenate([X * lengths, np.zeros((1, 33), np.float32)]))
    found = exact.nearest(features, np.arange(61), normalised(X), 1)
    assert np.concatenate(found).tolist() == list(range(60))


def test_similarities_lie_between_minus_one_and_one():
    X = np.random.default_rng(0).normal(size=(200, 33)).astype(np.float32) * np.float32(1e18)
    X[0] = 0
    vectors = normalised(X)
    assert np.linalg.norm(vectors[1:], axis=1) == pytest.approx(1)
    assert similarities(vectors, vectors[0]).tolist() == [0.0] * 200  # no direction
    assert similarities(vectors, vectors[7])[7] == 1.0
    assert similarities(vectors, -vectors[7])[7] == -1.0


def test_contents_are_told_apart_by_every_byte():
    contents = np.zeros((6, 32), np.uint8)
    contents[1, 31], contents[2, 8], contents[4, 31] = (
        1,
        7,
        1,
    )  # alike in the first eight bytes; 1 and 4 are copies
    assert distinct_rows(contents).tolist() == [0, 1, 2]
    assert sorted(rows_with(contents, contents[[4, 2]]).values()) == [[1, 4], [2]]
    assert missing_from(contents, contents[[0, 2]]).tolist() == [1, 4]


CONTENTS = st.lists(st.tuples(st.sampled_from([0, 7]), st.sampled_from([0, 1])), max_size=12).map(
    lambda some: np.array([[a, *[0] * 30, b] for a, b in some], np.uint8).reshape(-1, 32)
)


@settings(deadline=None)
@given(CONTENTS, CONTENTS, st.sampled_from([32, 1 << 22]))
def test_contents_are_compared_as_sets_and_dictionaries_do(contents, others, block):
    import embed.search.vectors as module

    keys, known = [one.tobytes() for one in contents], {one.tobytes() for one in others}
    firsts = {key: keys.index(key) for key in keys}
    before, module.BLOCK_VALUES = module.BLOCK_VALUES, block
    try:
        assert distinct_rows(contents).tolist() == sorted(firsts.values())
        assert missing_from(contents, others).tolist() == [
            i for i, key in enumerate(keys) if key not in known
        ]
        lookup = Contents(contents)
        for key in {*keys, *known}:
            assert lookup.rows(np.frombuffer(key, np.uint8)[None]) == [
                [i for i, one in enumerate(keys) if one == key]
            ]
            assert lookup.row(key) == firsts.get(key)
    finally:
        module.BLOCK_VALUES = before
