"""What `embed info` says is what is there."""

import json

import pytest

from embed import demo


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("overview") / "pictures"
    demo.draw(folder, train=2, test=1)
    (folder / "train" / "fish" / "broken.jpg").write_bytes(b"")
    return folder


def test_info_counts_what_is_there(drawn, run_embed):
    run_embed("extract", drawn, "--backbone", "tiny", check=True)
    document = json.loads(run_embed("info", "--json", check=True).stdout)
    assert document["images"] == 18
    assert document["complete"] is True
    assert document["classes"] == dict.fromkeys(("boat", "fish", "flower", "house", "sun", "tree"), 3)
    assert document["splits"] == {"test": 6, "train": 12}
    assert document["failures"] == sum(document["failure_reasons"].values()) == 1
    assert document["recipe"]["backbone"] == "tiny"
    assert document["models"] == []
    run_embed("fit", "--clf", "dummy", check=True)
    assert json.loads(run_embed("info", "--json", check=True).stdout)["models"] == ["dummy"]
    table = run_embed("info", check=True).stdout
    assert "tiny" in table and "fish 3" in table


def test_info_before_extract_says_what_to_do(run_embed):
    result = run_embed("info")
    assert result.returncode == 1
    assert "embed extract" in result.stderr and "Traceback" not in result.stderr


def test_info_of_a_sound_set_goes_on_beside_a_sick_one(drawn, run_embed, tmp_path):
    for size in ("64", "96"):
        run_embed("extract", drawn, "--backbone", "tiny", "--size", size, check=True)
    sick, sound = sorted((tmp_path / "cache").iterdir())
    damaged = bytearray((sick / "meta.json").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (sick / "meta.json").write_bytes(damaged)
    for arguments in ((), ("--features", sound.name)):
        done = run_embed("info", "--json", *arguments, check=True)
        assert json.loads(done.stdout)["features"] == sound.name
    assert sick.name in run_embed("info").stderr
