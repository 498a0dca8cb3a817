"""`embed verify`."""

import json

import pytest
from cache_helpers import fill, make_recipe, open_writer

from embed.cli import main

LONG = 40_000  # values in a row: 160 kB, so that a part has blocks with nothing but features


@pytest.fixture
def cache(tmp_path):
    with open_writer(tmp_path, rows_per_part=2, dimension=LONG) as writer:
        fill(writer, ["a.jpg", "b.jpg", "c.jpg"], dimension=LONG)
    return tmp_path / "cache"


def test_an_intact_cache_is_verified(cache, capsys):
    assert main(["verify", "--cache", str(cache), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"parts": 2, "rows": 3, "damaged": []}
    assert main(["verify", "--cache", str(cache)]) == 0
    assert capsys.readouterr().out.endswith(": 2 parts, 3 rows, nothing damaged\n")


@pytest.mark.parametrize(("where", "found_quickly"), [("index", True), ("features", False)])
def test_damage_is_named_and_exits_with_one(cache, capsys, where, found_quickly):
    part = max(cache.glob("*/part-*"))
    data = bytearray(part.read_bytes())
    data[-20 if where == "index" else len(data) - 80_000] ^= 1
    part.write_bytes(data)
    assert main(["verify", "--cache", str(cache), "--json"]) == 1
    output = capsys.readouterr()
    assert json.loads(output.out) == {"parts": 2, "rows": 2, "damaged": [part.name]}
    assert str(part) in output.err
    assert main(["verify", "--cache", str(cache), "--quick"]) == (1 if found_quickly else 0)


def test_the_set_that_is_verified_is_named_where_there_are_several(cache, capsys):
    with open_writer(cache.parent, recipe=make_recipe(size=64)) as writer:
        fill(writer, ["d.jpg"])
    assert main(["verify", "--cache", str(cache), "--json"]) == 0
    assert writer.name in capsys.readouterr().err
    other = next(folder.name for folder in cache.iterdir() if folder != writer.folder)
    assert main(["verify", "--cache", str(cache), "--features", other, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 3


def test_a_set_whose_meta_json_is_damaged_is_named_beside_others(cache, capsys, caplog):
    with open_writer(cache.parent, recipe=make_recipe(size=64)) as writer:
        fill(writer, ["d.jpg"])
    sick = next(folder for folder in cache.iterdir() if folder != writer.folder)
    (sick / "meta.json").write_bytes((sick / "meta.json").read_bytes().replace(b"data", b"dbta", 1))
    assert main(["verify", "--cache", str(cache), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["damaged"] == [f"{sick.name}/meta.json"]
    assert f"{sick / 'meta.json'} is damaged" in caplog.text
    assert main(["verify", "--cache", str(cache), "--features", writer.name]) == 0
    assert main(["verify", "--cache", str(cache), "--features", sick.name]) == 1
    assert f"{sick / 'meta.json'} is damaged" in capsys.readouterr().err


def test_nothing_to_verify_says_what_to_do(tmp_path, capsys):
    assert main(["verify", "--cache", str(tmp_path)]) == 1
    assert "run `embed extract` first" in capsys.readouterr().err
