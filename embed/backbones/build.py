"""The part that needs Keras: building a network, giving it its weights, exporting it."""

import difflib
import math
import os
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embed.backbones import store, tiny
from embed.backbones.network import NO_POOLING, ResolvedNetwork, grid_spans
from embed.backbones.quiet import import_openvino
from embed.backbones.table import TINY
from embed.errors import UsageError, WeightsError

if TYPE_CHECKING:
    import keras
    import openvino

# EfficientNet's published weights were trained on pixels divided by the variance. Keras divides by the standard
# deviation and puts this factor behind it, but only when it loads those weights itself.
IMAGENET_STDDEV = (0.229, 0.224, 0.225)
NEAREST_SHOWN = 5


def build(network: ResolvedNetwork, dtype_policy: str = "float32") -> "keras.Model":
    """Build the Keras model: uint8 pixels (n, size, size, 3), RGB, in; float32 features out, preprocessing included.

    Raises WeightsError where the weights do not fit and UsageError for a layer that does not exist or cannot be read.
    """
    import keras

    with _settings(dtype_policy):
        base = _base(network)
        shape = (network.size, network.size, 3)
        pixels = keras.Input(shape, dtype="uint8", name="pixels")
        x = keras.ops.cast(pixels, "float32")
        if network.mirror:
            x = keras.ops.concatenate([x, keras.ops.flip(x, axis=2)], axis=0)
        if network.backbone.module:
            x = getattr(keras.applications, network.backbone.module).preprocess_input(x)
        target = _target(base, network)
        start = _imagenet_rescaling(base, network)
        if start is not None:
            x = keras.Model(base.inputs, start)(x)
            x = keras.layers.Rescaling([1.0 / math.sqrt(stddev) for stddev in IMAGENET_STDDEV])(x)
            x = keras.Model(start, target)(x)
        else:
            x = keras.Model(base.inputs, target)(x)
        if network.mirror:
            x = _mean_of_both(x)
        features = keras.ops.cast(_pool(x, network), "float32")
        return keras.Model(pixels, features, name=network.backbone.name)


def export(network: ResolvedNetwork, folder: Path) -> dict[str, Any]:
    """Write the network as ``model.xml`` and ``model.bin`` for OpenVINO; return where it came from.

    Needs Keras on TensorFlow.
    """
    import keras
    import tensorflow

    openvino = import_openvino()
    model = build(network)
    graph = _openvino_graph(model, folder)
    graph.set_friendly_name(network.backbone.name)
    store.write_graph(graph, folder)
    return {
        "shape": list(model.output_shape[1:]),
        "libraries": {
            "keras": keras.__version__,
            "openvino": openvino.__version__,
            "tensorflow": tensorflow.__version__,
        },
    }


def _openvino_graph(model: "keras.Model", folder: Path) -> "openvino.Model":
    """Convert a model for OpenVINO, through a file in a folder that is removed again."""
    # The graph is traced with the weights as inputs and written without them, which is quick and small at any size. OpenVINO
    # reads it by itself (its converter of Python objects fails on Python 3.13), and the weights become constants there.
    import tensorflow

    openvino = import_openvino()
    from openvino import opset13 as opset
    from openvino.passes import ConstantFolding, Manager

    trainable = len(model.trainable_variables)
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    pixels = tensorflow.TensorSpec(model.input_shape, tensorflow.uint8, name="pixels")
    values = {f"weight_{number}:0": variable for number, variable in enumerate(variables)}
    specs = [
        tensorflow.TensorSpec(variable.shape, variable.dtype, name=name.removesuffix(":0"))
        for name, variable in values.items()
    ]

    @tensorflow.function(input_signature=[pixels, *specs])
    def forward(pixels: Any, *weights: Any) -> Any:
        return model.stateless_call(weights[:trainable], weights[trainable:], pixels, training=False)[0]

    traced = forward.get_concrete_function()
    file = folder / "traced.pb"
    try:
        file.write_bytes(traced.graph.as_graph_def().SerializeToString())
        graph = openvino.Core().read_model(file)
    finally:
        file.unlink(missing_ok=True)
    inputs = []
    for parameter in graph.get_parameters():
        variable = values.get(parameter.get_friendly_name())
        if variable is None:
            inputs.append(parameter)
        else:
            parameter.output(0).replace(opset.constant(variable.numpy(), shared_memory=True).output(0))
    # Without the spare outputs: TensorFlow's swish leaves one behind each time, a copy of the map that nobody reads.
    graph = openvino.Model([graph.output(traced.outputs[0].name).get_node()], inputs)
    passes = Manager()
    passes.register_pass(ConstantFolding())
    passes.run_passes(graph)
    return graph


@contextmanager
def _settings(dtype_policy: str) -> Iterator[None]:
    """What the published weights assume, whatever keras.json or the caller's program says."""
    import keras

    before = keras.config.image_data_format(), keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy(dtype_policy)
    try:
        yield
    finally:
        keras.config.set_image_data_format(before[0])
        keras.config.set_floatx(before[1])
        keras.config.set_dtype_policy(before[2])


def _base(network: ResolvedNetwork) -> "keras.Model":
    """The application with its weights, pooled by Keras itself where its own pooling is asked for."""
    if network.weights_file is None:
        raise WeightsError(f"The weights file of {network.backbone.name} is gone; put it back.")
    if network.reads_classifier:
        base = _application(network, classifier=True)
        _load(base, network.weights_file, network)
        return base
    if network.backbone is TINY:
        return tiny.build(network.size, network.weights_file)
    base = _application(network, classifier=False)
    try:
        _load(base, network.weights_file, network)
    except WeightsError:
        if network.weights == "imagenet":
            raise
        # A file of the whole network, classifier included: its first weights are those of the features.
        whole = _application(network, classifier=True)
        _load(whole, network.weights_file, network)
        base.set_weights(whole.get_weights()[: len(base.get_weights())])
    return base


def _application(network: ResolvedNetwork, *, classifier: bool) -> "keras.Model":
    import keras

    make = getattr(keras.applications, network.backbone.keras_name)
    if classifier:
        return make(weights=None, include_top=True)
    pooling = network.pooling if _pooled_by_keras(network) else None
    return make(weights=None, include_top=False, input_shape=(network.size, network.size, 3), pooling=pooling)


def _pooled_by_keras(network: ResolvedNetwork) -> bool:
    """Keras's own pooling is more than a mean for some: ConvNeXt normalises after it."""
    return network.layer == network.backbone.layer and network.pooling in ("avg", "max")


def _load(model: "keras.Model", file: Path, network: ResolvedNetwork) -> None:
    # Keras passes over layers that a file lacks with a warning at most, so that every weight must prove to be loaded.
    for variable in model.weights:
        variable.assign(np.full(variable.shape, np.nan, np.float32))
    problem = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.load_weights(str(file))
    except (ValueError, KeyError, TypeError, OSError, IndexError) as error:
        problem = re.split(r"\n|\. ", str(error).strip())[0].rstrip(".")
    missing = [variable.path for variable in model.weights if np.isnan(variable.numpy()).any()]
    if problem is None and missing:
        problem = f"{len(missing)} of its {len(model.weights)} weights are missing, {missing[0]} among them"
    if problem is not None:
        raise WeightsError(
            f"The weights in {file} do not fit {network.backbone.name}: {problem}. "
            f"Give the backbone they were saved from, as keras.applications.{network.backbone.keras_name} builds it."
        )


def _target(base: "keras.Model", network: ResolvedNetwork) -> Any:
    if network.layer == network.backbone.layer:
        return base.output
    layers = layer_names(base)
    if network.layer not in layers:
        known = [*layers, *network.backbone.classifier_layers]
        nearest = difflib.get_close_matches(network.layer, known, NEAREST_SHOWN, 0.0)
        raise UsageError(
            f"{network.backbone.name} has no layer {network.layer!r}; the nearest names are {', '.join(nearest)}."
        )
    return layers[network.layer].output


def layer_names(model: "keras.Model") -> dict[str, "keras.Layer"]:
    """The layers by the names that they have in a fresh process.

    Keras numbers layers without a name of their own (conv2d, conv2d_1, …) over the whole process; here they are counted
    within the model, so that a name means the same layer whatever was built before.
    """
    numbered: dict[str, list[tuple[int, Any]]] = {}
    names: dict[int, str] = {}
    for layer in model.layers:
        automatic = _snake_case(type(layer).__name__)
        match = re.fullmatch(rf"{automatic}(?:_(\d+))?", layer.name)
        if match:
            numbered.setdefault(automatic, []).append((int(match[1] or 0), layer))
        else:
            names[id(layer)] = layer.name
    for automatic, members in numbered.items():
        for rank, (_, layer) in enumerate(sorted(members, key=lambda member: member[0])):
            names[id(layer)] = f"{automatic}_{rank}" if rank else automatic
    return {names[id(layer)]: layer for layer in model.layers}


def _snake_case(name: str) -> str:
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _imagenet_rescaling(base: "keras.Model", network: ResolvedNetwork) -> Any:
    """Where EfficientNet's factor belongs, or None where there is none."""
    if network.backbone.module != "efficientnet" or network.weights_file is None:
        return None
    if network.weights != "imagenet" and not _saved_with_rescaling(network.weights_file):
        return None
    return layer_names(base)["normalization"].output


def _saved_with_rescaling(file: Path) -> bool:
    """Whether a model whose weights are in a file had the second Rescaling layer, as one fine-tuned from ImageNet has."""
    if zipfile.is_zipfile(file):
        config = zipfile.ZipFile(file).read("config.json")
        return config.count(b'"Rescaling"') > 1
    import h5py

    with h5py.File(file) as saved:
        saved = saved.get("model_weights", saved)
        layers = [os.fsdecode(name) for name in saved.attrs.get("layer_names", saved.get("layers", ()))]
    return sum(bool(re.fullmatch(r"rescaling(_\d+)?", name)) for name in layers) > 1


def _mean_of_both(x: Any) -> Any:
    """Average the first half of a batch with the second, the mirror images, whose maps are turned back before."""
    import keras

    plain, mirrored = keras.ops.unstack(keras.ops.reshape(x, (2, -1, *x.shape[1:])))
    if len(x.shape) == 4:
        mirrored = keras.ops.flip(mirrored, axis=2)
    return (plain + mirrored) / 2


def _pool(x: Any, network: ResolvedNetwork) -> Any:
    import keras

    rank = len(x.shape)
    if rank == 2 and network.pooling != NO_POOLING:
        return x  # no map any more: pooled already, or a dense layer
    if rank != 4:
        raise UsageError(
            f"The layer {network.layer} of {network.backbone.name} has no map of features to read (its output has "
            f"{rank} dimensions); choose another layer or pooling."
        )
    if network.pooling == NO_POOLING:
        return x
    if network.pooling == "flatten":
        return keras.layers.Flatten()(x)
    if network.pooling == "grid":
        rows, columns = grid_spans(x.shape[1]), grid_spans(x.shape[2])
        means = [keras.ops.mean(x[:, a:b, c:d], axis=(1, 2)) for a, b in rows for c, d in columns]
        return keras.ops.concatenate(means, axis=1)
    pool = {"avg": keras.layers.GlobalAveragePooling2D, "max": keras.layers.GlobalMaxPooling2D}
    return pool[network.pooling]()(x)
