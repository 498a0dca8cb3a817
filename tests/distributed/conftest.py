"""Photographs, and the set that one machine makes of them."""

import numpy as np
import pytest
from PIL import Image

from embed import machine
from embed.backbones import Network
from embed.extract import FeatureOptions, RunOptions, extract_features

PHOTOGRAPHS = 500


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    """500 photographs in five folders; two of them are none, and two are copies."""
    folder = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(0)
    for number in range(PHOTOGRAPHS):
        path = folder / str(number % 5) / f"{number:03}.png"
        path.parent.mkdir(exist_ok=True)
        if number % 250 == 7:
            path.write_bytes(b"no photograph")
            continue
        seed = 11 if number in (100, 400) else number
        random = np.random.default_rng(seed)
        Image.fromarray(random.integers(0, 256, (9, 9, 3), np.uint8)).resize((64, 64)).save(path)
    return folder


@pytest.fixture(scope="session")
def alone(photographs, tmp_path_factory):
    """The cache that one process makes."""
    cache = tmp_path_factory.mktemp("alone")
    summary = extract_features(
        photographs, cache, FeatureOptions(network=Network("tiny")), RunOptions(workers=1)
    )
    assert (summary.extracted, summary.failed) == (PHOTOGRAPHS - 2, 2)
    return cache


@pytest.fixture(autouse=True)
def all_processors(monkeypatch):
    """What a worker in this process is given is taken from it again."""
    monkeypatch.setattr(machine, "_share", None)
