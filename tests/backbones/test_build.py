"""The exported graph of every backbone against Keras's own preprocessing and model."""

import h5py
import keras
import numpy as np
import pytest

from embed.backbones import BACKBONES, Network, ResolvedNetwork, build
from embed.backbones.cpu import OpenVINORuntime
from embed.backbones.write import write
from embed.errors import UsageError, WeightsError

# The small ones for the ordinary run; the others are built when all are.
REPRESENTATIVES = {"mobilenetv2", "mobilenetv3small"}
# What Keras says of MobileNetV3's weights, which are those for 224 pixels.
default_shape = pytest.mark.filterwarnings("ignore:`input_shape` is undefined or non-square:UserWarning")
EVERY_BACKBONE = [
    pytest.param(name, marks=() if name in REPRESENTATIVES else pytest.mark.giant)
    for name in BACKBONES
    if name != "tiny"
]
# Small pictures, for speed, that still leave a map of some cells to pool.
SIZE = 64
SIZES = {"inceptionv3": 128, "inceptionresnetv2": 128, "xception": 96}
TOLERANCE = 1e-4  # relative to the largest feature


@pytest.fixture(autouse=True)
def fresh_session():
    keras.utils.clear_session()
    keras.utils.set_random_seed(20)
    yield
    keras.utils.clear_session()


@pytest.fixture(autouse=True)
def random_weights_are_as_good_as_published():
    with pytest.MonkeyPatch.context() as patch:  # of its own, since tests undo theirs
        patch.setattr(build, "check_published", lambda *_: None)
        yield


@pytest.fixture
def keras_without_downloads(monkeypatch):
    """Keras's own models for `weights="imagenet"`, file and all, but left with their random weights."""
    from keras.src.utils import file_utils

    asked = []

    def get_file(fname, origin, **options):
        asked.append(fname)
        return fname

    monkeypatch.setattr(file_utils, "get_file", get_file)
    monkeypatch.setattr(keras.Model, "load_weights", lambda model, path: None)
    return asked


def photographs(size, n=3):
    """Batches like photographs: smooth, every level of every channel in use."""
    generator = np.random.default_rng(size)
    coarse = generator.integers(0, 256, (n, 4, 4, 3)).astype(np.float32)
    fine = np.asarray(keras.ops.image.resize(coarse, (size, size), interpolation="bilinear"))
    return np.clip(fine + generator.normal(0, 12, fine.shape), 0, 255).astype(np.uint8)


def network(name, weights_file, label="imagenet", **changes):
    backbone = BACKBONES[name]
    fields = {
        "backbone": backbone,
        "weights": label,
        "weights_sha256": "0" * 64,
        "weights_file": weights_file,
        "layer": backbone.layer,
        "pooling": "avg",
        "size": SIZES.get(name, SIZE),
    }
    return ResolvedNetwork(**{**fields, **changes})


def features(resolved, folder, pixels):
    write(resolved, folder)
    return OpenVINORuntime(resolved, lambda: folder / "model.xml").run(pixels)


def assert_close(actual, expected):
    assert actual.shape == expected.shape
    assert np.isfinite(expected).all()
    scale = np.abs(expected).max()
    assert scale > 0
    assert np.abs(actual - expected).max() <= TOLERANCE * scale


@default_shape
@pytest.mark.parametrize("name", EVERY_BACKBONE)
def test_exported_graph_agrees_with_keras(name, keras_without_downloads, monkeypatch, tmp_path):
    backbone = BACKBONES[name]
    weights_file = tmp_path / "random.weights.h5"
    resolved = network(name, weights_file)
    make = getattr(keras.applications, backbone.keras_name)
    reference = make(
        weights="imagenet", include_top=False, pooling="avg", input_shape=(resolved.size, resolved.size, 3)
    )
    reference.save_weights(weights_file)
    pixels = photographs(resolved.size)
    module = getattr(keras.applications, backbone.module)
    expected = np.asarray(reference(module.preprocess_input(pixels.astype(np.float32)), training=False))
    monkeypatch.undo()

    assert expected.shape == (len(pixels), backbone.dimension)
    assert keras_without_downloads == [backbone.weights_file]
    assert backbone.layer in list(build.layer_names(reference))[-2:]
    assert_close(features(resolved, tmp_path, pixels), expected)


@pytest.mark.parametrize("pooling", ["avg", "grid"])
def test_a_mirror_averages_with_the_mirror_image(pooling, tmp_path):
    weights_file = tmp_path / "random.weights.h5"
    keras.applications.MobileNet(weights=None, include_top=False, input_shape=(SIZE, SIZE, 3)).save_weights(
        weights_file
    )
    pixels = photographs(SIZE)
    turned = np.ascontiguousarray(pixels[:, :, ::-1])
    for folder in ("plain", "mirror"):
        (tmp_path / folder).mkdir()
    alone = network("mobilenet", weights_file, pooling="none")
    maps = features(alone, tmp_path / "plain", pixels)
    maps = (maps + features(alone, tmp_path / "plain", turned)[:, :, ::-1]) / 2
    expected = maps.mean(axis=(1, 2))
    if pooling == "grid":  # of 2 × 2 cells: the middle region is all of them, an edge one of two
        spans = [(0, 1), (0, 2), (1, 2)]
        expected = np.concatenate(
            [maps[:, a:b, c:d].mean(axis=(1, 2)) for a, b in spans for c, d in spans], axis=1
        )
    mirror = network("mobilenet", weights_file, pooling=pooling, mirror=True)
    assert mirror.fingerprint != network("mobilenet", weights_file, pooling=pooling).fingerprint
    assert_close(features(mirror, tmp_path / "mirror", pixels), expected)


@pytest.mark.giant
@default_shape
@pytest.mark.parametrize("name", [name for name in BACKBONES if name != "tiny"])
def test_table_agrees_with_keras(name, keras_without_downloads, monkeypatch):
    backbone = BACKBONES[name]
    monkeypatch.setattr(
        keras.initializers.VarianceScaling,
        "__call__",
        lambda self, shape, dtype=None, **_: np.zeros(shape, dtype),
    )
    whole = getattr(keras.applications, backbone.keras_name)(weights="imagenet", include_top=True)

    assert keras_without_downloads == [backbone.weights_file_with_classifier]
    assert whole.count_params() == backbone.parameters
    assert whole.input_shape[1] in (backbone.input_size, None)
    assert set(backbone.classifier_layers) <= set(build.layer_names(whole))


def random_weights(folder, name="random.weights.h5", *, classifier=False, size=32, keras_name="MobileNet"):
    """A weights file of an application as a user may have saved it, and the model it came from, without a classifier."""
    make = getattr(keras.applications, keras_name)
    headless = make(weights=None, include_top=False, input_shape=(size, size, 3))
    saved = headless
    if classifier:
        saved = make(weights=None, include_top=True)
        headless.set_weights(saved.get_weights()[: len(headless.get_weights())])
    file = folder / name
    if file.name.endswith(".weights.h5"):
        saved.save_weights(file)
    else:
        saved.save(file)
    return file, headless


def built(resolved):
    return build.complete(build.build(resolved.backbone, resolved), resolved)


def run_built(resolved, pixels):
    return np.asarray(built(resolved)(pixels, training=False))


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file:UserWarning")
@pytest.mark.parametrize(
    ("name", "classifier"), [("mine.weights.h5", False), ("mine.h5", True), ("mine.keras", False)]
)
def test_weights_file_of_the_users_own(name, classifier, tmp_path):
    file, headless = random_weights(tmp_path, name, classifier=classifier)
    pixels = photographs(32)
    resolved = network("mobilenet", file, label=name, pooling="flatten", size=32)

    expected = np.asarray(headless(pixels / np.float32(127.5) - 1)).reshape(len(pixels), -1)

    assert_close(run_built(resolved, pixels), expected)


def test_weights_of_another_backbone_do_not_fit(tmp_path):
    file, _ = random_weights(tmp_path)

    with pytest.raises(WeightsError, match=r"random\.weights\.h5 do not fit mobilenetv2: [^\n]*$"):
        built(network("mobilenetv2", file, label=file.name, size=32))


def test_weights_file_that_lacks_a_layer_is_refused(tmp_path):
    file, _ = random_weights(tmp_path)
    with h5py.File(file, "r+") as saved:
        del saved["layers"]["conv2d"]

    with pytest.raises(WeightsError, match=r"do not fit mobilenet"):
        built(network("mobilenet", file, label=file.name, size=32))


@pytest.mark.parametrize("rescaled", [False, True])
def test_own_efficientnet_weights_keep_the_rescaling_they_were_trained_with(
    rescaled, keras_without_downloads, monkeypatch, tmp_path
):
    own = keras.applications.EfficientNetB0(
        weights="imagenet" if rescaled else None, include_top=False, pooling="avg", input_shape=(32, 32, 3)
    )
    file = tmp_path / "own.weights.h5"
    own.save_weights(file)
    monkeypatch.undo()
    pixels = photographs(32)

    actual = run_built(network("efficientnetb0", file, label=file.name, size=32), pixels)

    assert_close(actual, np.asarray(own(pixels.astype(np.float32))))


def test_reads_a_layer_in_the_middle_and_pools_its_map(tmp_path):
    pixels = photographs(64)
    file, whole = random_weights(tmp_path, size=64)
    layer = "conv_pw_3_relu"
    maps = np.asarray(keras.Model(whole.input, whole.get_layer(layer).output)(pixels / np.float32(127.5) - 1))

    def features(pooling):
        return run_built(network("mobilenet", file, file.name, size=64, layer=layer, pooling=pooling), pixels)

    assert maps.shape == (3, 16, 16, 128)
    assert_close(features("none"), maps)
    assert_close(features("avg"), maps.mean(axis=(1, 2)))
    assert_close(features("max"), maps.max(axis=(1, 2)))
    assert_close(features("flatten"), maps.reshape(len(maps), -1))


def test_layer_of_the_classifier_is_taken_as_it_is(tmp_path):
    file, _ = random_weights(tmp_path, classifier=True)
    pixels = photographs(224, n=1)

    probabilities = run_built(network("mobilenet", file, "own", layer="predictions", size=224), pixels)

    assert probabilities.shape == (1, 1000)
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_unknown_layer_names_the_nearest(tmp_path):
    file, _ = random_weights(tmp_path)

    with pytest.raises(
        UsageError, match=r"layer 'conv_dw_6_rel' is not in mobilenet; the nearest names are conv_dw_6_relu"
    ):
        built(network("mobilenet", file, file.name, size=32, layer="conv_dw_6_rel"))


def test_numbered_layers_keep_their_names_whatever_was_built_before():
    def shapes():
        model = keras.applications.MobileNetV3Small(weights=None, include_top=False, input_shape=(32, 32, 3))
        return {name: layer.output.shape for name, layer in build.layer_names(model).items()}

    first = shapes()

    assert "activation_17" in first
    assert shapes() == first


def test_settings_of_the_callers_program_do_not_reach_the_network(tmp_path):
    file, _ = random_weights(tmp_path)
    pixels = photographs(32)
    resolved = network("mobilenet", file, file.name, size=32)
    expected = run_built(resolved, pixels)
    keras.config.set_image_data_format("channels_first")
    keras.config.set_floatx("float16")
    try:
        assert_close(run_built(resolved, pixels), expected)
        assert keras.config.image_data_format() == "channels_first"
        assert keras.config.floatx() == "float16"
    finally:
        keras.config.set_image_data_format("channels_last")
        keras.config.set_floatx("float32")


@pytest.mark.imagenet
def test_other_sizes_keep_the_weights_of_the_usual_one(keras_home, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(keras_home))
    usual = Network("mobilenetv2").resolve()
    small = Network("mobilenetv2", size=96).resolve()

    assert small.weights_file == usual.weights_file
    assert small.fingerprint != usual.fingerprint
    kernels = [built(resolved).get_weights() for resolved in (usual, small)]
    assert all(np.array_equal(*pair) for pair in zip(*kernels, strict=True))
