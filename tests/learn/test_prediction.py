"""What is predicted for photographs, by command and in Python: the class, what is unsure, what is unlike the rest."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

import embed
from embed.cli import main
from embed.errors import UsageError
from embed.files import read_document, write_document

COLOURS = {"=red": (200, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 200)}


def draw(file, colour, seed=None):
    """Save a picture of a colour, or with a seed of one that is nearly it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    noise = 0 if seed is None else np.random.default_rng(seed).integers(-15, 16, 3)
    Image.new("RGB", (16, 16), tuple(np.clip(np.array(colour) + noise, 0, 255).tolist())).save(file)
    return file


@pytest.fixture
def folder(tmp_path, backbone, monkeypatch):
    """Pictures of three colours in pictures/, a model of them, and new ones in new/: one of each colour, and a yellow one."""
    monkeypatch.chdir(tmp_path)
    for number, (label, colour) in enumerate(COLOURS.items()):
        for i in range(12):
            draw(tmp_path / "pictures" / label / f"{i}.png", colour, 100 * number + i)
        draw(tmp_path / "new" / f"{label}.png", colour)
    draw(tmp_path / "new" / "yellow.png", (220, 220, 0))
    embed.extract_features("pictures", backbone="tiny")
    embed.open().fit("logistic", name="colours")
    return tmp_path


def predicted(capsys, *arguments, code=0):
    """Return the rows that the command prints as JSON, by file name, and what it says."""
    assert main(["predict", "new", *arguments, "--json"]) == code
    out, err = capsys.readouterr()
    return {row["path"].removeprefix("new/"): row for row in json.loads(out)}, err


def test_the_model_is_named(folder, capsys):
    rows, told = predicted(capsys)
    assert told.startswith("Model colours: logistic, 3 classes, accuracy 1.000 (validation)\n")
    assert {row["model"] for row in rows.values()} == {"colours"}
    assert {name: row["label"] for name, row in rows.items() if name != "yellow.png"} == {
        f"{label}.png": label for label in COLOURS
    }


def test_a_photograph_unlike_everything_is_told(folder, capsys):
    rows, told = predicted(capsys)
    assert {name: row["unlike"] for name, row in rows.items()} == {
        "=red.png": False,
        "blue.png": False,
        "green.png": False,
        "yellow.png": True,
    }
    assert rows["yellow.png"]["similarity"] < 0.9 < rows["blue.png"]["similarity"]
    assert "Unlike everything that colours was trained on" in told
    assert "1 of 4 photographs, such as new/yellow.png" in told


def test_a_model_of_before_says_that_it_cannot_tell(folder, capsys):
    (file,) = folder.glob("cache/*/models/colours/model.json")
    document = read_document(file)
    del document["reference"]
    write_document(file.parent, file.name, document)
    rows, told = predicted(capsys)
    assert {row["unlike"] for row in rows.values()} == {row["similarity"] for row in rows.values()} == {None}
    assert "colours cannot tell whether a photograph is unlike all that it was trained on" in told


def test_the_likeliest_classes_have_columns_of_their_own(folder, capsys):
    assert main(["predict", "new/blue.png", "--top", "2", "--csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert list(row) == ["path", "label", "probability", "label_2", "probability_2", "similarity", "unlike"]
    assert row["label"] == "blue" and row["label_2"] in ("green", "\\'=red") and row["unlike"] == "no"
    assert float(row["probability"]) > float(row["probability_2"])
    rows, _ = predicted(capsys, "--top", "9")
    assert [len(row["top"]) for row in rows.values()] == [3] * 4
    for row in rows.values():
        assert row["top"][0] == {"label": row["label"], "probability": row["probability"]}
        assert sorted(row["probabilities"].values(), reverse=True) == [
            one["probability"] for one in row["top"]
        ]


def test_no_class_is_named_that_is_not_probable_enough(folder, capsys):
    limit = "0.7"
    rows, told = predicted(capsys, "--min-probability", limit)
    unsure = [name for name, row in rows.items() if row["label"] is None]
    assert unsure == ["yellow.png"] and rows["yellow.png"]["probability"] < 0.7
    assert rows["yellow.png"]["top"][0]["label"] in COLOURS
    assert (
        "Unsure of 1 of 4 photographs, such as new/yellow.png: no class has a probability of 0.7 or more."
        in told
    )
    assert main(["predict", "new/yellow.png", "--min-probability", limit]) == 0
    assert capsys.readouterr().out.splitlines()[1].split("\t")[1] == ""
    assert main(["predict", "new/yellow.png", "--min-probability", "70"]) == 2
    assert "--min-probability must lie between 0 and 1, not at 70" in capsys.readouterr().err


def test_text_in_csv_is_no_formula(folder, capsys):
    assert main(["predict", "new/=red.png", "--csv"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("new/=red.png,\\'=red,")


def test_the_class_decided_for_by_a_threshold_comes_first(folder, capsys):
    for file in (folder / "pictures" / "blue").iterdir():
        file.unlink()
    (folder / "new" / "blue.png").unlink()
    embed.extract_features("pictures", backbone="tiny")
    embed.open().fit("logistic", threshold=0.999, name="two")
    rows, _ = predicted(capsys, "--top", "2")
    assert rows["green.png"]["probability"] < 0.999
    assert [one["label"] for one in rows["green.png"]["top"]] == [rows["green.png"]["label"], "green"]
    assert rows["green.png"]["label"] == "=red"


def test_photographs_are_sorted_into_folders_only_when_that_is_confirmed(folder, capsys):
    rows, told = predicted(capsys, "--into", "sorted")
    assert told.endswith(
        "3 photographs would be copied into sorted (=red 1, blue 1, green 1); 1 left out, unsure or unlike."
        " Nothing was done: --yes does it.\n"
    )
    assert {name: row["to"] for name, row in rows.items()} == {
        "=red.png": "sorted/=red/=red.png",
        "blue.png": "sorted/blue/blue.png",
        "green.png": "sorted/green/green.png",
        "yellow.png": None,
    }
    assert not (folder / "sorted").exists()
    again, told = predicted(capsys, "--into", "sorted", "--yes")
    assert again == rows and "3 photographs copied into sorted" in told
    for row in rows.values():
        assert row["to"] is None or (folder / row["to"]).read_bytes() == (folder / row["path"]).read_bytes()
    _, told = predicted(capsys, "--into", "sorted", "--yes")
    assert "0 photographs copied into sorted; 3 there already; 1 left out" in told
    _, told = predicted(capsys, "--into", "links", "--link", "--yes")
    assert "3 photographs linked into links" in told
    assert (folder / "links/blue/blue.png").readlink() == folder / "new" / "blue.png"


@pytest.mark.parametrize("flag", ["--yes", "--link"])
def test_what_is_for_sorting_alone_needs_a_folder(folder, capsys, flag):
    assert main(["predict", "new", flag]) == 2
    assert capsys.readouterr().err == f"embed: {flag} is for --into DIR\n"
    assert main(["predict", "new", "--into", "pictures/sorted"]) == 2
    assert "--into lies in the data folder" in capsys.readouterr().err


def test_python_says_the_same(folder, capsys):
    rows, _ = predicted(capsys, "--top", "3", "--min-probability", "0.7")
    with pytest.raises(UsageError, match="top must be at least 1, not 0"):
        embed.open().predict("new", top=0)
    (folder / "new" / "broken.png").write_bytes(b"no picture")
    table = embed.open().predict("new", top=3, min_probability=0.7).set_index("path")
    assert table.attrs["model"] == "colours"
    for name, row in rows.items():
        seen = table.loc[f"new/{name}"]
        assert (seen["label"], seen["unlike"]) == (row["label"], row["unlike"])
        assert seen["similarity"] == pytest.approx(row["similarity"])
        others = [(seen[f"label_{i}"], seen[f"probability_{i}"]) for i in (2, 3)]
        assert others == [(one["label"], pytest.approx(one["probability"])) for one in row["top"][1:]]
    broken = table.loc["new/broken.png"]
    assert broken["problem"] and broken["label"] is broken["unlike"] is broken["label_2"] is None
    assert np.isnan(broken["similarity"]) and np.isnan(broken["probability_2"])
    assert table[["probability", "probability_3", "similarity"]].dtypes.eq(float).all()
