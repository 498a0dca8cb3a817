"""The page of the guide in a real browser, with the files as they are."""

import shutil

import numpy as np
import pytest
from in_browser import classify, fetch_runtime

import embed
from embed import demo

ALIKE = 0.98  # share of photographs: a browser decodes and resizes in its own way


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    fetch_runtime(folder)
    return folder


def check(browser, folder, features):
    """Whether a browser names the class that embed names, for photographs that the model was judged on."""
    model = features.model()
    embed.export_model(features, folder / "classifier.onnx")
    paths = model.evaluation().paths
    expected = model.predict_proba(features.cache.rows([features.cache.index_of(path) for path in paths]))
    shutil.copytree(features.cache.root, folder / "photos", dirs_exist_ok=True)
    found = np.array(classify(browser, folder, [f"photos/{path}" for path in paths]))
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() >= ALIKE


@pytest.mark.browser
def test_a_browser_names_what_embed_names(browser, folder, tmp_path):
    demo.draw(tmp_path / "pictures", train=8, test=3)
    embed.extract_features(tmp_path / "pictures", cache=tmp_path / "cache", backbone="tiny", size=64)
    features = embed.open(tmp_path / "cache")
    features.fit("logistic")
    check(browser, folder, features)
