"""`embed tune`: what is told before anything is computed."""

import json

import pytest

from embed.backbones import Cut
from embed.cli import main


@pytest.fixture
def known_cuts(monkeypatch):
    cuts = [Cut("early", (8, 8, 2), 0.9, 100), Cut("late", (4, 4, 4), 0.25, 10)]
    monkeypatch.setattr("embed.backbones.applications.KerasApplication.cuts", lambda *_: cuts)


def test_cuts_are_listed_with_what_they_cost(known_cuts, capsys):
    assert main(["tune", "--list-cuts", "--backbone", "resnet50"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "layer\toutput\tkilobytes\twork_above",
        "early\t8 × 8 × 2\t0.3\t0.9",
        "late\t4 × 4 × 4\t0.1\t0.25",
    ]
    assert main(["tune", "--list-cuts", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[1] == {
        "layer": "late",
        "shape": [4, 4, 4],
        "work_above": 0.25,
        "weights_above": 10,
        "kilobytes": 0.128,
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a folder of photographs, or list the cuts of a network: --list-cuts"),
        (["photos", "--list-cuts"], "--list-cuts is about the network alone"),
        (["photos", "--csv"], "--csv is for --list-cuts"),
        (["photos", "--views", "0"], "--views must be"),
        (["photos", "--learning-rate", "2"], "--learning-rate must lie between 0 and 1"),
        (["photos", "--backbone", "tiny"], "--backbone 'tiny' cannot be tuned"),
        (["photos", "--cut", "middle"], "--cut 'middle' is no cut of mobilenetv2"),
    ],
    ids=["nothing", "both", "csv", "views", "rate", "tiny", "cut"],
)
def test_wrong_usage_is_told_in_a_sentence(known_cuts, capsys, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert main(["tune", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
