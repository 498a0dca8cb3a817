"""Archives and tables from end to end: extracted, labelled, fitted, searched, shown, explained."""

import json
import os
import re

import pytest
from archive_samples import NEW, OLD, write_parquet, write_tar, write_zip

import embed
from embed import cli, demo
from embed.sources import listed

CLASSES = {"boat", "fish", "flower", "house", "sun", "tree"}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """24 pictures of six classes: by name their bytes."""
    folder = tmp_path_factory.mktemp("drawn")
    demo.draw(folder, train=3, test=1)
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*.jpg"))}


def in_shards(drawn, folder):
    """Two shards to train with and one to test with, in WebDataset's layout: keys are numbers, classes lie beside."""
    shards = {"train-0.tar": {}, "train-1.tar": {}, "test-0.tar": {}}
    for number, (name, data) in enumerate(drawn.items()):
        split, label, _ = name.split("/")
        shard = shards[f"{split}-{number % 2 if split == 'train' else 0}.tar"]
        shard |= {
            f"{number:05}.jpg": data,
            f"{number:05}.cls": label.encode(),
            f"{number:05}.json": {"site": f"s{number % 3}"},
        }
    for name, members in shards.items():
        write_tar(folder / name, members)
        os.utime(folder / name, (OLD, OLD))
    return [str(folder / name) for name in sorted(shards)]


def in_zip(drawn, folder):
    return [str(write_zip(folder / "photos.zip", drawn))]


def in_parquet(drawn, folder):
    names = [name.split("/") for name in drawn]
    columns = {
        "image": [*drawn.values()],
        "label": [label for _, label, _ in names],
        "split": [split for split, _, _ in names],
    }
    return [str(write_parquet(folder / "photos.parquet", columns, rows_in_group=10))]


def in_table(drawn, folder):
    rows = ["path,class,split"]
    for number, (name, data) in enumerate(drawn.items()):
        split, label, _ = name.split("/")
        (folder / f"{number}.jpg").write_bytes(data)
        rows.append(f"{number}.jpg,{label},{split}")
    (folder / "photos.csv").write_text("\n".join(rows))
    return [str(folder / "photos.csv")]


PLACES = {"shards": in_shards, "zip": in_zip, "parquet": in_parquet, "table": in_table}


@pytest.mark.parametrize("kind", PLACES)
def test_the_labels_and_splits_are_those_that_came_along(kind, drawn, tmp_path, monkeypatch, backbone):
    monkeypatch.setenv("EMBED_HOME", str(tmp_path / "home"))
    (tmp_path / "data").mkdir()
    places = PLACES[kind](drawn, tmp_path / "data")
    summary = embed.extract_features(places, tmp_path / "cache", backbone="tiny")
    assert (summary.images, summary.extracted, summary.failed) == (24, 24, 0)
    features = embed.open(tmp_path / "cache")
    assert set(features.classes) == CLASSES and None not in features.y
    assert sorted(map(str, features.splits)) == ["test"] * 6 + ["train"] * 18
    seen = backbone.seen
    assert embed.extract_features(places, tmp_path / "cache", backbone="tiny").reused == 24
    assert backbone.seen == seen
    assert not list(tmp_path.glob("data/**/*.jpg")) or kind == "table"


def test_what_lies_beside_photographs_may_be_asked_for(drawn, tmp_path, monkeypatch, backbone):
    monkeypatch.setenv("EMBED_HOME", str(tmp_path / "home"))
    in_shards(drawn, tmp_path)
    embed.extract_features(tmp_path, tmp_path / "cache", backbone="tiny", name="shop")
    features = embed.open(tmp_path / "cache")
    assert len(features.select(where="site == 's1'")) == 8
    assert embed.open(tmp_path / "cache", labels="source").classes == features.classes
    assert features.files[0] == tmp_path / "test-0.tar" / "00000.jpg"


def test_a_rewritten_shard_is_read_again_and_not_computed_again(drawn, tmp_path, monkeypatch, backbone):
    monkeypatch.setenv("EMBED_HOME", str(tmp_path / "home"))
    shards = in_shards(drawn, tmp_path)
    embed.extract_features(shards, tmp_path / "cache", backbone="tiny")
    seen = backbone.seen
    data = (tmp_path / "train-0.tar").read_bytes()
    (tmp_path / "train-0.tar").write_bytes(data)
    os.utime(tmp_path / "train-0.tar", (NEW, NEW))
    summary = embed.extract_features(shards, tmp_path / "cache", backbone="tiny")
    assert (summary.reused, summary.extracted, summary.removed, backbone.seen) == (24, 0, 0, seen)
    # One that lost photographs loses their rows, and one that is damaged keeps them.
    write_tar(tmp_path / "train-0.tar", {"00008.jpg": [*drawn.values()][8], "00008.cls": b"boat"})
    (tmp_path / "train-1.tar").write_bytes((tmp_path / "train-1.tar").read_bytes()[:2000])
    summary = embed.extract_features(shards, tmp_path / "cache", backbone="tiny")
    assert summary.removed == 8 and summary.unreachable == 9
    assert [place for place, _ in summary.unreachable_places] == ["train-1.tar"]


def test_an_archive_that_is_another_one_has_a_set_of_its_own(drawn, tmp_path, monkeypatch, backbone):
    monkeypatch.setenv("EMBED_HOME", str(tmp_path / "home"))
    for name in "ab":
        (tmp_path / name).mkdir()
        write_zip(tmp_path / name / "photos.zip", drawn)
    first, second = (
        embed.extract_features(tmp_path / name / "photos.zip", tmp_path / "cache", backbone="tiny")
        for name in "ab"
    )
    assert first.features != second.features and second.copied == 24
    again = embed.extract_features(tmp_path / "a" / "photos.zip", tmp_path / "cache", backbone="tiny")
    assert (again.features, again.reused) == (first.features, 24)


@pytest.fixture(scope="module")
def shop(drawn, tmp_path_factory):
    """A set of shards with a classifier, by the small network."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shards").mkdir()
    in_shards(drawn, folder / "shards")
    assert (
        cli.main(
            ["extract", str(folder / "shards"), "--backbone", "tiny", "--cache", str(folder / "cache"), "-q"]
        )
        == 0
    )
    assert cli.main(["fit", "--cache", str(folder / "cache"), "--json"]) == 0
    return folder


def run(shop, capsys, *arguments):
    capsys.readouterr()
    listed._recent.clear()
    assert cli.main([*arguments, "--cache", str(shop / "cache")]) == 0
    return capsys.readouterr().out


def test_pages_show_photographs_that_lie_in_archives(shop, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(shop, capsys, "report", "--out", str(tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.count("data:image/jpeg") > 6 and "no such file" not in page
    for command in ("similar", "duplicates", "outliers", "map"):
        query = [str(shop / "shards/test-0.tar/00000.jpg")] if command == "similar" else []
        run(shop, capsys, command, *query, "--html", str(tmp_path / f"{command}.html"))
        page = (tmp_path / f"{command}.html").read_text("utf-8")
        assert "no such file" not in page
        assert "data:image/jpeg" in page or command == "duplicates"


def test_photographs_in_archives_are_asked_about_like_files(shop, capsys, tmp_path):
    member = str(shop / "shards/test-0.tar/00000.jpg")
    (first, *_) = json.loads(run(shop, capsys, "similar", member, "-k", "1", "--json"))
    assert first["query"] == member and first["path"] != "test-0.tar/00000.jpg"
    predicted = json.loads(run(shop, capsys, "predict", str(shop / "shards/test-0.tar"), "--json"))
    assert predicted[0]["path"] == member and len(predicted) == 6
    explained = json.loads(run(shop, capsys, "explain", member, "--out", str(tmp_path), "--json"))
    assert explained[0]["path"] == member and (tmp_path / "00000-explained.png").exists() | len(
        list(tmp_path.glob("*.png"))
    )
    found = run(shop, capsys, "similar", member, "--paths", "-k", "2").split()
    assert all(re.fullmatch(rf"{re.escape(str(shop))}/shards/\w+-\d\.tar/\d+\.jpg", one) for one in found)
    run(shop, capsys, "predict", member, "--into", str(tmp_path / "sorted"), "--yes")
    run(shop, capsys, "predict", member, "--into", str(tmp_path / "sorted"), "--yes")
    (copied,) = (tmp_path / "sorted").rglob("*.jpg")
    assert copied.read_bytes() == embed.sources.read(shop / "shards/test-0.tar/00000.jpg").data
