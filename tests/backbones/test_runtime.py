"""Batches of pixels in, features out: on OpenVINO, and on every backend of Keras that is installed."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import threading

import numpy as np
import pytest

from embed.backbones import Network, gpu, open_runtime
from embed.backbones.cpu import OPENVINO_CAPABILITIES
from embed.errors import UsageError

SIZE = 112


@pytest.fixture(scope="module", autouse=True)
def embed_home(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBED_HOME", str(tmp_path_factory.mktemp("embed_home")))
        yield


@pytest.fixture(scope="module")
def runtime(embed_home):
    return open_runtime(Network("tiny"), device="cpu")


@pytest.fixture(scope="module")
def pixels():
    generator = np.random.default_rng(3)
    blocks = generator.integers(0, 256, (13, 14, 14, 3), dtype=np.uint8)
    return blocks.repeat(8, axis=1).repeat(8, axis=2)


def cosine(x, y):
    return (x * y).sum(axis=1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)


def test_tells_what_it_is(runtime, pixels):
    features = runtime.run(pixels)

    assert (runtime.dimension, runtime.size, runtime.device, runtime.precision) == (
        512,
        SIZE,
        "cpu",
        "float32",
    )
    assert features.shape == (len(pixels), runtime.dimension)
    assert features.dtype == np.float32


def test_features_do_not_depend_on_neighbours_in_the_batch(runtime, pixels):
    together = runtime.run(pixels)

    for length in (1, 2, 5):
        for start in range(0, len(pixels), length):
            alone = runtime.run(pixels[start : start + length])
            assert np.array_equal(alone, together[start : start + length])


def test_the_same_batch_gives_the_same_bits(runtime, pixels):
    assert np.array_equal(runtime.run(pixels), runtime.run(pixels))


@pytest.mark.parametrize("threads", [1, 3])
def test_features_do_not_depend_on_the_number_of_threads(threads, runtime, pixels, monkeypatch):
    import openvino

    compile_model = openvino.Core.compile_model

    def with_threads(core, model, device, settings):
        return compile_model(core, model, device, {**settings, "INFERENCE_NUM_THREADS": threads})

    monkeypatch.setattr(openvino.Core, "compile_model", with_threads)
    limited = open_runtime(Network("tiny"), device="cpu")

    assert np.array_equal(limited.run(pixels), runtime.run(pixels))


def test_nothing_is_reported_over_the_network():
    code = (
        "import sys; from embed.backbones import Network, open_runtime\n"
        "open_runtime(Network('tiny'), device='cpu')\n"
        "print('openvino' in sys.modules, 'openvino_telemetry.main' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "True False\n"


FORKED = """
import os, signal, sys, time
import numpy as np
from embed.backbones import Network, open_runtime

pixels = np.load(sys.argv[1])
runtime = open_runtime(Network("tiny"), device="cpu")
expected = runtime.run(pixels)


def waited(child):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "still waiting"


def child(run):
    process = os.fork()
    if process == 0:
        sys.exit(0 if not run or np.array_equal(runtime.run(pixels), expected) else 3)
    return waited(process)


print(child(run=True), child(run=False), np.array_equal(runtime.run(pixels), expected))
"""


def test_a_forked_child_computes_and_ends_as_the_parent_does(pixels, tmp_path):
    np.save(tmp_path / "pixels.npy", pixels[:3])

    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED, tmp_path / "pixels.npy"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert (done.stdout, done.stderr) == ("0 0 True\n", "")


def test_result_is_the_callers_own(runtime, pixels):
    first = runtime.run(pixels[:4])
    kept = first.copy()

    runtime.run(pixels[4:8])

    assert np.array_equal(first, kept)


def test_takes_batches_that_cannot_be_written_or_are_not_contiguous(runtime, pixels):
    expected = runtime.run(pixels[::2].copy())
    frozen = pixels.copy()
    frozen.flags.writeable = False

    assert np.array_equal(runtime.run(frozen[::2]), expected)


def test_threads_share_it(runtime, pixels):
    expected = runtime.run(pixels)
    results = []

    def work():
        results.extend(runtime.run(pixels) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(results) == 20
    assert all(np.array_equal(result, expected) for result in results)


def test_one_can_be_thrown_away_as_soon_as_it_has_run(pixels):
    features = set()
    for _ in range(60):
        features.add(open_runtime(Network("tiny"), device="cpu").run(pixels[:5]).tobytes())

    assert len(features) == 1


def test_hands_out_maps_where_nothing_is_pooled(pixels):
    maps = open_runtime(Network("tiny", pooling="none"), device="cpu")

    assert maps.run(pixels[:2]).shape == (2, 7, 7, 512)
    assert maps.dimension == 512


def test_a_mirror_averages_with_the_mirror_image(runtime, pixels):
    turned = np.ascontiguousarray(pixels[:, :, ::-1])
    mirror = open_runtime(Network("tiny", mirror=True), device="cpu")

    np.testing.assert_allclose(mirror.run(pixels), (runtime.run(pixels) + runtime.run(turned)) / 2, atol=1e-5)
    np.testing.assert_allclose(mirror.run(turned), mirror.run(pixels), atol=1e-5)
    maps = open_runtime(Network("tiny", mirror=True, pooling="none"), device="cpu").run(pixels)
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), mirror.run(pixels), atol=1e-5)
    alone = open_runtime(Network("tiny", pooling="none"), device="cpu")
    expected = (alone.run(pixels) + alone.run(turned)[:, :, ::-1]) / 2
    np.testing.assert_allclose(maps, expected, atol=1e-5)


def test_a_grid_is_the_means_of_nine_regions(pixels):
    maps = open_runtime(Network("tiny", pooling="none"), device="cpu").run(pixels)
    grid = open_runtime(Network("tiny", pooling="grid"), device="cpu").run(pixels)

    spans = [(0, 3), (2, 5), (4, 7)]  # of the 7 cells of a side
    regions = [maps[:, a:b, c:d].mean(axis=(1, 2)) for a, b in spans for c, d in spans]
    np.testing.assert_allclose(grid, np.concatenate(regions, axis=1), atol=1e-5)


def test_precision_that_the_cpu_has_not_is_refused():
    import openvino

    capabilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if all(capability in capabilities for capability in OPENVINO_CAPABILITIES.values()):
        pytest.skip("this CPU computes in every precision")
    precision = next(
        name for name, capability in OPENVINO_CAPABILITIES.items() if capability not in capabilities
    )

    with pytest.raises(UsageError, match=f"precision {precision!r} would gain nothing.*use 'float32'"):
        open_runtime(Network("tiny"), device="cpu", precision=precision)


def test_bfloat16_stays_close_to_float32(runtime, pixels):
    import openvino

    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU has neither AVX512-BF16 nor AMX")
    rounded = open_runtime(Network("tiny"), device="cpu", precision="bfloat16")

    assert cosine(rounded.run(pixels), runtime.run(pixels)).min() >= 0.999


@pytest.mark.parametrize(("option", "value"), [("device", "tpu"), ("precision", "int8")])
def test_unknown_values_are_refused_with_those_there_are(option, value):
    with pytest.raises(UsageError, match=f"^{option} '{value}' is not known; it is one of"):
        open_runtime(Network("tiny"), **{option: value})


def test_a_gpu_that_is_not_there_is_told_without_importing_keras(monkeypatch):
    code = (
        "import sys\n"
        "from embed.backbones import Network, open_runtime\n"
        "from embed.errors import UsageError\n"
        "assert open_runtime(Network('tiny'), device='auto').device == 'cpu'\n"
        "try: open_runtime(Network('tiny'), device='gpu')\n"
        "except UsageError as error: print(error)\n"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)\n"
    )

    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout == "device 'gpu' cannot be used: no GPU is visible; use 'cpu'\n"


def test_a_driver_alone_makes_no_gpu(monkeypatch, tmp_path):
    driver = tmp_path / "nvidiactl"
    driver.write_text("")
    monkeypatch.setattr(gpu, "DRIVER_FILES", (str(driver),))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    assert gpu.driver_present()
    if gpu.problem() is None:
        pytest.skip("this machine has a GPU that Keras can use")
    assert re.fullmatch(r"\w+, which Keras is configured for, finds no GPU", gpu.problem())
    assert open_runtime(Network("tiny"), device="auto").device == "cpu"
    with pytest.raises(UsageError, match=r"device 'gpu' cannot be used: .*ONNX Runtime.*; use 'cpu'"):
        open_runtime(Network("tiny"), device="gpu")


KERAS_RUN = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np
from embed.backbones import Network
from embed.backbones.gpu import KerasRuntime

pixels, (backbone, weights, preprocess) = np.load(sys.argv[1]), json.loads(sys.argv[2])
options = {"backbone": backbone, "weights": weights and Path(weights), "preprocess": preprocess}
runs = {}
for precision in ("float32", "bfloat16"):
    network = Network(**options, size=64, pooling="grid", mirror=precision == "bfloat16").resolve()
    runtime = KerasRuntime(network, precision, gpu=False, batch_size=4)
    runs[precision] = runtime.run(pixels)
    with ThreadPoolExecutor(3) as threads:
        pieces = list(threads.map(runtime.run, [pixels[:3], pixels[3:4], pixels[4:8]]))
    assert [len(features) for features in pieces] == [3, 1, 4]
    assert np.array_equal(np.concatenate(pieces), runs[precision][:8])
    assert runtime.run(pixels[:0]).shape == (0, runtime.dimension)
np.savez(sys.argv[3], **runs)
import keras
print(json.dumps([runtime.device, runtime.dimension, keras.backend.backend()]))
"""


@pytest.fixture(params=["small", pytest.param("mobilenetv2", marks=pytest.mark.giant)])
def random_network(request, tmp_path):
    """Backbone, weights and preprocessing of a network with random weights, and the number of its channels; XLA takes half a minute for the larger one."""
    import keras

    keras.utils.set_random_seed(20)
    if request.param == "mobilenetv2":
        file = tmp_path / "random.weights.h5"
        keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(64, 64, 3)).save_weights(
            file
        )
        return ("mobilenetv2", file, None), 1280
    file = tmp_path / "small.keras"
    pixels = keras.Input((64, 64, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1)(pixels)
    x = keras.layers.Conv2D(24, 3, strides=4, padding="same", activation="relu")(x)
    x = keras.layers.DepthwiseConv2D(3, strides=2, padding="same")(x)
    x = keras.layers.ReLU(6)(keras.layers.BatchNormalization()(x))
    keras.Model(pixels, x).save(file)
    return (str(file), None, "none"), 24


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_keras_gives_the_same_features_on_each_of_its_backends(backend, random_network, pixels, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    (backbone, weights, preprocess), channels = random_network
    small = np.ascontiguousarray(pixels[:, :64, :64])
    np.save(tmp_path / "pixels.npy", small)
    arguments = [
        tmp_path / "pixels.npy",
        json.dumps(random_network[0], default=str),
        tmp_path / "features.npz",
    ]

    done = subprocess.run(
        [sys.executable, "-c", KERAS_RUN, *arguments],
        env={**os.environ, "KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["cpu", 9 * channels, backend]
    features = np.load(tmp_path / "features.npz")
    for precision, closest in (("float32", 0.9999), ("bfloat16", 0.999)):
        network = Network(
            backbone, weights, preprocess=preprocess, size=64, pooling="grid", mirror=precision == "bfloat16"
        )
        expected = open_runtime(network, device="cpu").run(small)
        assert features[precision].dtype == np.float32
        assert cosine(features[precision], expected).min() >= closest


@pytest.mark.imagenet
def test_real_weights_give_the_features_of_keras(keras_home, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(keras_home))
    import keras

    generator = np.random.default_rng(5)
    blocks = generator.integers(0, 256, (4, 28, 28, 3), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    network = Network("mobilenetv2").resolve()
    model = keras.applications.MobileNetV2(
        weights=None, include_top=False, pooling="avg", input_shape=(224, 224, 3)
    )
    model.load_weights(network.weights_file)
    expected = np.asarray(model(keras.applications.mobilenet_v2.preprocess_input(blocks.astype(np.float32))))

    features = open_runtime(network, device="cpu").run(blocks)

    assert np.abs(features - expected).max() <= 1e-4 * np.abs(expected).max()
