"""A compiled network beside its export is derived: damaged, foreign or missing, the features are the same."""

import numpy as np
import pytest

from embed import files
from embed.backbones import Network, open_runtime, store


@pytest.fixture
def network(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBED_HOME", str(tmp_path))
    return Network("tiny").resolve()


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)


def features(network, pixels, precision="float32"):
    return open_runtime(network, device="cpu", precision=precision).run(pixels)


def blobs(network):
    return sorted(store.folder(network).glob("*.blob"))


def test_what_was_kept_gives_the_same_bits_and_reads_no_export(network, pixels, monkeypatch):
    compiled = features(network, pixels)
    assert len(blobs(network)) == 1
    (store.folder(network) / store.MODEL).unlink()
    monkeypatch.setattr("embed.backbones.runtime.export", None)
    assert np.array_equal(features(network, pixels), compiled)


def test_damage_is_noticed_and_mended(network, pixels):
    compiled = features(network, pixels)
    (file,) = blobs(network)
    content = file.read_bytes()
    places = (0, 20, 60, len(content) // 2, len(content) - 1)
    flipped = [content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :] for place in places]
    for damaged in [*flipped, content[:1000], b""]:
        file.write_bytes(damaged)
        assert np.array_equal(features(network, pixels), compiled)
        assert len(file.read_bytes()) > 0.99 * len(content)
        assert file.read_bytes() != damaged


def test_one_of_another_network_is_not_believed(network, pixels):
    compiled = features(network, pixels)
    (file,) = blobs(network)
    other = Network("tiny", pooling="max").resolve()
    assert not np.array_equal(features(other, pixels), compiled)
    (theirs,) = blobs(other)
    file.write_bytes(theirs.read_bytes())
    assert np.array_equal(features(network, pixels), compiled)


def test_one_of_another_release_goes(network, pixels):
    features(network, pixels)
    (file,) = blobs(network)
    old = file.with_name("00000000-0123456789abcdef.blob")
    file.rename(old)
    features(network, pixels)
    assert blobs(network) == [file]


def test_a_folder_that_cannot_be_written_costs_time_only(network, pixels, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    compiled = features(network, pixels)
    blobs(network)[0].unlink()
    monkeypatch.setattr(files, "Draft", refuse)
    assert np.array_equal(features(network, pixels), compiled)
    assert blobs(network) == []
