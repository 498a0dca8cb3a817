"""What tuned weights say of themselves."""

import hashlib

import h5py
import numpy as np
import pytest

from embed.backbones import Tuning, append_tuning, check_weights, read_tuning
from embed.backbones.tuned import END_BYTES
from embed.errors import WeightsError

CONTENTS = np.frombuffer(b"".join(hashlib.sha256(bytes([i])).digest() for i in range(3)), np.uint8)
TUNING = Tuning(
    "ab" * 32, CONTENTS.reshape(-1, 32), {"cut": "block_12_add", "learning_curve": [{"loss": 0.5}]}
)


@pytest.fixture(autouse=True)
def embed_home(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBED_HOME", str(tmp_path / "home"))


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "own.weights.h5"
    with h5py.File(file, "w") as saved:
        saved["values"] = np.arange(5)
    return file


def test_weights_that_say_nothing_were_not_tuned(file):
    assert read_tuning(file) is None
    assert check_weights(file).tuned_from == ""


def test_what_is_appended_is_read_and_the_weights_stay_readable(file):
    before = check_weights(file).sha256
    append_tuning(file, TUNING)
    found = read_tuning(file)
    assert (found.tuned_from, found.about) == (TUNING.tuned_from, TUNING.about)
    np.testing.assert_array_equal(found.contents, TUNING.contents)
    with h5py.File(file) as saved:
        assert saved["values"][:].tolist() == [0, 1, 2, 3, 4]
    weights = check_weights(file)
    assert weights.tuned_from == TUNING.tuned_from
    assert weights.sha256 != before == hashlib.sha256(file.read_bytes()[: -_appended(file)]).hexdigest()


def _appended(file):
    return int.from_bytes(file.read_bytes()[-END_BYTES:-8], "little") + END_BYTES


@pytest.mark.parametrize("place", ["document", "length"])
def test_damage_is_named_and_nothing_is_believed(file, place):
    append_tuning(file, TUNING)
    data = bytearray(file.read_bytes())
    data[-END_BYTES - 40 if place == "document" else -END_BYTES + 6] ^= 1
    file.write_bytes(data)
    with pytest.raises(WeightsError, match="do not say any more what they were tuned on"):
        check_weights(file)
