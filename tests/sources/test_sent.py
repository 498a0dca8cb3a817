"""A source that is sent to another process, with another working folder, reads the same photographs there."""

import pickle
from pathlib import Path

import pytest
from archive_samples import photograph, samples, write_parquet, write_tar, write_zip

from embed import sources
from embed.sources import Filters, Listing
from embed.sources.objects import Objects


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with photographs in every kind of place."""
    monkeypatch.setenv("EMBED_HOME", str(tmp_path / "home"))
    folder = tmp_path / "here"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for colour in ("red", "green"):
            (folder / name / f"{colour}.png").write_bytes(photograph(colour))
    write_tar(folder / "one.tar", samples("red", "blue"))
    write_zip(folder / "two.zip", samples("green"))
    (folder / "shards").mkdir()
    for number in range(2):
        write_tar(folder / "shards" / f"{number}.tar", samples("red", "grey"))
    (folder / "list.txt").write_text("a/red.png\nb/green.png\n")
    (folder / "table.csv").write_text("path,label\na/red.png,red\nb/green.png,green\n")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    "make",
    [
        lambda: sources.open(Path("a")),
        lambda: sources.open(Path("a"), Filters(("*.tif",), ("x*",))),
        lambda: sources.open([Path("a"), Path("b")]),
        lambda: sources.open(Path("one.tar")),
        lambda: sources.open(Path("two.zip")),
        lambda: sources.open(Path("shards")),
        lambda: sources.open(Path("table.csv")),
        lambda: Listing(Path("list.txt"), Path("list.txt").read_bytes()),
        lambda: sources.open(
            write_parquet(Path("pictures.parquet"), {"image": [photograph("red"), photograph("blue")]})
        ),
    ],
    ids=["folder", "patterns", "folders", "tar", "zip", "shards", "table", "list", "pictures"],
)
def test_what_was_sent_reads_the_same(make, folder, tmp_path, monkeypatch):
    source = make()
    items = [told for told in source.find() if isinstance(told, sources.Item)]
    before = [content.sha256 for _, content in source.read(items)]
    sent = pickle.dumps(source)
    monkeypatch.chdir(tmp_path)
    there = pickle.loads(sent)
    assert [content.sha256 for _, content in there.read(items)] == before
    assert len(before) > 0


def test_of_a_list_no_names_are_sent(folder):
    names = "".join(f"a/{number}.png\n" for number in range(10_000))
    assert len(pickle.dumps(Listing(None, names.encode()))) < 1000


def test_objects_are_sent_without_what_asks_for_them():
    source = Objects("s3://shop/products", Filters(("*.tif",)))
    _ = source._pool
    there = pickle.loads(pickle.dumps(source))
    assert (there.root, there.name, there._filters) == (source.root, source.name, source._filters)
