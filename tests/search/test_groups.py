"""Groups on disk keep their numbers while photographs are renamed, come and go."""

import json

import numpy as np
import pytest
from cache_helpers import fill, open_writer, row_of

from embed.cache import open_features
from embed.errors import CacheDamagedError, InputError
from embed.search import clusters, group_rows, keep_groups, read_groups

PATHS = [f"{number:02d}.jpg" for number in range(20)]


@pytest.fixture
def features(tmp_path):
    with open_writer(tmp_path) as writer:
        fill(writer, PATHS)
    return open_features(tmp_path / "cache")


def test_groups_are_read_as_they_were_kept(features):
    assert read_groups(features) is None
    found = clusters(features, 4)
    keep_groups(features, found)
    kept = read_groups(features)
    assert kept.outdated == ""
    for number, group in enumerate(found.groups, 1):
        assert group_rows(kept, number).tolist() == group.rows.tolist()
    document = json.loads((features.folder / "groups.json").read_text())
    assert (document["seed"], document["asked"], document["fingerprint"]) == (0, 4, features.fingerprint)


def test_a_group_is_known_after_photographs_were_renamed_came_and_went(features, tmp_path):
    keep_groups(features, clusters(features, 4))
    before = read_groups(features)
    names = {number: set(features.paths[rows]) for number, rows in before.rows.items()}
    with open_writer(tmp_path) as writer:
        writer.remove(PATHS[0])
        writer.remove(PATHS[1])
        one = row_of(PATHS[1])
        writer.put("renamed.jpg", one.sha256, one.size, one.mtime_ns, one.features)
        fill(writer, ["new.jpg"])
    today = open_features(tmp_path / "cache")
    kept = read_groups(today)
    assert (kept.newer, kept.gone) == (1, 1)
    assert "1 photograph is in no group and 1 of the groups is gone" in kept.outdated
    for number, rows in kept.rows.items():
        expected = {"renamed.jpg" if name == PATHS[1] else name for name in names[number]} - {PATHS[0]}
        assert set(today.paths[rows]) == expected


def test_asking_for_a_group_that_is_not_there_says_which_there_are(features):
    with pytest.raises(InputError, match="run embed cluster"):
        group_rows(read_groups(features), 1)
    keep_groups(features, clusters(features, 4))
    with pytest.raises(InputError, match="There is no group 5; the groups are 1 to 4"):
        group_rows(read_groups(features), 5)


def test_damage_is_told_with_what_to_do(features):
    keep_groups(features, clusters(features, 2))
    file = features.folder / "groups.json"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(CacheDamagedError, match=r"groups\.json.*run embed cluster again"):
        read_groups(features)
    keep_groups(features, clusters(features, 2))
    assert np.concatenate(list(read_groups(features).rows.values())).size == len(features)
