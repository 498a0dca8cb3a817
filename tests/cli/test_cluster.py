"""From photographs without any label to a fitted classifier, by the commands as a person types them."""

import json
import shutil

import pytest

from embed import cli, demo
from embed.cache import open_features
from embed.cli import main

HOSTILE = "<script>alert(1)<.jpg"


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """Pictures of six kinds in one folder, extracted, and what the extraction said last."""
    folder = tmp_path_factory.mktemp("flat")
    demo.draw(folder / "drawn", train=5, test=3)
    (folder / "photos").mkdir()
    for file in sorted((folder / "drawn").rglob("*.jpg")):
        shutil.copy(file, folder / "photos" / f"{file.parent.parent.name} {file.name}")
    shutil.copy(folder / "photos" / "test sun-000.jpg", folder / "photos" / HOSTILE)
    return folder


@pytest.fixture
def embed(flat, tmp_path, capsys, monkeypatch):
    """Run a command in a copy of the folder and return its exit code, stdout and stderr."""
    place = tmp_path / "flat"
    shutil.copytree(flat, place)
    monkeypatch.chdir(place)

    def run(*arguments):
        code = main(list(arguments))
        written = capsys.readouterr()
        return code, written.out, written.err

    run.extracted = run("extract", "photos", "--backbone", "tiny")
    run.photos = place / "photos"
    return run


def label_count(embed):
    return {one["label"]: one["photographs"] for one in json.loads(embed("label", "--list", "--json")[1])}


def test_an_extraction_without_labels_says_what_can_be_done(embed):
    assert embed.extracted[0] == 0 and "embed cluster" in embed.extracted[2]
    embed("cluster", "--groups", "2")
    embed("label", "1", "a")
    assert "embed cluster" not in embed("extract", "photos", "--backbone", "tiny")[2]
    assert "embed cluster" not in embed("extract", "../flat/drawn", "--backbone", "tiny")[2]


@pytest.mark.parametrize(
    "command", [["fit"], ["predict", "photos/test sun-000.jpg"], ["compare"], ["matrix"], ["mislabelled"]]
)
def test_what_is_refused_for_want_of_labels_names_the_way_on(embed, command):
    code, out, err = embed(*command)
    assert code == 1 and out == "" and err.count("\n") == 1
    assert "embed cluster" in err and "embed label" in err


def test_groups_are_named_and_a_classifier_is_fitted(embed):
    before = sorted(path.name for path in embed.photos.iterdir())
    code, out, err = embed("cluster", "--groups", "6", "--json")
    document = json.loads(out)
    assert code == 0 and [group["group"] for group in document["groups"]] == [1, 2, 3, 4, 5, 6]
    assert sum(group["photographs"] for group in document["groups"]) == 49
    assert "embed label 1 NAME" in err
    assert embed("label", "1", "3", "  first ")[0] == 0
    assert embed("label", "2", "second")[2].rstrip().endswith("Next: embed fit")
    sizes = {group["group"]: group["photographs"] for group in document["groups"]}
    assert label_count(embed) == {"first": sizes[1] + sizes[3], "second": sizes[2]}
    code, out, err = embed("fit", "--json")
    assert code == 0
    assert "The labels are those given by hand" in err and "named with their whole group" in err
    model = json.loads((open_features("cache").folder / "models/logistic/model.json").read_text())
    assert model["labels"] == "hand"
    assert sorted(path.name for path in embed.photos.iterdir()) == before
    # What was fitted by hand-given labels is judged by them later, too.
    assert embed("report", "--no-maps")[0] == 0
    assert embed("predict", "photos/test sun-000.jpg")[0] == 0
    assert json.loads(embed("info", "--json")[1])["classes"] == {
        "first": sizes[1] + sizes[3],
        "second": sizes[2],
    }


def test_a_group_is_unnamed_and_a_photograph_named_alone(embed):
    embed("cluster", "--groups", "3")
    embed("label", "1", "2", "3", "thing")
    code, out, _ = embed("label", "photos/test sun-000.jpg", f"photos/{HOSTILE}", "sun")
    assert code == 0 and out == "2 photographs: sun (before: 2 thing)\n"
    assert label_count(embed) == {"sun": 2, "thing": 47}
    embed("label", "test sun-000.jpg", "--remove")
    assert label_count(embed) == {"sun": 1, "thing": 47}
    embed("label", "1", "2", "3", "--remove")
    assert label_count(embed) == {}


def test_photographs_in_a_split_keep_their_label_and_make_the_number_honest(embed):
    embed("cluster", "--groups", "2")
    kinds = {"sun": "round", "fish": "other"}
    for kind, name in kinds.items():
        files = [str(file) for file in sorted(embed.photos.glob(f"test {kind}*.jpg"))]
        embed("label", "--split", "test", *files, name)
    embed("label", "1", "other")
    embed("label", "2", "round")
    features = open_features("cache")
    labels = dict(line.split(",")[:2] for line in (features.folder / "labels.csv").read_text().splitlines())
    assert {labels[f"test {kind}-{i:03d}.jpg"] for kind in kinds for i in range(3)} == set(kinds.values())
    assert [labels[f"test sun-{i:03d}.jpg"] for i in range(3)] == ["round"] * 3
    code, out, err = embed("fit", "--json")
    assert code == 0 and json.loads(out)["n"] == 6 and "whole group" not in err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "Give a group or a photograph"),
        (["1"], 2, "Give a group or a photograph"),
        (["9", "x"], 1, "There is no group 9; the groups are 1 to 2"),
        (["nothing.jpg", "x"], 1, "neither a photograph of photos"),
        (["1", "nothing.jpg", "x"], 1, "neither a photograph of photos"),
        (["1", " "], 2, "is empty"),
        (["--remove"], 2, "whose labels are to go"),
        (["--list", "1"], 2, "--list stands alone"),
        (["1", "x", "--split", "holdout"], 2, "--split 'holdout' is not known"),
    ],
)
def test_a_slip_is_told_and_changes_nothing(embed, arguments, code, words):
    embed("cluster", "--groups", "2")
    done = embed("label", *arguments)
    assert done[0] == code and words in done[2] and done[1] == ""
    assert label_count(embed) == {}


def test_before_there_are_groups_it_says_how_to_get_them(embed):
    code, _, err = embed("label", "1", "x")
    assert code == 1 and "run embed cluster first" in err


def test_groups_that_are_out_of_date_are_said_and_still_named(embed):
    embed("cluster", "--groups", "2")
    (embed.photos / "test sun-000.jpg").unlink()
    (embed.photos / HOSTILE).unlink()
    demo.draw(embed.photos.parent / "more", train=1, test=7)
    shutil.copy(embed.photos.parent / "more/test/tree/tree-006.jpg", embed.photos / "new.jpg")
    embed("extract", "photos", "--backbone", "tiny")
    code, out, err = embed("label", "1", "2", "x")
    assert code == 0 and out.startswith("47 photographs: x")
    assert "1 photograph is in no group and 1 of the groups is gone" in err and "embed cluster" in err
    assert "1 photograph without a label" in embed("label", "--list")[2]


def test_a_file_that_is_gone_is_no_obstacle(embed):
    (embed.photos / "test sun-001.jpg").unlink()
    assert embed("cluster")[0] == 0


def test_folders_keep_their_labels_unless_those_by_hand_are_asked_for(embed):
    embed("extract", "drawn", "--backbone", "tiny", "--cache", "other")
    embed("cluster", "--cache", "other", "--groups", "2")
    embed("label", "--cache", "other", "1", "a")
    _, _, err = embed("label", "--cache", "other", "2", "b")
    assert err.rstrip().endswith("embed fit --labels hand")
    by_folder = embed("info", "--cache", "other", "--json")
    assert "given by hand" not in by_folder[2] and len(json.loads(by_folder[1])["classes"]) == 6
    assert set(json.loads(embed("info", "--cache", "other", "--labels", "hand", "--json")[1])["classes"]) == {
        "a",
        "b",
    }


def test_both_commands_are_listed_under_start():
    cli.register()
    assert {"cluster", "label"} <= set(cli.app.GROUPS["Start"])
