"""The part that needs Keras: building a model of keras.applications and giving it its weights."""

import difflib
import hashlib
import inspect
import math
import os
import re
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embed.backbones.backbone import Request, ResolvedNetwork, grid_spans, is_pooled
from embed.backbones.graph import import_openvino
from embed.backbones.table import Application
from embed.errors import UsageError, WeightsError

if TYPE_CHECKING:
    import keras
    import openvino

# EfficientNet's published weights were trained on pixels divided by the variance. Keras divides by the standard
# deviation and puts this factor behind it, but only when it loads those weights itself.
IMAGENET_STDDEV = (0.229, 0.224, 0.225)
NORMALIZATION = "normalization"  # its layer in front of that factor
NEAREST_SHOWN = 5


def build(application: Application, network: ResolvedNetwork, dtype_policy: str = "float32") -> "keras.Model":
    """Build the model up to the layer that is read.

    Parameters
    ----------
    application : Application
        The backbone of `network`.
    network : ResolvedNetwork
    dtype_policy : str
        Of Keras; the published weights are float32.

    Returns
    -------
    keras.Model
        Pixels, uint8 (n, size, size, 3), RGB, in; a map (n, h, w, c) or vectors (n, d), float32, out; the preprocessing is
        part of it.

    Raises
    ------
    WeightsError
        The weights do not fit.
    UsageError
        There is no such layer.
    """
    import keras

    with settings(dtype_policy):
        base = load_base(application, network)
        pixels = keras.Input((network.size, network.size, 3), dtype="uint8", name="pixels")
        x = keras.ops.cast(pixels, "float32")
        x = getattr(keras.applications, application.module).preprocess_input(x)
        target = target_of(base, application, network.layer)
        start = rescaling_start(base, application, network)
        if start is not None:
            x = keras.Model(base.inputs, start)(x)
            x = keras.layers.Rescaling([1.0 / math.sqrt(stddev) for stddev in IMAGENET_STDDEV])(x)
            x = keras.Model(start, target)(x)
        else:
            x = keras.Model(base.inputs, target)(x)
        return keras.Model(pixels, keras.ops.cast(x, "float32"), name=application.name)


def complete(model: "keras.Model", network: ResolvedNetwork) -> "keras.Model":
    """Add the mirror image and the pooling, as `graph.complete` does for OpenVINO.

    Raises
    ------
    UsageError
        The layer has no map to pool.
    """
    import keras

    ops = keras.ops
    pooled = is_pooled(len(model.output_shape), network)
    with settings("float32"):
        pixels = keras.Input(model.input_shape[1:], dtype="uint8", name="pixels")
        if network.mirror:
            both = model(ops.concatenate([pixels, ops.flip(pixels, axis=2)], axis=0))
            x, mirrored = ops.unstack(ops.reshape(both, (2, -1, *both.shape[1:])))
            if len(x.shape) == 4:
                mirrored = ops.flip(mirrored, axis=2)
            x = (x + mirrored) / 2
        else:
            x = model(pixels)
        if not pooled:
            x = pool(x, network.pooling)
        return keras.Model(pixels, x, name=model.name)


def pool(maps: Any, pooling: str) -> Any:
    """Return what a pooling makes of maps (n, h, w, c) or tokens (n, t, c), as vectors (n, d)."""
    import keras

    ops = keras.ops
    inner = tuple(range(1, len(maps.shape) - 1))
    if pooling == "avg":
        return ops.mean(maps, axis=inner)
    if pooling == "max":
        return ops.max(maps, axis=inner)
    if pooling == "cls":
        return maps[:, 0]
    if pooling == "flatten":
        return keras.layers.Flatten()(maps)
    rows, columns = grid_spans(maps.shape[1]), grid_spans(maps.shape[2])
    means = [ops.mean(maps[:, a:b, c:d], axis=(1, 2)) for a, b in rows for c, d in columns]
    return ops.concatenate(means, axis=1)


def openvino_graph(model: "keras.Model") -> "openvino.Model":
    """Convert a model with one input of pixels and one output. Needs Keras on TensorFlow."""
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
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "traced.pb"
        file.write_bytes(traced.graph.as_graph_def().SerializeToString())
        graph = openvino.Core().read_model(file)
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


def check_published(application: Application, network: ResolvedNetwork) -> None:
    """Compare a file of published weights with the hashes that Keras checks its downloads with.

    Raises
    ------
    WeightsError
        It is none of those. Keras knows no hash for MobileNet and MobileNetV2, which are not checked.
    """
    import keras

    # ResNet's module downloads for both versions.
    maker = "ResNet50" if application.module == "resnet_v2" else application.keras_name
    module = inspect.getmodule(getattr(keras.applications, maker))
    source = inspect.getsource(module) if module else ""
    known = set(re.findall(r"\b(?:[0-9a-f]{64}|[0-9a-f]{32})\b", source))  # sha256 or md5
    if not known or network.weights_file is None:
        return
    with network.weights_file.open("rb") as stream:
        md5 = hashlib.file_digest(stream, "md5").hexdigest()
    if not known & {md5, network.weights_sha256}:
        raise WeightsError(
            f"{network.weights_file} is not the file of weights that Keras publishes for {application.name} (its md5 is "
            f"{md5}): it is damaged or another one. Delete it, so that Keras downloads it again; or give it as weights "
            "of your own."
        )


@contextmanager
def settings(dtype_policy: str) -> Iterator[None]:
    """Set what the published weights assume, whatever keras.json or the caller's program says."""
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


def load_base(application: Application, network: ResolvedNetwork) -> "keras.Model":
    """Return the application with its weights, pooled by Keras itself where its own pooling is asked for.

    Raises
    ------
    WeightsError
        The weights do not fit, or are gone.
    """
    if network.weights_file is None:
        raise WeightsError(f"The weights file of {application.name} is gone; put it back.")
    if network.layer in application.classifier_layers:
        base = make_base(application, network, classifier=True)
        _load(base, network.weights_file, application)
        return base
    base = make_base(application, network, classifier=False)
    try:
        _load(base, network.weights_file, application)
    except WeightsError:
        if network.weights == "imagenet":
            raise
        # A file of the whole network, classifier included: its first weights are those of the features.
        whole = make_base(application, network, classifier=True)
        _load(whole, network.weights_file, application)
        base.set_weights(whole.get_weights()[: len(base.get_weights())])
    return base


def make_base(application: Application, network: Request, *, classifier: bool) -> "keras.Model":
    """Return the application with random weights."""
    import keras

    make = getattr(keras.applications, application.keras_name)
    if classifier:
        return make(weights=None, include_top=True)
    # Keras's own pooling is more than a mean for some: ConvNeXt normalises after it.
    by_keras = network.layer == application.layer and network.pooling in ("avg", "max")
    pooling = network.pooling if by_keras else None
    return make(weights=None, include_top=False, input_shape=(network.size, network.size, 3), pooling=pooling)


def _load(model: "keras.Model", file: Path, application: Application) -> None:
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
            f"The weights in {file} do not fit {application.name}: {problem}. "
            f"Give the backbone they were saved from, as keras.applications.{application.keras_name} builds it."
        )


def target_of(base: "keras.Model", application: Application, layer: str) -> Any:
    """Return the output of the layer that is read. Raises UsageError where there is none of that name."""
    if layer == application.layer:
        return base.output
    return find_layer(base, layer, application.name, application.classifier_layers)


def find_layer(model: "keras.Model", layer: str, name: str, further: Sequence[str] = ()) -> Any:
    """Return the output of a layer.

    Raises
    ------
    UsageError
        There is none of that name; the nearest are told, of `further` ones too.
    """
    layers = layer_names(model)
    if layer not in layers:
        nearest = difflib.get_close_matches(layer, [*layers, *further], NEAREST_SHOWN, 0.0)
        raise UsageError(f"{layer!r} is not in {name}; the nearest names are {', '.join(nearest)}", "layer")
    import keras

    found = layers[layer]
    if isinstance(
        found, keras.Model
    ):  # its own output belongs to its own graph; this is that of the call in this one
        return found._inbound_nodes[-1].output_tensors[0]
    return found.output


def layer_names(model: "keras.Model") -> dict[str, "keras.Layer"]:
    """Return the layers by the names that they have in a fresh process.

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


def rescaling_start(base: "keras.Model", application: Application, network: ResolvedNetwork) -> Any:
    """Return where EfficientNet's factor belongs, or None where there is none."""
    if application.module != "efficientnet" or network.weights_file is None:
        return None
    if network.weights != "imagenet" and not _saved_with_rescaling(network.weights_file):
        return None
    return layer_names(base)[NORMALIZATION].output


def _saved_with_rescaling(file: Path) -> bool:
    """Return whether a model whose weights are in a file had the second Rescaling layer, as one fine-tuned from ImageNet has."""
    if zipfile.is_zipfile(file):
        config = zipfile.ZipFile(file).read("config.json")
        return config.count(b'"Rescaling"') > 1
    import h5py

    with h5py.File(file) as saved:
        saved = saved.get("model_weights", saved)
        layers = [os.fsdecode(name) for name in saved.attrs.get("layer_names", saved.get("layers", ()))]
    return sum(bool(re.fullmatch(r"rescaling(_\d+)?", name)) for name in layers) > 1
