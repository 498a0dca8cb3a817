"""Features of several networks as one set: joined by content, scaled, brought up to date, computed for new photographs."""

import shutil

import numpy as np
import pytest

import embed
from embed import demo
from embed.api import review
from embed.cache import FeatureCache, list_features
from embed.errors import EmbedError, NoFeaturesError, UsageError
from embed.report import report_page


@pytest.fixture
def world(tmp_path):
    demo.draw(tmp_path / "photos", train=6, test=2)
    photos, cache = tmp_path / "photos", tmp_path / "cache"
    one = embed.extract_features(photos, cache, backbone="tiny").features
    two = embed.extract_features(photos, cache, backbone="tiny", size=64, pooling="avg").features
    return photos, cache, one, two


def unit(X):
    return X / np.linalg.norm(X, axis=-1, keepdims=True)


def test_each_is_scaled_and_the_whole_is_a_set_like_any_other(world):
    photos, cache, one, two = world
    joined = embed.open(cache, [one, two])
    expected = np.hstack([unit(embed.open(cache, name).X) for name in (one, two)]) / np.sqrt(2)
    np.testing.assert_allclose(joined.X, expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(joined.X, axis=1), 1, atol=1e-5)
    assert joined.recipe.backbone == "tiny+tiny"
    assert joined.fit("logistic").evaluation.accuracy >= 0.5
    assert len(joined.similar(photos / joined.paths[0], k=3)) == 3
    assert embed.open(cache, joined.name).recipe == joined.recipe, (
        "a recipe comes back from the disk as it was"
    )
    page = report_page(review(joined.cache))
    assert "tiny+tiny" in page
    assert page.count("imagenet weights") + page.count("tiny weights") == 2, "the recipe of each"
    assert [file.exists() for file in joined.export(cache.parent / "all.h5")] == [True]


def test_a_new_photograph_goes_through_every_network(world):
    photos, cache, one, two = world
    joined = embed.open(cache, [one, two])
    joined.fit("logistic")
    known = photos / joined.paths[0]
    table = joined.predict([known])
    new = cache.parent / "new.png"
    from PIL import Image

    with Image.open(known) as image:
        image.save(new, compress_level=1)
    assert new.read_bytes() != known.read_bytes()
    again = joined.predict([new, cache.parent / "missing.png", new])
    assert again["problem"].isna().tolist() == [True, False, True]
    assert again["label"][0] == table["label"][0]
    np.testing.assert_allclose(again["probability"][0], table["probability"][0], atol=0.05)
    with pytest.raises(EmbedError, match="those of tiny and tiny; take the set of one of them"):
        joined.explain([known])


def test_only_what_has_changed_is_joined_again(world):
    photos, cache, one, two = world
    parts = embed.open(cache, [one, two]).cache.parts
    assert embed.open(cache, [one, two]).cache.parts == parts
    sorted(photos.rglob("*.jpg"))[0].unlink()
    for size in (None, 64):
        embed.extract_features(photos, cache, backbone="tiny", size=size)
    after = embed.open(cache, [one, two])
    assert len(after) == 47
    assert after.cache.parts[: len(parts)] == parts, "what was there stays"


def test_photographs_are_those_that_every_set_has(world):
    photos, cache, one, _ = world
    shutil.rmtree(photos / "test")
    other = embed.extract_features(photos / "train", cache, backbone="tiny", size=96).features
    joined = embed.open(cache, [one, other])
    assert len(joined) == 36
    assert all(path.startswith("train/") for path in joined.paths)


def test_imported_vectors_are_joined_too(world):
    photos, cache, one, _ = world
    known = embed.open(cache, one)
    vectors = np.random.default_rng(0).normal(size=(48, 5)).astype(np.float32)
    other = embed.import_features(vectors, photos, cache, paths=list(known.paths)).features
    joined = embed.open(cache, [one, other])
    joined.fit("logistic")
    assert joined.predict([photos / known.paths[0]])["problem"].isna().all()
    new = cache.parent / "new.png"
    from PIL import Image

    Image.new("RGB", (64, 64), (1, 200, 30)).save(new)
    assert "nothing here can compute" in joined.predict([new])["problem"][0]


def test_what_cannot_be_joined_is_one_sentence(world):
    _, cache, one, two = world
    joined = embed.open(cache, [one, two]).name
    with pytest.raises(UsageError, match="twice"):
        embed.open(cache, [one, one])
    with pytest.raises(UsageError, match="twice"):
        embed.open(cache, [one])
    with pytest.raises(UsageError, match="joined already"):
        embed.open(cache, [joined, one])
    demo.draw(cache.parent / "others", train=2, test=1)
    for picture in (cache.parent / "others").rglob("*.jpg"):
        picture.write_bytes(picture.read_bytes() + b"\0")
    other = embed.extract_features(cache.parent / "others", cache, backbone="tiny", size=80).features
    before = len(list_features(cache))
    with pytest.raises(NoFeaturesError, match="no photograph in common"):
        embed.open(cache, [one, other])
    assert len(list_features(cache)) == before


def test_a_command_extracts_for_several_networks_and_joins_them(tmp_path, run_embed):
    demo.draw(tmp_path / "photos", train=4, test=1)
    import json

    import onnx_networks

    file = onnx_networks.network(tmp_path / "net.onnx", size=32)
    command = ("extract", "photos", "--backbone", "tiny", "--backbone", file, "--preprocess", "0to1")
    done = run_embed(*command, "--json", env={"EMBED_HOME": str(tmp_path / "home")}, check=True)
    document = json.loads(done.stdout)
    assert [one["backbone"] for one in document["sets"]] == ["tiny", "net.onnx"]
    assert document["joined"]["images"] == 30
    assert document["joined"]["dimension"] == sum(one["dimension"] for one in document["sets"])
    run_embed("fit", env={"EMBED_HOME": str(tmp_path / "home")}, check=True)
    told = run_embed("info", check=True).stdout
    assert "tiny+net.onnx" in told
    assert told.count("computed by") == 2
    assert FeatureCache.open(list_features(tmp_path / "cache")[0]).name == document["joined"]["features"]
