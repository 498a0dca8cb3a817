"""The set that is served is the one of today, and outlives whatever happens to the cache."""

import os
import shutil
import sys

import pytest
from serving import served
from waiting import until

import embed
from embed import api, demo
from embed.cache import Lock


def paths(site):
    return {photo["path"] for photo in site.get("/api/photos?limit=1000")["photographs"]}


def add(folder, name):
    """Put a picture into a folder that is not there yet."""
    demo.draw(folder / "more", train=1, test=0, seed=9)
    shutil.copy(
        folder / "more" / "train" / "fish" / "fish-000.jpg", folder / "pictures" / "train" / "fish" / name
    )


def test_what_an_extraction_commits_is_found_without_being_told(own):
    with served(own / "cache") as site:
        assert site.ask("/api/pictures/train/fish/new.jpg").status == 404
        site.post("/api/similar", paths=["test/sun/sun-000.jpg"])
        add(own, "new.jpg")
        embed.extract_features(own / "pictures", own / "cache", backbone="tiny", size=64)
        until(lambda: "train/fish/new.jpg" in paths(site), "the new photograph")
        (found,) = site.post("/api/similar", paths=["train/fish/new.jpg"], k=30)["queries"]
        assert len(found["neighbours"]) == 24
        assert site.ask("/api/pictures/train/fish/new.jpg").status == 200


def test_the_server_extracts_what_it_is_asked_to(own):
    add(own, "new.jpg")
    with served(own / "cache", data=own / "pictures") as site:
        assert site.done("extract")["problem"] == ""
        assert "train/fish/new.jpg" in paths(site)
        assert len(api.list_features(own / "cache")) == 1
        (own / "pictures" / "train" / "fish" / "new.jpg").unlink()
        site.post("/api/extract")
        assert site.done("extract", after=1)["problem"] == ""
        assert "train/fish/new.jpg" not in paths(site)


def test_a_folder_without_features_is_extracted_while_it_is_looked_at(drawn, tmp_path):
    with served(tmp_path / "cache", data=drawn / "pictures") as site:
        status = site.get("/api/status")
        assert status["features"] is None or status["photographs"] <= 24
        assert site.done("extract")["problem"] == ""
        assert site.get("/api/status")["photographs"] == 24
        assert site.get("/api/status")["backbone"] == "tiny"


def test_a_photograph_that_is_put_is_found_at_once_and_stays(own, tmp_path):
    demo.draw(tmp_path / "more", train=1, test=0, seed=5)
    picture = (tmp_path / "more" / "train" / "boat" / "boat-000.jpg").read_bytes()
    with served(own / "cache") as site:
        answer = site.ask("/api/photos/of%20mine.jpg", "PUT", data=picture)
        assert answer.status == 201, answer.body
        assert answer.document["path"] == "uploads/of mine.jpg"
        assert (own / "pictures" / "uploads" / "of mine.jpg").read_bytes() == picture
        assert site.ask("/api/photos/uploads/of%20mine.jpg", "PUT", data=picture).status == 200
        assert site.get("/api/photos/uploads/of%20mine.jpg")["neighbours"]
        other = (own / "pictures" / "test" / "sun" / "sun-000.jpg").read_bytes()
        assert site.ask("/api/photos/of%20mine.jpg", "PUT", data=other).status == 404
        for name, data, status in (
            ("a.jpg", b"text", 422),
            ("a.jpg", picture[:200], 422),
            ("..%2fa.jpg", picture, 400),
            (".a.jpg", picture, 400),
            ("a%00.jpg", picture, 400),
            ("a.jpg", b"", 400),
        ):
            assert site.ask(f"/api/photos/{name}", "PUT", data=data).status == status, name
    assert [file.name for file in (own / "pictures" / "uploads").iterdir()] == ["of mine.jpg"]


@pytest.mark.parametrize("damage", ["gone", "torn", "locked"])
def test_the_server_outlives_a_cache_that_is_gone_torn_or_locked(own, damage):
    embed.open(own / "cache").fit("logistic")
    with served(own / "cache") as site:
        site.post("/api/predict", paths=["test/sun/sun-000.jpg"])
        site.post("/api/similar", paths=["test/sun/sun-000.jpg"])
        (folder,) = (own / "cache").glob("*--*")
        if damage == "gone":
            shutil.rmtree(folder)
        elif damage == "torn":
            (folder / "meta.json").write_text("{")
        else:
            lock = Lock(folder)
        if damage != "locked":
            until(lambda: site.get("/api/status")["problem"], "the problem")
            assert site.get("/api/status")["photographs"] == 24
        for path in ("/healthz", "/api/photos", "/api/status"):
            assert site.ask(path).status == 200
        assert site.ask("/api/similar", "POST", send={"paths": ["test/sun/sun-000.jpg"]}).status in (200, 503)
        if damage == "locked":
            number = site.post("/api/extract")["number"]
            assert "is being written" in site.done("extract", after=number - 1)["problem"]
            lock.release()
            return
        shutil.rmtree(folder, ignore_errors=True)
        embed.extract_features(own / "pictures", own / "cache", backbone="tiny", size=64)
        until(lambda: not site.get("/api/status")["problem"] and len(paths(site)) == 24, "the new set")
        assert site.post("/api/similar", paths=["test/sun/sun-000.jpg"])["queries"][0]["neighbours"]


@pytest.mark.skipif(sys.platform == "darwin", reason="there it is another program")
def test_a_photograph_is_shown_in_its_folder(site, drawn, tmp_path, monkeypatch):
    program = tmp_path / "xdg-open"
    program.write_text('#!/bin/sh\nprintf %s "$1" > "$0.asked"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    shown = drawn / "pictures" / "test" / "sun" / "sun-000.jpg"
    assert site.post("/api/show/test/sun/sun-000.jpg") == {"file": str(shown)}
    assert (tmp_path / "xdg-open.asked").read_text() == str(shown.parent)


def test_photographs_are_filtered_by_the_columns_of_a_table(drawn):
    features = embed.open(drawn / "cache")
    table = drawn / "sites.csv"
    lines = [
        f"{path},{label},{'north' if i % 3 else 'south'}\n"
        for i, (path, label) in enumerate(zip(features.paths, features.y, strict=True))
    ]
    table.write_text("path,label,site\n" + "".join(lines))
    with served(drawn / "cache", labels=f"csv:{table}") as site:
        columns = site.get("/api/folders")["columns"]
        assert columns["site"] == {"north": 16, "south": 8}
        found = site.get("/api/photos?column=site&value=south&limit=100")["photographs"]
        assert [photo["path"] for photo in found] == features.paths[::3].tolist()
        assert site.get("/api/photos?column=site&value=west")["total"] == 0
        assert site.ask("/api/photos?column=nothing&value=x").status == 400


def test_photographs_are_filtered_and_ordered(site, drawn):
    features = embed.open(drawn / "cache")

    def found(query):
        document = site.get(f"/api/photos?limit=1000&{query}")
        assert document["total"] == len(document["photographs"])
        return [photo["path"] for photo in document["photographs"]]

    assert found("") == features.paths.tolist()
    assert found("label=sun") == features.select(label="sun").paths.tolist()
    assert found("label=(none)") == []
    assert found("split=test&folder=test/sun") == ["test/sun/sun-000.jpg"]
    assert found("folder=te") == []
    assert (
        found("where=label%20==%20'sun'%20and%20split%20==%20'train'")
        == features.select(label="sun", split="train").paths.tolist()
    )
    probabilities = features.model().predict_proba(features.X)
    best = probabilities.max(axis=1)
    assert found("order=unsure&from_probability=0.5")[-1] == features.paths[best.argmax()]
    assert sorted(found("to_probability=0.5") + found("from_probability=0.500001")) == features.paths.tolist()
    some = site.get("/api/photos?offset=5&limit=3")
    assert [photo["path"] for photo in some["photographs"]] == features.paths[5:8].tolist()
    assert sum(site.get("/api/folders")["folders"].values()) == 24
