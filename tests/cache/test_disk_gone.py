"""A disk that goes away while it is used: no row leaves, it is said, and all is as before once it is back."""

import errno
import json
import os
import subprocess

import pytest
from loop_disk import SIZES, LoopDisk, UnavailableError
from PIL import Image

from embed.cache import FeatureWriter, find_features, open_features, verify
from embed.cli import main

PHOTOGRAPHS = 24  # more than may leave unasked


@pytest.fixture(params=SIZES)
def disk(request, tmp_path):
    """Mount a disk of each kind of file system that this machine can make."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        made = LoopDisk(tmp_path, place, request.param)
    except UnavailableError as error:
        pytest.skip(str(error))
    yield made
    made.unmount()


def draw(folder, count=PHOTOGRAPHS, blue=0):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("RGB", (9, 9), (9 * number, 0, blue)).save(folder / f"{number:02}.png")
    subprocess.run(["sync", "-f", folder], check=True)  # a disk that is pulled loses what has not reached it
    return folder


@pytest.fixture
def embed(capfd):
    """Run a command in this process: ``embed("extract", folder, cache=...)`` returns exit code, stdout, stderr."""

    def run(command, *arguments, cache):
        code = main([command, *map(str, arguments), "--cache", str(cache)])
        return code, *capfd.readouterr()

    return run


def rows(cache):
    known = open_features(cache)
    columns = zip(known.paths, known.sha256, known.sizes, known.mtimes_ns, known.X, strict=True)
    return {
        path: (digest.tobytes(), int(size), int(time), x.tobytes()) for path, digest, size, time, x in columns
    }


def extract(embed, data, cache):
    return embed("extract", data, "--backbone", "tiny", "--json", cache=cache)


def is_one_sentence(told):
    (sentence,) = [line for line in told.splitlines() if line.startswith("embed: ")]
    return "Traceback" not in told and len(sentence) < 600


@pytest.mark.parametrize("how", ["shut down", "pulled", "unmounted"])
@pytest.mark.parametrize("inside", ["", "photographs"], ids=["the disk", "a folder on it"])
def test_rows_stay_while_the_disk_of_the_photographs_is_away(disk, tmp_path, backbone, embed, how, inside):
    data, cache = draw(disk.place / inside), tmp_path / "cache"
    assert extract(embed, data, cache)[0] == 0
    before, backbone.seen = rows(cache), 0
    disk.go_away(how)
    code, out, told = extract(embed, data, cache)
    if how != "shut down" or code:  # then the system may know enough by heart to answer
        assert (code, out) == (1, "")
        assert is_one_sentence(told) and str(data) in told
    assert rows(cache) == before
    disk.come_back()
    code, out, _ = extract(embed, data, cache)
    assert (code, json.loads(out)["reused"], backbone.seen) == (0, PHOTOGRAPHS, 0)
    assert rows(cache) == before


@pytest.mark.parametrize("how", ["shut down", "pulled", "unmounted"])
@pytest.mark.parametrize("place", ["a link", "a mount point"])
def test_rows_of_a_part_of_the_photographs_stay_while_its_disk_is_away(
    disk, tmp_path, backbone, embed, how, place
):
    data, cache = tmp_path / "photographs", tmp_path / "cache"
    draw(data / "here", 3, blue=99)
    draw(disk.place / "album")
    if place == "a link":
        (data / "there").symlink_to(disk.place / "album")
    else:
        data = tmp_path  # the disk is mounted in it
    assert extract(embed, data, cache)[0] == 0
    before, backbone.seen = rows(cache), 0
    assert len(before) >= PHOTOGRAPHS + 3
    disk.go_away(how)
    code, out, told = extract(embed, data, cache)
    assert rows(cache) == before
    if (place, how) == ("a mount point", "unmounted"):  # an empty folder, as far as anyone can see
        assert code == 1 and "--allow-removals" in told
    elif how != "shut down":
        assert json.loads(out)["unreachable"] == PHOTOGRAPHS and ("there" in told or "disk" in told)
    disk.come_back()
    code, out, _ = extract(embed, data, cache)
    assert (code, json.loads(out)["reused"], backbone.seen) == (0, len(before), 0)
    assert rows(cache) == before


def test_a_disk_that_goes_away_while_photographs_are_read_loses_none(
    disk, tmp_path, backbone, embed, monkeypatch
):
    data, cache = draw(disk.place / "photographs"), tmp_path / "cache"
    assert extract(embed, data, cache)[0] == 0
    before, run = rows(cache), backbone.run
    draw(data / "more", 28, blue=99)
    for file in data.glob("0*.png"):  # they are looked at again
        os.utime(file, (1, 1))
    gone = []

    def run_and_lose_the_disk(batch):
        if not gone:
            disk.go_away("shut down")
            gone.append(True)
        return run(batch)

    monkeypatch.setattr(backbone, "run", run_and_lose_the_disk)
    extract(embed, data, cache)
    assert gone
    assert rows(cache).keys() >= before.keys()
    disk.come_back()
    assert extract(embed, data, cache)[0] == 0
    after = rows(cache)
    assert {path: row[3] for path, row in after.items() if path in before} == {
        path: row[3] for path, row in before.items()
    }
    assert len(after) == len(list(data.rglob("*.png")))


@pytest.mark.parametrize("how", ["shut down", "pulled", "unmounted"])
def test_a_cache_whose_disk_is_away_is_told_by_every_command_and_is_there_again(
    disk, tmp_path, backbone, embed, how
):
    data, cache = draw(tmp_path / "photographs"), disk.place / "cache"
    assert extract(embed, data, cache)[0] == 0
    before, backbone.seen = rows(cache), 0
    draw(data / "more", 2, blue=99)
    disk.go_away(how)
    for command in ("info", "verify", "duplicates", "similar", "export"):
        arguments = {"similar": [data / "00.png"], "export": [tmp_path / "out.npy"]}.get(command, [])
        code, out, told = embed(command, *arguments, cache=cache)
        assert (code, out) == (1, ""), command
        assert is_one_sentence(told), command
    if how == "unmounted":  # where nothing is a cache may begin
        disk.come_back()
    else:
        code, out, told = extract(embed, data, cache)
        assert (code, out) == (1, "")
        assert is_one_sentence(told) and str(disk.place) in told
        disk.come_back()
    assert rows(cache) == before
    code, out, _ = extract(embed, data, cache)
    assert (code, json.loads(out)["reused"], json.loads(out)["extracted"]) == (0, PHOTOGRAPHS, 2)
    assert verify(find_features(cache)).damaged == {}


def test_what_was_committed_is_there_when_the_disk_of_the_cache_went_away_in_the_middle(
    disk, tmp_path, backbone, embed, monkeypatch
):
    data, cache = draw(tmp_path / "photographs"), disk.place / "cache"
    monkeypatch.setitem(FeatureWriter.open.__func__.__kwdefaults__, "rows_per_part", 5)
    committed, run = {}, backbone.run

    def run_and_lose_the_disk(batch):
        if backbone.seen >= 16 and not committed:
            committed.update(rows(cache))
            disk.go_away("shut down")
        return run(batch)

    monkeypatch.setattr(backbone, "run", run_and_lose_the_disk)
    code, out, told = extract(embed, data, cache)
    assert (code, out) == (1, "")
    assert is_one_sentence(told) and os.strerror(errno.EIO) in told
    assert committed
    disk.come_back()
    assert committed.items() <= rows(cache).items()
    assert extract(embed, data, cache)[0] == 0
    assert len(rows(cache)) == PHOTOGRAPHS
    assert verify(find_features(cache)).damaged == {}
