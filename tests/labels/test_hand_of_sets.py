"""Which labels a set has: by its folders, or those that were given by hand."""

from cache_helpers import fill, make_recipe, open_writer

from embed.cache import find_features, open_features
from embed.labels import hand, of

FLAT = ["a.jpg", "b.jpg", "c.jpg"]


def feature_set(folder, paths, **recipe):
    with open_writer(folder, recipe=make_recipe(**recipe)) as writer:
        fill(writer, paths)
    return open_features(folder / "cache")


def test_labels_by_hand_are_meant_where_no_folder_says_any(tmp_path):
    features = feature_set(tmp_path, FLAT)
    assert of(features).rule == "folder"
    hand.set(features.labels_file, {"a.jpg": "sea"})
    assert of(features).rule == "hand"
    assert of(features).labels.tolist() == ["sea", None, None]
    assert of(features, "hand").counts == {"sea": 1}
    assert of(features, "regex:([ab])").rule == "regex:([ab])"


def test_folders_come_first_unless_asked_otherwise(tmp_path):
    features = feature_set(tmp_path, ["sea/a.jpg", "town/b.jpg"])
    hand.set(features.labels_file, {"sea/a.jpg": "lake"})
    assert of(features).labels.tolist() == ["sea", "town"]
    assert of(features, "hand").labels.tolist() == ["lake", None]


def test_sets_of_the_same_photographs_share_their_labels(tmp_path):
    first = feature_set(tmp_path, FLAT)
    hand.set(first.labels_file, {"a.jpg": "sea"})
    second = feature_set(tmp_path, FLAT, backbone="n")
    assert second.name != first.name
    assert of(second).labels.tolist() == ["sea", None, None]
    hand.set(second.labels_file, {"b.jpg": "town"})
    assert of(open_features(tmp_path / "cache", first.name)).classes == ["sea", "town"]


def test_a_set_of_other_photographs_has_labels_of_its_own(tmp_path):
    first = feature_set(tmp_path, FLAT)
    hand.set(first.labels_file, {"a.jpg": "sea"})
    with open_writer(tmp_path, root=tmp_path / "other" / "data") as writer:
        fill(writer, FLAT)
    other = open_features(tmp_path / "cache", find_features(tmp_path / "cache").name)
    assert other.name != first.name and of(other).classes == []


def test_the_photographs_folder_is_left_alone(tmp_path):
    features = feature_set(tmp_path, FLAT)
    hand.set(features.labels_file, {"a.jpg": "sea"})
    assert list(features.root.iterdir()) == []
    assert features.labels_file.parent == features.folder
