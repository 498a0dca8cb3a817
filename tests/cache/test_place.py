"""What a data folder is known by, and when that is no proof."""

import os

import pytest

from embed.cache import place
from embed.cache.place import Place


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """Say which disks are mounted: device and place."""

    def mount(*disks):
        lines = [
            f"{number} 1 {os.major(device)}:{os.minor(device)} / {str(where).replace(' ', chr(92) + '040')} rw shared:1 - ext4"
            f" {source} rw\n"
            for number, (device, where, source) in enumerate(disks)
        ]
        (tmp_path / "mountinfo").write_text("".join(lines))
        monkeypatch.setattr(place, "MOUNTS", tmp_path / "mountinfo")

    return mount


def test_a_number_that_two_mounted_disks_have_is_no_proof(tmp_path, mounted):
    snapshot = tmp_path / "the snapshot"
    snapshot.mkdir()
    device = os.stat(tmp_path).st_dev
    number = os.statvfs(tmp_path).f_fsid
    mounted((device, tmp_path, "/dev/one"))
    assert not place.is_twice(number, device)
    # A copy of the whole disk has its number, and another device.
    mounted((device, tmp_path, "/dev/one"), (device + 1, snapshot, "/dev/two"))
    assert place.is_twice(number, device)
    assert not Place.of_folder(snapshot, tmp_path).lasting
    mounted(
        (device, tmp_path, "/dev/one"),
        (device, snapshot, "/dev/one"),
        (device + 1, snapshot, "server:/share"),
    )
    assert not place.is_twice(number, device)


@pytest.mark.parametrize("said", ["", "nothing that is known\n", "1 2 a:b / / - ext4 /dev/x\n"])
def test_what_the_system_does_not_say_changes_nothing(tmp_path, monkeypatch, said):
    (tmp_path / "mountinfo").write_text(said)
    monkeypatch.setattr(place, "MOUNTS", tmp_path / "mountinfo")
    assert not place.is_twice(1, 1)
    monkeypatch.setattr(place, "MOUNTS", tmp_path / "none")
    assert not place.is_twice(1, 1)
