"""Other schemes, by fsspec: one of its own that keeps files in memory stands for them."""

import pytest
from archive_samples import COLOURS, photograph, samples, write_tar

import embed
from embed import sources
from embed.errors import InputError
from embed.sources import Item, Listed, listed, remotes

fsspec = pytest.importorskip("fsspec")


@pytest.fixture(autouse=True)
def memory(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBED_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(listed, "_recent", type(listed._recent)())
    system = fsspec.filesystem("memory")
    system.store.clear()
    remotes.remote.cache_clear()
    yield system
    system.store.clear()
    remotes.remote.cache_clear()


def read(source, items=None):
    items = [one for one in source.find() if isinstance(one, Item)] if items is None else items
    return {item.name: one if isinstance(one, str) else one.data for item, one in source.read(items)}


def test_files_are_found_read_and_recognised_again(memory, tmp_path, backbone):
    members = {f"{colour}/x.png": photograph(colour) for colour in COLOURS}
    for name, data in members.items():
        memory.pipe(f"/shop/{name}", data)
    source = sources.open("memory://shop")
    assert read(source) == members and list(source.find())[-1] == Listed("")
    assert embed.extract_features("memory://shop", tmp_path / "cache", backbone="tiny").extracted == 4
    assert embed.extract_features("memory://shop", tmp_path / "cache", backbone="tiny").reused == 4
    assert embed.open(tmp_path / "cache").classes == sorted(COLOURS)


def test_a_file_that_changes_or_goes_before_it_is_read_is_told(memory):
    for name in "12":
        memory.pipe(f"/shop/{name}.png", photograph("red"))
    source = sources.open("memory://shop")
    items = [one for one in source.find() if isinstance(one, Item)]
    memory.pipe("/shop/1.png", photograph("blue"))
    memory.rm("/shop/2.png")
    assert read(source, items) == {"1.png": "changed while reading", "2.png": "vanished"}


def test_archives_elsewhere_are_read_too(memory, tmp_path):
    file = write_tar(tmp_path / "x.tar", samples("red/a", "blue/b"))
    memory.pipe("/shop/x.tar", file.read_bytes())
    source = sources.open("memory://shop/x.tar")
    assert read(source) == {"0000.png": photograph("red"), "0001.png": photograph("blue", 10)}
    assert dict(source.described()) == {"0000.png": {"label": "a"}, "0001.png": {"label": "b"}}


def test_a_folder_that_is_not_there_is_told():
    with pytest.raises(InputError, match=r"memory://nowhere vanished\.|memory://nowhere .*not there"):
        list(sources.open("memory://nowhere").find())
