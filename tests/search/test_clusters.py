"""Groups: what is alike is together, the same each time, however few or odd the photographs are."""

import sys

import numpy as np
import pytest
from cache_helpers import open_writer, row_of
from search_helpers import clustered, put_all

from embed.cache import open_features
from embed.errors import NoFeaturesError, UsageError
from embed.search import clusters
from embed.search.vectors import normalised

CLUSTERS = sys.modules["embed.search.clusters"]


def around(count, dimension=64, spread=0.05, centres=4):
    """Vectors around a few centres, one after another: row i belongs to centre i % centres."""
    generator = np.random.default_rng(3)
    middles = generator.standard_normal((centres, dimension), np.float32)
    noise = generator.standard_normal((count, dimension), np.float32)
    return middles[np.arange(count) % centres] + np.float32(spread) * noise


def members(found):
    return sorted(sorted(group.rows.tolist()) for group in found.groups)


def test_what_is_alike_is_together_and_the_number_is_found(tmp_path):
    features = put_all(tmp_path, around(120))
    found = clusters(features)
    assert members(found) == [list(range(first, 120, 4)) for first in range(4)]
    assert members(clusters(features)) == members(found)
    for group in found.groups:
        X = normalised(features.rows(group.rows))
        centre = normalised(X.mean(axis=0))[0]
        assert group.similarity == pytest.approx(X @ centre, abs=1e-5)
        assert (np.diff(group.similarity) <= 0).all()
        assert group.tightness == pytest.approx(group.similarity.mean())


def test_as_many_groups_as_asked_for_the_largest_first(tmp_path):
    features = put_all(tmp_path, around(50, centres=3))
    for count in (1, 2, 7, 50):
        found = clusters(features, count)
        sizes = [len(group.rows) for group in found.groups]
        assert len(sizes) == count and sum(sizes) == 50 and sizes == sorted(sizes, reverse=True)
        assert found.asked == count


@pytest.mark.parametrize("count", [0, -1, 51])
def test_a_number_that_cannot_be_is_refused(count, tmp_path):
    features = put_all(tmp_path, around(50))
    with pytest.raises(UsageError, match=f"groups {count} cannot be: it is 1 to 50, the number of different"):
        clusters(features, count)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_few_photographs_are_grouped_too(count, tmp_path):
    features = put_all(tmp_path, around(count, centres=count, spread=0))
    found = clusters(features)
    assert sorted(row for group in found.groups for row in group.rows) == list(range(count))
    assert len(found.groups) <= max(1, count - 1)


def test_nothing_at_all_is_told(tmp_path):
    features = put_all(tmp_path, np.empty((0, 8), np.float32))
    with pytest.raises(NoFeaturesError, match="no photograph"):
        clusters(features)


def test_pictures_that_are_all_the_same_are_one_group(tmp_path):
    same = np.repeat(around(1), 2000, axis=0)
    (group,) = clusters(put_all(tmp_path, same)).groups
    assert len(group.rows) == 2000 and group.tightness == 1
    (zero,) = clusters(put_all(tmp_path / "zero", np.zeros((9, 8), np.float32))).groups
    assert zero.tightness == 0
    # Asked for more groups than there are places, it gives what there is.
    assert len(clusters(put_all(tmp_path / "again", same[:9]), 5).groups) == 1


def test_copies_of_one_content_are_in_one_group_and_count_once(tmp_path):
    X = around(40)
    with open_writer(tmp_path, dimension=64) as writer:
        for row, values in enumerate(X):
            one = row_of(f"{row}.jpg")
            for copy in range(1 + 30 * (row == 0)):
                writer.put(f"{row:03d}-{copy:02d}.jpg", one.sha256, one.size, one.mtime_ns, values)
    found = clusters(open_features(tmp_path / "cache"))
    assert len(found.groups) == 4 and sum(len(group.rows) for group in found.groups) == 70
    assert sorted(len(group.rows) for group in found.groups) == [10, 10, 10, 40]


def test_of_many_photographs_a_sample_decides_and_every_one_has_its_group(tmp_path, monkeypatch):
    monkeypatch.setattr(CLUSTERS, "SAMPLE", 100)
    monkeypatch.setattr("embed.search.components.SAMPLE", 100)
    monkeypatch.setattr(CLUSTERS, "JUDGED", 60)
    features = put_all(tmp_path, around(1000))
    asked = []
    rows = type(features).rows
    monkeypatch.setattr(
        type(features), "rows", lambda self, some: asked.append(len(some)) or rows(self, some)
    )
    monkeypatch.setattr("embed.search.vectors.BLOCK_VALUES", 64 * 200)
    assert members(clusters(features)) == [list(range(first, 1000, 4)) for first in range(4)]
    assert max(asked) == 200  # never all at once


def test_groups_do_not_hang_on_the_number_of_threads(tmp_path):
    from threadpoolctl import threadpool_limits

    features = put_all(tmp_path, clustered(400, 96, 6, np.random.default_rng(1), spread=1.2))
    with threadpool_limits(1):
        one = members(clusters(features, 9))
    assert members(clusters(features, 9)) == one


@pytest.mark.photographs
def test_on_photographs_groups_agree_with_their_classes(keras_home, ants_bees, tmp_path, run_embed):
    from sklearn.metrics import adjusted_mutual_info_score

    from embed.labels import of

    environment = {"KERAS_HOME": str(keras_home)}
    run_embed("extract", ants_bees, "--cache", tmp_path / "cache", env=environment, check=True)
    features = open_features(tmp_path / "cache")
    found = clusters(features)
    group_of = np.empty(len(features), int)
    for number, group in enumerate(found.groups):
        group_of[group.rows] = number
    labels = of(features).labels.astype(str)
    assert len(found.groups) == 2 and adjusted_mutual_info_score(labels, group_of) > 0.6
