"""Photographs in folders by class: nothing overwritten, nothing outside, the same again the next time."""

import os
from pathlib import Path

import pytest

from embed.errors import InputError, UsageError
from embed.learn import place
from embed.learn.prediction import Prediction
from embed.learn.sorting import folder_names
from embed.moving import Placed, carry_out

CLASSES = ["ants", "bees"]


def photograph(folder, name, content=b"a photograph"):
    folder.mkdir(exist_ok=True, parents=True)
    file = folder / name
    file.write_bytes(content)
    return file


def sort(predictions, into, *, classes=CLASSES, **options):
    placed = place(predictions, classes, into, **options)
    link = options.get("link", False)
    done = list(carry_out([one for one in placed if one is not None], link=link))
    return placed, done


def tree(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("link", [False, True])
def test_photographs_of_one_name_are_kept_apart_and_sorting_again_does_nothing(tmp_path, link):
    files = [photograph(tmp_path / part, "A.jpg", part.encode()) for part in ("1", "2", "3")]
    files.append(photograph(tmp_path / "4", "a.jpg", b"4"))
    labels = ["ants", "ants", "bees", "ants"]
    predictions = [Prediction(file, label) for file, label in zip(files, labels, strict=True)]
    into = tmp_path / "sorted"
    _, done = sort(predictions, into, link=link)
    assert len(done) == 4
    before = tree(into)
    assert sorted(before.values()) == [b"1", b"2", b"3", b"4"]
    assert len({name.casefold() for name in before}) == 4
    assert all(file.is_symlink() == link for file in into.rglob("*.jpg"))
    placed, done = sort(predictions, into, link=link)
    assert not done and all(one.there for one in placed) and tree(into) == before
    assert all(file.exists() for file in files)


def test_a_copy_keeps_its_time_and_a_link_leads_to_the_photograph(tmp_path):
    file = photograph(tmp_path / "new", "x.jpg")
    os.utime(file, ns=(1_500_000_000_000_000_000, 1_500_000_000_000_000_000))
    sort([Prediction(file, "ants")], tmp_path / "copies")
    assert (tmp_path / "copies/ants/x.jpg").stat().st_mtime_ns == 1_500_000_000_000_000_000
    sort([Prediction(file, "ants")], tmp_path / "links", link=True)
    assert (tmp_path / "links/ants/x.jpg").readlink() == file


@pytest.mark.parametrize("link", [False, True])
def test_what_is_there_is_never_overwritten(tmp_path, link):
    file = photograph(tmp_path / "new", "x.jpg")
    into = tmp_path / "sorted"
    photograph(into / "ants", "x.jpg", b"of the user")
    (into / "ants" / "x-2.jpg").symlink_to(tmp_path / "nowhere")
    _, done = sort([Prediction(file, "ants")], into, link=link)
    assert [one.to.name for one in done] == ["x-3.jpg"]
    assert (into / "ants/x.jpg").read_bytes() == b"of the user" and not (tmp_path / "nowhere").exists()
    came_meanwhile = [Placed(file, into / "ants" / "x.jpg", there=False)]
    with pytest.raises(InputError, match=r"cannot write .*x\.jpg: File exists"):
        list(carry_out(came_meanwhile, link=link))
    assert (into / "ants/x.jpg").read_bytes() == b"of the user"
    assert not list(into.rglob(".tmp-*"))


def test_what_is_unsure_unlike_or_unreadable_stays_where_it_is(tmp_path):
    file = photograph(tmp_path / "new", "x.jpg")
    predictions = [
        Prediction(file, None, 0.4),
        Prediction(file, "ants", 0.9, unlike=True),
        Prediction(file, problem="is damaged"),
        Prediction(file, "ants", 0.9, unlike=False),
    ]
    placed, done = sort(predictions, tmp_path / "sorted")
    assert placed[:3] == [None] * 3 and len(done) == 1


HOSTILE = [
    "..",
    ".",
    "",
    "/etc",
    "../../outside",
    "a/../../b",
    "C:\\Windows",
    "line\nbreak",
    "\u202egnp",
    "nul\0",
    "b\udcff",
    "x" * 5_000,
    "é" * 200,
    "ants",
    "ANTS",
    "a_",
    "a/",
    ".hidden",
    " ",
]


def test_the_name_of_a_class_leads_to_one_folder_and_never_out(tmp_path):
    names = folder_names(HOSTILE)
    assert len({name.casefold() for name in names.values()}) == len(HOSTILE)
    assert names["ants"] == "ants" and names["ANTS"] == "ANTS (2)"
    into = tmp_path / "deep" / "sorted"
    files = [photograph(tmp_path / "new", f"{i}.jpg", b"%d" % i) for i in range(len(HOSTILE))]
    predictions = [Prediction(file, label) for file, label in zip(files, HOSTILE, strict=True)]
    sort(predictions, into, classes=HOSTILE)
    assert len(tree(into)) == len(HOSTILE) and all(len(name.split("/")) == 2 for name in tree(into))
    assert {path.name for path in tmp_path.iterdir()} == {"deep", "new"}
    assert all(folder.name.isprintable() for folder in into.iterdir())


def test_the_folder_is_refused_where_copies_would_become_photographs_or_go_elsewhere(tmp_path):
    file = photograph(tmp_path / "data", "x.jpg")
    predictions = [Prediction(file, "ants")]
    with pytest.raises(UsageError, match="into lies in the data folder"):
        sort(predictions, tmp_path / "data" / "sorted", data=tmp_path / "data")
    for given in (tmp_path / "data", str(tmp_path / "data/..")):
        with pytest.raises(
            UsageError, match=r"into lies in the folder .* and the next prediction would take"
        ):
            sort(predictions, tmp_path / "data" / "sorted", given=["https://x.org/1.jpg", file, given])
    (tmp_path / "sorted").mkdir()
    (tmp_path / "sorted" / "ants").symlink_to(tmp_path / "data")
    with pytest.raises(UsageError, match="leads elsewhere"):
        sort(predictions, tmp_path / "sorted")
    with pytest.raises(UsageError, match="is no folder"):
        sort(predictions, file)


def test_a_photograph_that_went_away_is_told(tmp_path):
    file = tmp_path / "x.jpg"
    with pytest.raises(InputError, match=r"x\.jpg .*no such file"):
        sort([Prediction(file, "ants")], tmp_path / "sorted")
    assert not tree(tmp_path / "sorted")
    assert Path(tmp_path / "sorted").is_dir()
