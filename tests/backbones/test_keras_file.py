"""Networks of the user's own in `.keras` files, against Keras itself."""

import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from embed.backbones import Network, child, get, open_runtime
from embed.backbones.network import from_json
from embed.backbones.write import write
from embed.errors import UsageError, WeightsError

SIZE = 32
PIXELS = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)
CLOSE = {"rtol": 1e-3, "atol": 1e-4}


@pytest.fixture(autouse=True)
def embed_home(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBED_HOME", str(tmp_path / "home"))
    keras.utils.set_random_seed(0)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "net.keras"


def base(size=SIZE, name="base"):
    pixels = keras.Input((size, size, 3))
    x = keras.layers.Conv2D(5, 8, strides=8, name="conv")(pixels)
    x = keras.layers.BatchNormalization()(x)
    return keras.Model(pixels, keras.layers.ReLU(name="map")(x), name=name)


def classifier(*first):
    """Return a model as people fine-tune one: what prepares the pixels, a base, and classes."""
    last = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dropout(0.2)]
    return keras.Sequential(
        [keras.Input((SIZE, SIZE, 3)), *first, base(), *last, keras.layers.Dense(4, activation="softmax")]
    )


def features(file, **options):
    return open_runtime(Network(str(file), **options), "cpu").run(PIXELS)


@pytest.fixture
def in_this_process(monkeypatch):
    """What is not about the process that prepares networks is prepared in this one, which has Keras already."""

    def call(module, job, *_):
        assert module == "embed.backbones.write"
        return write(from_json(job["network"]), Path(job["folder"]))

    monkeypatch.setattr(child, "call", call)


def test_a_classifier_is_read_at_the_map_before_its_classes(file):
    model = classifier(keras.layers.Rescaling(1 / 127.5, -1))
    model.save(file)
    assert (get(str(file)).layer, get(str(file)).preprocess) == ("base", "none")
    maps = model.layers[1](PIXELS / 127.5 - 1, training=False)
    np.testing.assert_allclose(features(file), np.mean(maps, axis=(1, 2)), **CLOSE)
    np.testing.assert_allclose(features(file, pooling="max"), np.max(maps, axis=(1, 2)), **CLOSE)


def test_pixels_become_what_was_asked_and_another_layer_can_be_read(file, in_this_process):
    model = base()
    model.save(file)
    with pytest.raises(UsageError, match=r"preprocess is needed: net\.keras does not say"):
        get(str(file))
    taken = (PIXELS.astype(np.float32) - 127) / 128
    found = features(file, preprocess="mean=127,std=128", layer="conv")
    np.testing.assert_allclose(found, np.mean(model.get_layer("conv")(taken), axis=(1, 2)), **CLOSE)
    blue_first = PIXELS[..., ::-1] - np.array([103.939, 116.779, 123.68], np.float32)
    expected = np.mean(model(blue_first, training=False), axis=(1, 2))
    np.testing.assert_allclose(features(file, preprocess="caffe"), expected, **CLOSE)
    with pytest.raises(UsageError, match=r"layer 'covn' is not in net\.keras; the nearest names are conv"):
        features(file, preprocess="none", layer="covn")


@pytest.mark.parametrize(
    ("name", "preprocess"), [("mobilenetv2_1.00_224", "minus1to1"), ("resnet50", "caffe")]
)
def test_a_model_of_keras_applications_is_recognised(file, name, preprocess):
    base(name=name).save(file)
    assert get(str(file)).preprocess == preprocess
    assert any(f"--preprocess {preprocess}" in note for note in get(str(file)).notes)


def test_a_free_size_is_free_and_a_fixed_one_is_not(file, in_this_process):
    base(size=None).save(file)
    assert features(file, preprocess="none", size=SIZE).shape == (3, 5)
    base().save(file)
    with pytest.raises(
        UsageError, match=r"size 64 cannot be used: net\.keras takes pictures of 32 pixels only"
    ):
        features(file, preprocess="none", size=64)


def with_config(file, change):
    base().save(file)
    with zipfile.ZipFile(file) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(content["config.json"])
    change(config)
    content["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return file


def test_a_layer_with_code_of_its_own_never_runs(file, tmp_path):
    pixels = keras.Input((SIZE, SIZE, 3))
    ran = tmp_path / "ran"
    name = str(ran)
    code = keras.layers.Lambda(lambda x: (open(name, "w").close(), x)[1])
    keras.Model(pixels, code(pixels)).save(file)
    ran.unlink(missing_ok=True)
    with pytest.raises(WeightsError, match="Lambda, which runs code"):
        features(file, preprocess="none")
    assert not ran.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config["config"]["layers"][1].update(module="os", class_name="system"),
        lambda config: config["config"]["layers"][1]["config"].update(
            kernel_initializer={"module": "subprocess", "class_name": "Popen", "config": {"args": ["id"]}}
        ),
        lambda config: config["config"]["layers"][1].update(module=None, registered_name="mine>Layer"),
    ],
)
def test_a_class_from_elsewhere_is_not_made(file, change):
    with pytest.raises(WeightsError, match="runs code that came with the file"):
        features(with_config(file, change), preprocess="none")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x05\x06" + bytes(18)])
def test_a_file_that_is_no_model_is_refused(file, content):
    file.write_bytes(content)
    with pytest.raises(WeightsError, match="no functional or sequential model of Keras, or damaged"):
        get(str(file))


def test_a_damaged_description_ends_in_a_sentence(file):
    for change in (
        lambda config: config.clear(),
        lambda config: config.update(config=7),
        lambda config: config.update(class_name={"class_name": "Functional"}),
        lambda config: config["config"].update(layers=[]),
        lambda config: config["config"].update(layers=[3]),
        lambda config: config["config"].update(layers=[{"class_name": "InputLayer"}]),
        lambda config: config["config"]["layers"][0]["config"].update(batch_shape="x"),
        lambda config: config["config"]["layers"][-1].update(config={}),
        lambda config: config["config"]["layers"][1]["config"].update(filters=-1),
    ):
        with pytest.raises((WeightsError, UsageError)):
            features(with_config(file, change), preprocess="none")
