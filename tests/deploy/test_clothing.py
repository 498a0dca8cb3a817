"""A classifier of real photographs, taken elsewhere: every one of the test folder, through each runtime and a browser."""

import os
import subprocess
import sys

import numpy as np
import pytest
from in_browser import classify, fetch_runtime

import embed
from embed.deploy import parity

pytestmark = [pytest.mark.timeout(1800), pytest.mark.torture, pytest.mark.imagenet, pytest.mark.photographs]
ALIKE = 0.98  # share of photographs in a browser, which decodes and resizes in its own way
RUNS = {
    "classifier.onnx": """
import onnxruntime
model = onnxruntime.InferenceSession("classifier.onnx")
rows = [model.run(None, {"pixels": one[None]})[0][0] for one in pixels]
""",
    "classifier.tflite": """
from ai_edge_litert.interpreter import Interpreter
model = Interpreter("classifier.tflite").get_signature_runner()
rows = [next(iter(model(pixels=one[None]).values()))[0] for one in pixels]
""",
}
ELSEWHERE = """
import sys
sys.modules["embed"] = None
import numpy as np
pixels = np.load("pixels.npy")
{run}
assert not any(name.partition(".")[0] == "embed" and module for name, module in sys.modules.items())
np.save("found.npy", rows)
"""


@pytest.fixture(scope="module", autouse=True)
def home(keras_home):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(keras_home))
        yield


@pytest.fixture(scope="module")
def features(clothing, tmp_path_factory):
    cache = tmp_path_factory.mktemp("clothing") / "cache"
    embed.extract_features(clothing, cache=cache, backbone="mobilenetv2")
    features = embed.open(cache)
    features.fit("logistic")
    return features


@pytest.fixture(scope="module")
def held_out(features):
    found = parity.held_out(features.cache, features.model())
    assert len(found.pixels) == 372
    return found


@pytest.mark.parametrize("name", RUNS)
def test_every_photograph_of_the_test_folder_is_named_alike(features, held_out, tmp_path, name):
    embed.export_model(features, tmp_path / name)
    np.save(tmp_path / "pixels.npy", held_out.pixels)
    subprocess.run(
        [sys.executable, "-I", "-c", ELSEWHERE.format(run=RUNS[name])], cwd=tmp_path, check=True, timeout=280
    )
    found = np.load(tmp_path / "found.npy")
    alike = found.argmax(axis=1) == held_out.expected.argmax(axis=1)
    print(f"{name}: {alike.sum()} of {alike.size} photographs alike")
    assert alike.all()


@pytest.mark.browser
def test_a_browser_names_the_photographs_from_their_files(browser, features, held_out, tmp_path):
    fetch_runtime(tmp_path)
    embed.export_model(features, tmp_path / "classifier.onnx")
    paths = features.model().evaluation().paths
    os.symlink(features.cache.root, tmp_path / "photos")
    found = np.array(classify(browser, tmp_path, [f"photos/{path}" for path in paths]))
    alike = found.argmax(axis=1) == held_out.expected.argmax(axis=1)
    print(f"Chromium: {alike.sum()} of {alike.size} photographs alike")
    assert alike.mean() >= ALIKE
