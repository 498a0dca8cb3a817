"""Which feature set belongs to which data folder."""

import os
import shutil

import pytest
from cache_helpers import fill, make_recipe, open_writer, row_of

from embed import files
from embed.cache import list_features, open_features
from embed.errors import CacheLockedError, NoFeaturesError

NAMES = [f"{i}.jpg" for i in range(10)]


def make_data(folder, names=NAMES):
    folder.mkdir(parents=True)
    for name in names:
        with (folder / name).open("wb") as file:
            file.truncate(row_of(name).size)
    return folder


def test_two_data_folders_of_one_name_never_share_a_set(tmp_path):
    one, two = make_data(tmp_path / "1" / "data"), make_data(tmp_path / "2" / "data")
    for root in (one, two, one):
        with open_writer(tmp_path, root=root) as writer:
            fill(writer, NAMES)
    assert len(list_features(tmp_path / "cache")) == 2
    assert open_features(tmp_path / "cache").root == one


def test_a_data_folder_that_moved_keeps_its_set(tmp_path):
    root = make_data(tmp_path / "1" / "data")
    with open_writer(tmp_path, root=root) as writer:
        fill(writer, NAMES)
    (tmp_path / "2").mkdir()
    moved = root.rename(tmp_path / "2" / "data")
    with open_writer(tmp_path, root=moved) as writer:
        assert writer.known.paths.tolist() == NAMES
    assert open_features(tmp_path / "cache").root == moved


def test_another_folder_does_not_take_the_set_of_one_that_is_gone(tmp_path):
    root = make_data(tmp_path / "1" / "data")
    with open_writer(tmp_path, root=root) as writer:
        fill(writer, NAMES)
    shutil.rmtree(root)
    with open_writer(tmp_path, root=make_data(tmp_path / "2" / "data", ["other.jpg"])) as writer:
        assert len(writer.known) == 0
    assert len(list_features(tmp_path / "cache")) == 2


def test_a_data_folder_is_known_under_any_of_its_paths(tmp_path):
    root = make_data(tmp_path / "1" / "data")
    with open_writer(tmp_path, root=root) as writer:
        fill(writer, NAMES)
    (tmp_path / "data").symlink_to(root)
    with open_writer(tmp_path, root=tmp_path / "data") as writer:
        assert len(writer.known) == len(NAMES)


@pytest.mark.parametrize("name", ["a" * 255, "..", "caf\udce9", "a\nb", "-2", "a--b", "\U0001f98b" * 60])
def test_any_name_of_a_data_folder_makes_a_set(tmp_path, name):
    with open_writer(tmp_path, dataset=name) as writer:
        fill(writer, NAMES[:1])
    assert writer.folder.parent == tmp_path / "cache"
    assert open_features(tmp_path / "cache").meta.dataset == name


def test_a_folder_that_a_kill_left_empty_is_taken(tmp_path):
    with open_writer(tmp_path) as writer:
        pass
    for name in os.listdir(writer.folder):
        (writer.folder / name).unlink()
    with open_writer(tmp_path) as again:
        assert again.folder == writer.folder


def test_the_order_of_extractions_does_not_follow_the_clock(tmp_path):
    for size in (1, 2):
        with open_writer(tmp_path, recipe=make_recipe(size=size)) as writer:
            fill(writer, NAMES)
        meta = writer.folder / "meta.json"
        document = files.read_document(meta)
        files.write_document(writer.folder, meta.name, document | {"extracted": f"{2030 - size}"})
        os.utime(meta, (10**9 - size, 10**9 - size))
    assert open_features(tmp_path / "cache").recipe.size == 2


def test_a_set_is_picked_by_the_name_of_its_data_where_there_is_one(tmp_path):
    for name in ("1/data", "2/data", "3/other"):
        with open_writer(tmp_path, root=make_data(tmp_path / name), dataset=name[2:]) as writer:
            fill(writer, NAMES)
    cache = tmp_path / "cache"
    assert open_features(cache, "data").root == tmp_path / "1" / "data"
    assert open_features(cache, "data-2").root == tmp_path / "2" / "data"
    with open_writer(tmp_path, make_recipe(size=64), tmp_path / "3" / "other", "other") as writer:
        fill(writer, NAMES)
    with pytest.raises(
        NoFeaturesError, match=r"more than one feature set 'other'; it holds: other--m-\w+, other--m"
    ):
        open_features(cache, "other")
    for name in ("", "..", f"../cache/{writer.name}", "nothing"):
        with pytest.raises(NoFeaturesError, match="no feature set"):
            open_features(cache, name)


def test_two_writers_that_begin_at_once_get_one_set_each(tmp_path):
    one, two = (make_data(tmp_path / name / "data", [name]) for name in "ab")
    with open_writer(tmp_path, root=one) as first, open_writer(tmp_path, root=two) as second:
        assert first.folder != second.folder
        with pytest.raises(CacheLockedError):
            open_writer(tmp_path, root=one)


def test_a_writer_waits_until_it_is_told_of_which_folder_a_set_is_that_is_begun(tmp_path, monkeypatch):
    first = open_writer(tmp_path, root=make_data(tmp_path / "a" / "data", ["a"]))
    meta = first.folder / "meta.json"
    begun = meta.read_bytes()
    meta.unlink()  # as between the lock and the first write
    monkeypatch.setattr("time.sleep", lambda _: meta.write_bytes(begun))
    with open_writer(tmp_path, root=make_data(tmp_path / "b" / "data", ["b"])) as second:
        assert second.folder != first.folder
    first.close()
