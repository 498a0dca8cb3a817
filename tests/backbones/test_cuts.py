"""Where networks can be cut, and that what is above a cut makes of its output what the whole network makes of the pixels."""

import h5py
import keras
import numpy as np
import pytest

from embed.backbones import BACKBONES, Network, ResolvedNetwork, build, choose_cut, get
from embed.backbones.backbone import Request
from embed.backbones.cuts import Cut, cuts_between
from embed.backbones.tail import cuts_of
from embed.errors import UsageError

SIZES = {"inceptionv3": 96, "inceptionresnetv2": 96, "xception": 96}
LARGE = (
    "convnexttiny",
    "densenet121",
    "efficientnetb0",
    "efficientnetv2b0",
    "inceptionresnetv2",
    "inceptionv3",
    "mobilenetv2",
    "mobilenetv3small",
    "resnet50",
    "resnet50v2",
    "vgg16",
    "vgg19",
    "xception",
)
# As many cuts as those who looked with other eyes have counted, at the size that the network was trained with.
COUNTED = {
    "mobilenetv2": 73,
    "resnet50": 38,
    "vgg16": 18,
    "vgg19": 21,
    "efficientnetb0": 80,  # 82 with its rescaling and normalisation, which are below the factor that comes with the weights
    "densenet121": 78,
    "inceptionv3": 28,
    "xception": 24,
    "convnexttiny": 24,
    "nasnetmobile": 4,
}


@pytest.fixture(autouse=True)
def fresh_session():
    keras.utils.clear_session()
    keras.utils.set_random_seed(7)
    yield
    keras.utils.clear_session()


def names(model):
    return {id(layer): layer.name for layer in model.layers}


def cuts(model):
    return [cut.layer for cut in cuts_between(model, names(model))]


def dense(name, units=4):
    return keras.layers.Dense(units, name=name)


def test_a_layer_beside_which_a_path_leads_is_no_cut():
    pixels = keras.Input((4,), name="pixels")
    a = dense("a")(pixels)
    left, right = dense("left")(a), dense("right")(a)
    added = keras.layers.Add(name="added")([left, right])
    b = dense("b")(added)
    around = keras.layers.Add(name="around")([b, a])
    model = keras.Model(pixels, dense("last")(around))
    assert cuts(model) == ["a", "around", "last"]


def test_paths_are_counted_exactly_whatever_their_number():
    x = pixels = keras.Input((2,), name="pixels")
    for i in range(70):  # 2^70 paths, which no float and no 64 bits can count
        x = keras.layers.Add(name=f"add_{i}")([x, keras.layers.ReLU(name=f"relu_{i}")(x)])
    y = keras.layers.Add(name="end")([keras.layers.ReLU(name="beside")(pixels), x])
    assert cuts(keras.Model(pixels, x)) == [f"add_{i}" for i in range(70)]
    assert cuts(keras.Model(pixels, y)) == ["end"]


def test_work_and_weights_above_a_cut():
    pixels = keras.Input((8, 8, 3), name="pixels")
    x = keras.layers.Conv2D(2, 3, padding="same", name="first", use_bias=False)(pixels)  # 8·8·54
    x = keras.layers.MaxPooling2D(2, name="pool")(x)
    x = keras.layers.Conv2D(5, 1, name="second")(x)  # 4·4·10
    found = {cut.layer: cut for cut in cuts_between(*(lambda m: (m, names(m)))(keras.Model(pixels, x)))}
    all_work = 64 * 54 + 16 * 10
    assert found["first"] == Cut("first", (8, 8, 2), 160 / all_work, 15)
    assert found["pool"] == Cut("pool", (4, 4, 2), 160 / all_work, 15)
    assert found["second"] == Cut("second", (4, 4, 5), 0.0, 0)
    assert found["pool"].kilobytes == 0.064


def test_by_default_a_quarter_of_the_work_is_above_and_the_output_is_small():
    def cut(layer, values, above, weights=1):
        return Cut(layer, (values,), above, weights)

    network = [
        cut("early", 9, 0.9),
        cut("wide", 90, 0.26),
        cut("small", 5, 0.3),
        cut("late", 5, 0.2),
        cut("end", 1, 0),
    ]
    assert choose_cut(network, "net").layer in ("small", "late")
    assert choose_cut(network, "net", "wide").layer == "wide"
    with pytest.raises(UsageError, match=r"cut 'middle' is no cut of net: .* others that `list_cuts` names"):
        choose_cut(network, "net", "middle")
    with pytest.raises(UsageError, match="'end' has nothing above it"):
        choose_cut([*network[:-1], cut("end", 1, 0, 0)], "net", "end")
    with pytest.raises(UsageError, match=r"'net' cannot be tuned on kept outputs: .* 90% of the work"):
        choose_cut([network[0], cut("end", 1, 0, 0)], "net")


def weights_of(application, size, tmp_path):
    """Return a file of random weights, in which batch normalisation does something."""
    request = Request(layer=application.layer, pooling="avg", size=size)
    base = build.make_base(application, request, classifier=False)
    for variable in base.non_trainable_variables:
        if "variance" in variable.name:
            variable.assign(np.random.default_rng(0).uniform(0.5, 1.5, variable.shape))
    file = tmp_path / "random.weights.h5"
    base.save_weights(file)
    if application.module == "efficientnet":  # as those that were fine-tuned from ImageNet's
        with h5py.File(file, "a") as saved:
            saved.create_group("layers/rescaling_1/vars")
    return file


def resolved(application, file, size, **changes):
    fields = {"layer": application.layer, "pooling": "avg", "size": size, **changes}
    return ResolvedNetwork(
        backbone=application, weights=file.name, weights_sha256="0" * 64, weights_file=file, **fields
    )


@pytest.mark.filterwarnings("ignore:`input_shape` is undefined or non-square:UserWarning")
@pytest.mark.parametrize(
    "name", ["mobilenet", *(pytest.param(name, marks=pytest.mark.torture) for name in LARGE)]
)
def test_what_is_above_a_cut_makes_of_its_output_what_the_whole_makes_of_the_pixels(name, tmp_path):
    application, size = BACKBONES[name], SIZES.get(name, 64)
    file = weights_of(application, size, tmp_path)
    whole = resolved(application, file, size)
    found = cuts_of(application, whole)
    assert len(found) > 8
    cut = choose_cut(found, name)
    pixels = np.random.default_rng(1).integers(0, 256, (2, size, size, 3), dtype=np.uint8)

    features = build.complete(application.keras_model(whole, "float32"), whole)(pixels)
    below = resolved(application, file, size, layer=cut.layer, pooling="none")
    outputs = application.keras_model(below, "float32")(pixels)
    tail = application.tail(whole, cut.layer)

    assert tuple(outputs.shape[1:]) == cut.shape
    again = np.asarray(tail.model(outputs, training=False))
    scale = np.abs(features).max()
    assert scale > 0
    np.testing.assert_allclose(again, features, atol=1e-5 * scale)
    assert sum(np.prod(one.shape) for one in tail.model.trainable_weights) == cut.weights_above

    # What was trained is in the file, and the file is read as any other.
    for variable in tail.model.trainable_variables:
        variable.assign(variable + 0.01 * np.sign(variable))
    moved = np.asarray(tail.model(outputs, training=False))
    tail.save(tmp_path / "tuned.weights.h5")
    tuned = resolved(application, tmp_path / "tuned.weights.h5", size)
    features = build.complete(application.keras_model(tuned, "float32"), tuned)(pixels)
    np.testing.assert_allclose(features, moved, atol=1e-5 * np.abs(moved).max())
    assert np.abs(moved - again).max() > 1e-4 * scale


@pytest.mark.torture
@pytest.mark.parametrize(("name", "count"), COUNTED.items())
def test_as_many_cuts_as_were_counted(name, count):
    backbone = BACKBONES[name]
    found = cuts_of(backbone, Request(layer=backbone.layer, pooling="avg", size=backbone.input_size))
    assert len(found) == count


def test_nothing_is_below_the_factor_of_efficientnet():
    application = BACKBONES["efficientnetb0"]
    found = cuts_of(application, Request(layer=application.layer, pooling="avg", size=32))
    assert found[0].layer == "stem_conv_pad"


@pytest.mark.parametrize("name", ["tiny", "own.keras", "own.onnx"])
def test_networks_in_files_are_not_tuned(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if name == "own.keras":
        keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Conv2D(2, 8)]).save(name)
    elif name == "own.onnx":
        import onnx_networks

        onnx_networks.network(tmp_path / name, size=32, end="dense")
    with pytest.raises(UsageError, match=f"'{name}' cannot be tuned"):
        Network(name, preprocess=None if name == "tiny" else "none").cuts()
    with pytest.raises(UsageError, match="cannot be tuned"):
        get(name, None if name == "tiny" else "none").tail(None, "layer")
