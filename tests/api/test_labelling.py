"""Groups and names in Python."""

import pytest
from search_helpers import put_all

import embed
from embed.api import label
from embed.cache import open_features
from embed.errors import InputError, UsageError
from embed.labels import hand
from embed.search import clusters, keep_groups


@pytest.fixture
def features(tmp_path):
    from numpy.random import default_rng

    generator = default_rng(2)
    centres = generator.standard_normal((3, 32))
    put_all(tmp_path, centres[[row % 3 for row in range(30)]] + 0.05 * generator.standard_normal((30, 32)))
    return open_features(tmp_path / "cache")


def test_groups_are_a_table(features):
    table = embed.open(features.folder.parent).clusters()
    assert table.columns.tolist() == ["group", "path", "similarity", "label"]
    assert table.groupby("group")["path"].count().tolist() == [10, 10, 10]
    for _, group in table.groupby("group"):
        assert len({int(path[-10:-4]) % 3 for path in group["path"]}) == 1
        assert group["similarity"].is_monotonic_decreasing


def test_a_selection_is_grouped_by_itself(features):
    some = embed.open(features.folder.parent).take(range(0, 30, 3))
    table = some.clusters(groups=2)
    assert sorted(table["path"]) == sorted(some.paths) and table["group"].max() == 2
    with pytest.raises(UsageError, match="groups 11 cannot be: it is 1 to 10, the number of different"):
        some.clusters(groups=11)


def test_what_was_named_can_be_undone(features):
    keep_groups(features, clusters(features, 3))
    first = label(features, ["1", "2"], "thing")
    assert first.photographs == 20 and first.file.parent == features.folder
    second = label(features, [1, features.root / features.paths[0]], "other")
    assert set(second.former.values()) <= {"thing", None}
    hand.set(second.file, second.former)
    assert {row.label for row in hand.read(first.file)} == {"thing"}
    assert len(hand.read(first.file)) == 20
    assert embed.open(features.folder.parent, labels="hand").classes == ["thing"]


def test_nothing_is_named_where_one_target_is_unknown(features):
    keep_groups(features, clusters(features, 3))
    with pytest.raises(InputError, match=r"no such\.jpg is neither a photograph"):
        label(features, ["1", "no such.jpg"], "thing")
    assert hand.read(features.folder / "labels.csv") == []
