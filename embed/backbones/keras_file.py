"""A backbone that is a `.keras` file of the user's own: a functional or sequential model of Keras's own layers."""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embed.backbones import weights
from embed.backbones.backbone import (
    CLASSES,
    NOT_TRAINED,
    SMALLEST,
    USUAL_SIZE,
    Request,
    ResolvedNetwork,
    Weights,
    network_name,
)
from embed.backbones.preprocess import CHANNELS, parse, recognised
from embed.errors import UsageError, WeightsError

if TYPE_CHECKING:
    import keras
    import openvino

    from embed.backbones.cuts import Cut
    from embed.backbones.tail import Tail

CONFIG, LARGEST_CONFIG = "config.json", 64 << 20  # bytes
MODELS = {"Functional", "Sequential", "Model"}
# What a model of its own begins with where it takes whole pixels: layers, and operations on the input.
OWN_PREPROCESSING = {"Rescaling", "Normalization", "TrueDivide", "Divide", "Subtract", "Multiply"}
PASSED_OVER = {
    "InputLayer",
    "Resizing",
    "RandomFlip",
    "RandomRotation",
    "RandomZoom",
    "Cast",
    "GetItem",
    "Stack",
}
# What the models of keras.applications take whose graph does not hold it, by how their names begin
# (https://github.com/keras-team/keras/tree/master/keras/src/applications): the longer name first.
APPLICATIONS = (
    ("resnet50v2", "minus1to1"),
    ("resnet101v2", "minus1to1"),
    ("resnet152v2", "minus1to1"),
    ("resnet", "caffe"),
    ("vgg", "caffe"),
    ("densenet", "imagenet"),
    ("mobilenet", "minus1to1"),
    ("inception", "minus1to1"),
    ("xception", "minus1to1"),
    ("nasnet", "minus1to1"),
)
POOLING = {"GlobalAveragePooling2D", "GlobalMaxPooling2D", "Flatten", "Dropout"}


@dataclass(frozen=True, kw_only=True)
class KerasFile:
    """A model of the user's own in a `.keras` file. See `Backbone`.

    Parameters
    ----------
    name : str
    file : Path or None
        None where the file is not known, as long as there is an export of it.
    layer : str
        Name of the layer of the model that is read by default.
    preprocess : str
        As `preprocess.parse` reads it.
    """

    name: str
    file: Path | None
    input_size: int = USUAL_SIZE
    min_size: int = SMALLEST
    layer: str = ""
    preprocess: str
    notes: tuple[str, ...] = ()
    published: str = ""
    apart: bool = True
    framework: str = "keras"

    def weights(self, request: Request, own_file: Path | None) -> Weights:
        """Return the weights, which the file holds. See `Backbone.weights`."""
        if own_file is not None:
            raise UsageError(
                f"{str(own_file)!r} cannot be used: {self.name} brings its own weights", "weights"
            )
        assert self.file is not None
        try:
            return Weights(self.name, weights.hash_file(self.file), self.file.absolute())
        except OSError as error:
            raise WeightsError(f"The network {self.file} cannot be read: {error.strerror}.") from error

    def graph(self, network: ResolvedNetwork) -> "openvino.Model":
        """Return the graph up to the layer that is read. See `Backbone.graph`."""
        from embed.backbones import build

        return build.openvino_graph(self.keras_model(network, "float32"))

    def keras_model(self, network: ResolvedNetwork, dtype_policy: str) -> "keras.Model":
        """Return the model up to the layer that is read. See `Backbone.keras_model`."""
        import keras

        from embed.backbones import build

        assert network.weights_file is not None
        _config(network.weights_file)
        taken = parse(self.preprocess)
        with build.settings(dtype_policy):
            model = _load(network.weights_file)
            target = build.find_layer(model, network.layer, self.name)
            size = model.input_shape[1]
            if size not in (None, network.size):
                raise UsageError(
                    f"{network.size} cannot be used: {self.name} takes pictures of {size} pixels only; leave it away",
                    "size",
                )
            pixels = keras.Input((network.size, network.size, CHANNELS), dtype="uint8", name="pixels")
            x = keras.ops.cast(pixels, "float32")
            if taken.bgr:
                x = x[..., ::-1]
            x = (x - np.array(taken.mean, np.float32)) / np.array(taken.std, np.float32)
            x = keras.Model(model.inputs, target)(x)
            return keras.Model(pixels, keras.ops.cast(x, "float32"), name="network")

    def cuts(self, request: Request) -> "list[Cut]":
        """Raise UsageError: networks of keras.applications are tuned."""
        raise UsageError(NOT_TRAINED.format(name=self.name), "backbone")

    def tail(self, network: ResolvedNetwork, cut: str) -> "Tail":
        """Raise UsageError: networks of keras.applications are tuned."""
        raise UsageError(NOT_TRAINED.format(name=self.name), "backbone")


def from_file(file: Path, preprocess: str | None) -> KerasFile:
    """Return the model of a user's `.keras` file, with what can be read off it; Keras is not imported.

    Raises
    ------
    WeightsError
        It cannot be read, is none, or has layers that are not Keras's own.
    UsageError
        It takes no pictures, or does not say how it takes their pixels and neither does `preprocess`.
    """
    config = _config(file)
    layers = _layers(config)
    shape = _input_shape(config)
    if shape is None or len(shape) != 4 or shape[3] != CHANNELS:
        raise UsageError(
            f"{str(file)!r} takes no colour pictures: its input is {shape}, not (n, h, w, 3)", "backbone"
        )
    if shape[1] != shape[2]:
        raise UsageError(
            f"{str(file)!r} takes pictures of {shape[1]} × {shape[2]} pixels; only squares can be made",
            "backbone",
        )
    notes = []
    if preprocess is None:
        preprocess, note = recognised(file, _recognise(config, layers))
        notes.append(note)
    layer = _default_layer(layers)
    notes.append(f"{file.name} is read at {layer!r}; --output takes another")
    return KerasFile(
        name=network_name(file),
        file=file,
        input_size=shape[1] or USUAL_SIZE,
        layer=layer,
        preprocess=parse(preprocess).text,
        notes=tuple(notes),
    )


def from_recipe(name: str, preprocess: str) -> KerasFile:
    """Return the model of a file that is not known, for what was exported from it."""
    return KerasFile(name=name, file=None, preprocess=preprocess)


def _config(file: Path) -> dict[str, Any]:
    """Return how the model in a file is built, where every layer of it is Keras's own."""
    again = "save the model again with model.save('name.keras')"
    try:
        with zipfile.ZipFile(file) as archive:
            if archive.getinfo(CONFIG).file_size > LARGEST_CONFIG:
                raise WeightsError(f"{file} describes a model larger than any; {again}.")
            config = json.loads(archive.read(CONFIG))
        kind = config["class_name"]
        if not isinstance(kind, str):
            raise TypeError
        for layer in (config, *(layer for layer in _layers(config) if layer["class_name"] in MODELS)):
            _layers(layer)
    except OSError as error:
        raise WeightsError(f"The network {file} cannot be read: {error.strerror}.") from error
    except (zipfile.BadZipFile, ValueError, LookupError, TypeError, RecursionError, NotImplementedError):
        raise WeightsError(
            f"{file} is no functional or sequential model of Keras, or damaged; {again}."
        ) from None
    if kind not in MODELS:
        raise WeightsError(
            f"{file} holds a {kind}, a class that only its author's program knows; {again} as a functional model."
        )
    for layer in _walk(config):
        module, name = str(layer.get("module")), layer["class_name"]
        if name == "Lambda" or not (module == "keras" or module.startswith("keras.")):
            raise WeightsError(
                f"{file} has a layer of the class {name}, which runs code that came with the file; it is not read. "
                f"Replace it by layers of Keras's own, and {again}."
            )
    return dict(config)


def _walk(node: Any) -> Iterator[dict[str, Any]]:
    """Yield everything in a configuration that names a class to be made."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if isinstance(node.get("class_name"), str) and node["class_name"] not in (
                "__tuple__",
                "__keras_tensor__",
            ):
                yield (
                    {"module": "keras", **node}
                    if node.get("module") is None and not node.get("registered_name")
                    else node
                )
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _layers(config: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the layers of a model. Raises KeyError, TypeError or IndexError where they are not described."""
    layers = list(config["config"]["layers"])
    for layer in (layers[0], *layers):
        if not (isinstance(layer["class_name"], str) and isinstance(layer["config"]["name"], str)):
            raise TypeError
    return layers


def _input_shape(config: dict[str, Any]) -> tuple[int | None, ...] | None:
    for layer in _layers(config):
        if layer["class_name"] == "InputLayer":
            shape = layer["config"].get("batch_shape") or layer["config"].get("batch_input_shape")
            return tuple(shape) if isinstance(shape, list) else None
    shape = config["config"].get("build_input_shape")
    return tuple(shape) if isinstance(shape, list) else None


def _recognise(config: dict[str, Any], layers: list[dict[str, Any]]) -> tuple[str, str] | None:
    """Return the name of the preprocessing that a model leaves no doubt about, and what it looks like; or None."""
    first = next((layer for layer in layers if layer["class_name"] not in PASSED_OVER), None)
    if first is None:
        return None
    if first["class_name"] in OWN_PREPROCESSING:
        return "none", "a model that prepares its pixels by itself"
    if first["class_name"] in MODELS:
        return _recognise(first, list(first["config"]["layers"]))
    name = str(config["config"].get("name", "")).lower()
    known = next((preprocess for begin, preprocess in APPLICATIONS if name.startswith(begin)), None)
    return None if known is None else (known, f"{name} of keras.applications")


def _default_layer(layers: list[dict[str, Any]]) -> str:
    """Return the layer that holds the features: before the classes, and before the pooling of the map where there is one."""
    place = len(layers) - 1
    while place > 0 and _tells_classes(layers[place]):
        place -= 1
    before = place
    while before > 0 and layers[before]["class_name"] in POOLING:
        before -= 1
    return str(layers[before]["config"]["name"])


def _tells_classes(layer: dict[str, Any]) -> bool:
    kind, config = layer["class_name"], layer["config"]
    if kind == "Dense":
        return config.get("activation") in ("softmax", "sigmoid") or config.get("units") in CLASSES
    return kind in ("Softmax", "Dropout") or (
        kind == "Activation" and config.get("activation") in ("softmax", "sigmoid")
    )


def _load(file: Path) -> "keras.Model":
    import keras

    try:
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, AttributeError, IndexError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise WeightsError(f"Keras cannot read the model in {file}: {reason}.") from None
    return model
