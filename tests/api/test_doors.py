"""Photographs outside the cache, in any form: predicted and searched for as their files are."""

import io

import numpy as np
import pytest
from PIL import Image

import embed
from embed import demo


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    folder = tmp_path_factory.mktemp("doors")
    demo.draw(folder / "pictures", train=3, test=1)
    embed.extract_features(folder / "pictures", folder / "cache", backbone="tiny")
    features = embed.open(folder / "cache")
    features.fit("logistic")
    return features


def forms(path) -> list:
    """One photograph in every form that has the pixels of its file."""
    with Image.open(path) as image:
        image.load()
    return [path, path.read_bytes(), io.BytesIO(path.read_bytes()), image, np.asarray(image)]


def test_a_photograph_is_predicted_the_same_in_every_form(features):
    given = forms(features.files[0])
    table = features.predict(given)
    assert table["path"].tolist() == [str(features.files[0]), *(f"photograph {i}" for i in range(1, 5))]
    assert table["label"].nunique() == 1
    assert table["problem"].isna().all()
    np.testing.assert_allclose(table["probability"], table["probability"][0], rtol=1e-5)
    for one in given:
        assert len(features.predict(one)) == 1


def test_a_photograph_finds_the_same_in_every_form(features):
    found = features.similar(forms(features.files[0]), k=3)
    lists = found.groupby("query")["path"].agg(list).tolist()
    # What has the content of a photograph in the cache is not found by itself; pixels alone are no content.
    by_content, by_pixels = lists[0], lists[-1]
    assert features.paths[0] not in by_content
    assert by_pixels[0] == features.paths[0]
    assert by_pixels[1:] == by_content[:2]


def test_photographs_and_folders_may_be_mixed(features):
    folder = features.files[0].parent
    table = features.predict([np.zeros((9, 9, 3), np.uint8), folder, b"no photograph"])
    assert table["path"].iloc[0] == "photograph 0"
    assert len(table) == 2 + len(list(folder.iterdir()))
    assert table["problem"].iloc[-1] == "is text, not an image"
