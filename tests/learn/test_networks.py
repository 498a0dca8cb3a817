"""Networks and recipes side by side, on a sample."""

import json

import numpy as np
import onnx_networks
import pytest

import embed
from embed import demo, learn
from embed.cache import SAMPLES, list_features
from embed.errors import LabelError, UsageError
from embed.learn.networks import features_of, paired_difference


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBED_HOME", str(tmp_path / "home"))
    demo.draw(tmp_path / "photos", train=10, test=3)
    return tmp_path / "photos"


def compare(photos, names=("tiny",), recipes=("plain", "80+max"), size=40, **options):
    return learn.compare_networks(photos, photos.parent / "cache", names, recipes, size, **options)


def test_every_network_with_every_recipe_and_the_cheapest_is_named(photos):
    net = str(onnx_networks.network(photos.parent / "net.onnx", size=32, end="dense"))
    found = compare(photos, ("tiny", net), preprocess="0to1")
    assert [(one[0], one[1]) for one in found.impossible] == [(net, "80+max")]
    assert {(one.backbone, one.recipe) for one in found.candidates} == {
        ("tiny", "plain"),
        ("tiny", "80+max"),
        (net, "plain"),
    }
    assert {one.n for one in found.candidates} == {40}
    assert found.of == 60, "photographs of the test folder are left alone"
    best = found.candidates[0]
    assert (best.difference, best.difference_low, best.difference_high) == (0, 0, 0)
    for one in found.candidates:
        assert one.difference <= 0
        assert one.difference_low <= one.difference_high
        assert one.photographs_per_second > 0
        assert one.bytes == 4 * one.dimension
    assert found.cheapest.photographs_per_second >= best.photographs_per_second
    assert not found.cheapest.worse
    assert learn.command(found.cheapest, photos).startswith(f"embed extract {photos} --backbone ")


def test_the_sample_is_the_same_again_recorded_and_taken_over(photos):
    cache = photos.parent / "cache"
    first = compare(photos, recipes=["plain"])
    assert list_features(cache) == [], "nothing of it is listed"
    record = json.loads(first.record.read_text())
    assert (record["asked"], record["seed"], len(record["contents"])) == (40, 0, 40)
    again = compare(photos, recipes=["plain"])
    assert again.record == first.record
    assert again.candidates[0].accuracy == first.candidates[0].accuracy
    (sampled,) = list_features(cache / SAMPLES)
    assert len(embed.open(cache / SAMPLES)) == 40
    done = embed.extract_features(photos, cache, backbone="tiny")
    assert (done.copied, done.extracted) == (40, 78 - 40)
    other = compare(photos, recipes=["plain"], size=50, options=learn.FitOptions(seed=1))
    assert other.record != first.record
    assert len(embed.open(cache / SAMPLES, sampled.name)) > 40, "rows of earlier samples stay"


def test_what_was_extracted_is_not_computed_again_for_a_sample(photos):
    cache = photos.parent / "cache"
    embed.extract_features(photos, cache, backbone="tiny")
    told = []
    compare(
        photos,
        recipes=["plain"],
        progress=lambda progress: told.append((progress.extracted, progress.copied)),
    )
    assert told[-1] == (0, 40)


def test_recipes_are_read_in_any_order():
    features = features_of("tiny", "mirror+288+grid+crop+bf16")
    network = features.network
    assert (network.size, network.pooling, network.mirror, features.fit, features.precision) == (
        288,
        "grid",
        True,
        "crop",
        "bf16",
    )
    assert features_of("net.onnx", "plain", "imagenet").network.preprocess == "imagenet"
    assert features_of("tiny", "plain", "imagenet").network.preprocess is None
    for recipe, words in (
        ("288+big", "'big' of '288\\+big' is not known"),
        ("288+299", "twice"),
        ("", "not known"),
    ):
        with pytest.raises(UsageError, match=words):
            features_of("tiny", recipe)


def test_a_difference_is_judged_by_the_photographs_that_differ():
    hits = np.zeros(100, bool)
    hits[:80] = True
    other = hits.copy()
    difference, low, high = paired_difference(hits, other.copy())
    assert difference == 0 and low < 0 < high
    other[:20] = False
    difference, low, high = paired_difference(other, hits)
    assert difference == pytest.approx(-0.2)
    assert -0.3 < low < -0.2 < high < -0.1, "all twenty differ in one direction"
    other[80:] = True
    _, low, high = paired_difference(other, hits)
    assert low < 0 < high, "as many one way as the other"


def test_what_cannot_be_compared_is_told_first(photos):
    with pytest.raises(UsageError, match="did you mean tiny"):
        compare(photos, ["tinny"])
    with pytest.raises(UsageError, match="too small"):
        compare(photos, recipes=["16"])
    bare = photos.parent / "bare"
    demo.draw(bare, train=1, test=0)
    flat = photos.parent / "flat"
    flat.mkdir()
    for i, picture in enumerate(bare.rglob("*.jpg")):
        (flat / f"{i}.jpg").write_bytes(picture.read_bytes())
    with pytest.raises(LabelError, match="has a label"):
        compare(flat)


def test_the_command_prints_one_document_or_a_table(photos, run_embed):
    command = ("compare", photos, "--backbones", "tiny", "--recipes", "plain,80", "--sample", "30")
    document = json.loads(run_embed(*command, "--json", check=True).stdout)
    assert document["sample"]["photographs"] == 30
    assert document["cheapest"]["backbone"] == "tiny"
    table = run_embed(*command, check=True)
    assert table.stdout.splitlines()[0].split("\t")[:5] == [
        "backbone",
        "recipe",
        "n",
        "accuracy",
        "difference",
    ]
    assert "embed extract" in table.stderr
    wrong = run_embed("compare", "--backbones", "tiny")
    assert wrong.returncode == 2
    assert "--backbones is about networks: name the folder" in wrong.stderr
