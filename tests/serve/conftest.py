"""A collection of 24 drawn pictures in six classes, with a classifier, and a server for it."""

import shutil

import pytest
from serving import served

import embed
from embed import demo


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """pictures/ and cache/, made once; tests that change them take a copy."""
    folder = tmp_path_factory.mktemp("drawn")
    demo.draw(folder / "pictures", train=3, test=1)
    embed.extract_features(folder / "pictures", folder / "cache", backbone="tiny", size=64)
    embed.open(folder / "cache").fit("logistic")
    return folder


@pytest.fixture(scope="session")
def site(drawn):
    """A server that no test changes."""
    with served(drawn / "cache") as running:
        yield running


@pytest.fixture
def own(drawn, tmp_path):
    """A copy of pictures and features, which belong together."""
    shutil.copytree(drawn / "pictures", tmp_path / "pictures")
    embed.extract_features(tmp_path / "pictures", tmp_path / "cache", backbone="tiny", size=64)
    return tmp_path


@pytest.fixture
def flat(drawn, tmp_path):
    """The pictures in one folder without a label: a server for them, and the class of each."""
    (tmp_path / "photos").mkdir()
    truth = {}
    for i, file in enumerate(sorted((drawn / "pictures").rglob("*.jpg"))):
        name = f"{i:03d}.jpg"
        shutil.copy(file, tmp_path / "photos" / name)
        truth[name] = file.parent.name
    embed.extract_features(tmp_path / "photos", tmp_path / "cache", backbone="tiny", size=64)
    with served(tmp_path / "cache") as running:
        yield running, truth
