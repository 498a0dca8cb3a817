"""A backbone that is an ONNX file, which OpenVINO reads by itself: `tiny`, which comes with the package, or the user's own."""

import contextlib
import difflib
import hashlib
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
from embed.backbones.graph import import_openvino
from embed.backbones.onnx_model import Description, describe
from embed.backbones.preprocess import CHANNELS, parse, recognise, recognised
from embed.errors import UsageError, WeightsError

if TYPE_CHECKING:
    import keras
    import openvino

    from embed.backbones.cuts import Cut
    from embed.backbones.tail import Tail

NEAREST_SHOWN = 5
QUANTIZED = {"QuantizeLinear", "DequantizeLinear"}
LINEAR = {"Gemm", "MatMul", "Add", "Softmax", "LogSoftmax", *QUANTIZED}
RESHAPING = {
    "Flatten",
    "Reshape",
    "Squeeze",
    "Identity",
    "Dropout",
    "Cast",
    *QUANTIZED,
}  # of their first input
AVERAGING = {"GlobalAveragePool", "ReduceMean"}
PATCHES = (8, 14, 16, 32)  # pixels a side, of a vision transformer
MOST_OWN_TOKENS = 5  # beside those of the patches: the class, registers
# Of several outputs, the one that is meant as features.
FEATURES = ("features", "image_embeds", "embedding", "embeddings", "pooler_output", "last_hidden_state")
# What identifies the weights of `tiny` is the hash of the file that they were first published in, so that features that
# were computed with it stay valid. Any other content of the file is known by its own hash.
SAME_WEIGHTS = {
    "436065ebf92f8d1ee3dbde8cabb860868b034b66ccdf769be63ff7a5fa0932ca": (
        "2f1c17b0f80196902e892c6dd15d730e3ee7ffc4c7fd5556c72ef3a6086c9312"
    )
}


@dataclass(frozen=True, kw_only=True)
class OnnxFile:
    """A network in an ONNX file that takes pixels. See `Backbone`.

    Parameters
    ----------
    name : str
    file : Path or None
        None where the file is not known, as long as there is an export of it.
    layer : str
        Name of the value that is read by default: a map, tokens, or vectors.
    pixels : str
        What becomes of them, as `preprocess.parse` reads it.
    own : bool
        Whether it is the user's, and not part of the package.
    dimension, parameters, weights_mb, top1
        As in the table of applications, for what comes with the package.
    """

    name: str
    file: Path | None
    input_size: int = USUAL_SIZE
    min_size: int = SMALLEST
    layer: str = ""
    pixels: str
    notes: tuple[str, ...] = ()
    beside: tuple[Path, ...] = ()
    own: bool = True
    framework: str = "onnx"
    dimension: int | None = None
    parameters: int | None = None
    weights_mb: float | None = None
    top1: float | None = None

    @property
    def preprocess(self) -> str:
        """What the user says of the pixels."""
        return self.pixels if self.own else ""

    @property
    def published(self) -> str:
        """Label of the weights that come with the package."""
        return "" if self.own else self.name

    @property
    def apart(self) -> bool:
        """Whether the file is a stranger's."""
        return self.own

    def weights(self, request: Request, own_file: Path | None) -> Weights:
        """Return the weights, which the file holds. See `Backbone.weights`."""
        if own_file is not None:
            raise UsageError(
                f"{str(own_file)!r} cannot be used: {self.name} brings its own weights", "weights"
            )
        assert self.file is not None
        if not self.own:
            digest = hashlib.sha256(self.file.read_bytes()).hexdigest()
            return Weights(self.name, SAME_WEIGHTS.get(digest, digest), self.file)
        try:
            return Weights(self.name, weights.hash_file(self.file, self.beside), self.file.absolute())
        except OSError as error:
            raise WeightsError(f"The network {self.file} cannot be read: {error.strerror}.") from error

    def graph(self, network: ResolvedNetwork) -> "openvino.Model":
        """Return the graph up to the value that is read. See `Backbone.graph`."""
        openvino = import_openvino()
        from openvino.preprocess import PrePostProcessor

        assert network.weights_file is not None
        graph = self._read(network.weights_file)
        value = self._value(graph, network.layer)
        parameters = _parameters(value.get_node())
        if len(parameters) != 1:
            takes = ", ".join(repr(parameter.get_friendly_name()) for parameter in parameters) or "nothing"
            raise UsageError(
                f"{network.layer!r} of {self.name} is computed from {takes}, not from pictures alone", "layer"
            )
        graph = openvino.Model([value], parameters, self.name)
        (pixels,) = graph.inputs
        layout = layout_of(_lengths(pixels.get_partial_shape()))
        graph = self._reshaped(graph, layout, network)
        steps = PrePostProcessor(graph)
        parse(self.pixels).apply(steps, pixels.get_element_type())
        steps.input().model().set_layout(openvino.Layout(layout))
        steps.output().tensor().set_element_type(openvino.Type.f32)
        shape = graph.output(0).get_partial_shape()
        if shape.rank.get_length() == 4 and channels_come_first(_lengths(shape), layout):
            steps.output().model().set_layout(openvino.Layout("NCHW"))
            steps.output().tensor().set_layout(openvino.Layout("NHWC"))
        return steps.build()

    def keras_model(self, network: ResolvedNetwork, dtype_policy: str) -> "keras.Model":
        """Raise UsageError: there is none of an ONNX file."""
        raise UsageError(f"{self.name!r} is an ONNX file, of which there is no model in Keras", "backbone")

    def cuts(self, request: Request) -> "list[Cut]":
        """Raise UsageError: what there is no model in Keras of is not trained."""
        raise UsageError(NOT_TRAINED.format(name=self.name), "backbone")

    def tail(self, network: ResolvedNetwork, cut: str) -> "Tail":
        """Raise UsageError: what there is no model in Keras of is not trained."""
        raise UsageError(NOT_TRAINED.format(name=self.name), "backbone")

    def _read(self, file: Path) -> "openvino.Model":
        describe(file)  # no file that it refers to may lie elsewhere
        try:
            return import_openvino().Core().read_model(file)
        except RuntimeError as error:
            raise WeightsError(f"OpenVINO cannot read {file}: {_reason(error)}") from None

    def _value(self, graph: "openvino.Model", name: str) -> "openvino.Output":
        values = {
            name: output
            for node in graph.get_ordered_ops()
            for output in node.outputs()
            for name in output.names
        }
        check_value(name, values, self.name)
        return values[name]

    def _reshaped(self, graph: "openvino.Model", layout: str, network: ResolvedNetwork) -> "openvino.Model":
        """Let the graph take any number of pictures of the size, or else one; tokens come as (n, t, d)."""
        lengths = {"C": CHANNELS, "H": network.size, "W": network.size}
        one, any_number = ([n if axis == "N" else lengths[axis] for axis in layout] for n in (1, -1))
        problem = ""
        try:
            graph.reshape(one)
            graph = _with_tokens_in_order(graph, network.size)
            rows = graph.output(0).get_partial_shape()[0]
            problem = f"it gives {rows} rows" if rows != 1 else _misshapen(graph)
        except RuntimeError as error:
            problem = _reason(error)
        if problem:
            raise UsageError(
                f"{network.size} cannot be used: {self.name} does not take one picture of {network.size} pixels a side "
                f"({problem}); export it for one picture, or for any number, of that size",
                "size",
            )
        free = False
        with contextlib.suppress(RuntimeError):
            graph.reshape(any_number)
            free = graph.output(0).get_partial_shape()[0].is_dynamic
        if not free:
            graph.reshape(one)
        if network.mirror and not free:
            raise UsageError(
                f"True cannot be used: {self.name} takes one picture at a time; export it with a free number of pictures",
                "mirror",
            )
        return graph


def from_file(file: Path, preprocess: str | None) -> OnnxFile:
    """Return the network of a user's ONNX file, with what can be read off it.

    Raises
    ------
    WeightsError
        It cannot be read, or is none.
    UsageError
        It takes no pictures, or does not say how it takes their pixels and neither does `preprocess`.
    """
    network = describe(file)
    pixels = next((value for value in network.inputs if len(value.shape) == 4), network.inputs[0])
    if len(pixels.shape) != 4 or CHANNELS not in (
        pixels.shape[1],
        pixels.shape[3],
        pixels.shape[1] or CHANNELS,
    ):
        raise UsageError(
            f"{str(file)!r} takes no colour pictures: its input {pixels.name!r} is {_written(pixels.shape)}, "
            "not (n, 3, h, w) or (n, h, w, 3)",
            "backbone",
        )
    sides = [length for length in pixels.shape[1:] if length not in (None, CHANNELS)]
    if len(set(sides)) > 1:
        raise UsageError(
            f"{str(file)!r} takes pictures of {sides[0]} × {sides[1]} pixels; only squares can be made",
            "backbone",
        )
    notes = []
    if preprocess is None:
        preprocess, note = recognised(file, recognise(network, pixels))
        notes.append(note)
    layer = _default_layer(network)
    notes.append(f"{file.name} is read at {layer!r}; --output takes another")
    return OnnxFile(
        name=network_name(file),
        file=file,
        input_size=sides[0] if sides else USUAL_SIZE,
        layer=layer,
        pixels=parse(preprocess).text,
        notes=tuple(notes),
        beside=tuple(network.external),
    )


def from_recipe(name: str, preprocess: str) -> OnnxFile:
    """Return the network of a file that is not known, for what was exported from it."""
    return OnnxFile(name=name, file=None, pixels=preprocess)


def check_value(name: str, values: Collection[str], network: str) -> None:
    """Raise UsageError, with the nearest names, where a value is not in a network."""
    if name not in values:
        nearest = difflib.get_close_matches(name, values, NEAREST_SHOWN, 0.0)
        raise UsageError(f"{name!r} is not in {network}; the nearest names are {', '.join(nearest)}", "layer")


def _default_layer(network: Description) -> str:
    """Return the value that holds the features: before the classes, and before the average over the map where there is one."""
    names = [value.name for value in network.outputs]
    value = next((name for name in FEATURES if name in names), names[0])
    shape = next(output.shape for output in network.outputs if output.name == value)
    if shape and shape[-1] in CLASSES and len(shape) == 2:
        value = _before(network, value, LINEAR)
    average = network.maker(_before(network, value, RESHAPING))
    return average.inputs[0] if average is not None and average.kind in AVERAGING else value


def _before(network: Description, value: str, kinds: set[str]) -> str:
    """Return what a value is made from by operations of some kinds alone."""
    while (node := network.maker(value)) is not None and node.kind in kinds:
        inputs = [name for name in node.inputs if name in network.computed]
        if not inputs or (len(inputs) > 1 and node.kind not in RESHAPING):
            break
        value = inputs[0]
    return value


def _parameters(node: "openvino.Node") -> list["openvino.Node"]:
    """Return the inputs of a graph that a node depends on."""
    seen, waiting, found = set(), [node], []
    while waiting:
        node = waiting.pop()
        if node.get_friendly_name() in seen:
            continue
        seen.add(node.get_friendly_name())
        if node.get_type_name() == "Parameter":
            found.append(node)
        waiting += [source.get_node() for source in node.input_values()]
    return found


def layout_of(shape: Sequence[int | None]) -> str:
    """Return the order of the axes of an input; channels come first unless the shape says otherwise."""
    return "NHWC" if shape[3] == CHANNELS and shape[1] != CHANNELS else "NCHW"


def channels_come_first(shape: Sequence[int | None], layout: str) -> bool:
    """Return whether the channels of a map come first: the two sides of a map are alike."""
    if shape[1] == shape[2] and shape[2] != shape[3]:
        return False
    return (shape[2] == shape[3] and shape[1] != shape[2]) or layout == "NCHW"


def _with_tokens_in_order(graph: "openvino.Model", size: int) -> "openvino.Model":
    """Return a graph of one picture with its tokens as (1, t, d), where it gives (t, 1, d) or (1, d, t)."""
    from openvino import opset13 as opset

    shape = graph.output(0).get_partial_shape()
    if shape.rank.is_dynamic or shape.rank.get_length() != 3:
        return graph
    first, second, third = _lengths(shape)
    if first != 1 and second == 1:
        order = [1, 0, 2]
    elif first == 1 and is_token_count(third, size) and not is_token_count(second, size):
        order = [0, 2, 1]
    else:
        return graph
    turned = opset.transpose(graph.output(0).get_node().input_value(0), np.array(order))
    return import_openvino().Model([turned], graph.get_parameters(), graph.get_friendly_name())


def _misshapen(graph: "openvino.Model") -> str:
    """Return what cannot be reshaped as a graph of one picture says, which OpenVINO computes all the same; or nothing."""
    for node in graph.get_ordered_ops():
        if node.get_type_name() != "Reshape":
            continue
        shapes = [one.get_partial_shape() for one in (node.input_value(0), node.output(0))]
        if all(shape.is_static for shape in shapes):
            given, wanted = (list(shape.to_shape()) for shape in shapes)
            if math.prod(given) != math.prod(wanted):
                return f"{node.get_friendly_name()} cannot make {wanted} of {given}"
    return ""


def is_token_count(length: int | None, size: int) -> bool:
    """Return whether a transformer has so many tokens for a picture: its patches, and some of its own."""
    return any(
        length == (size // patch) ** 2 + own for patch in PATCHES for own in range(MOST_OWN_TOKENS + 1)
    )


def _lengths(shape: "openvino.PartialShape") -> list[int | None]:
    return [axis.get_length() if axis.is_static else None for axis in shape]


def _reason(error: Exception) -> str:
    """Return the last line of what OpenVINO says, which holds the reason."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else type(error).__name__


def _written(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if length is None else str(length) for length in shape) + ")"


TINY = OnnxFile(
    name="tiny",
    file=Path(__file__).with_name("tiny.onnx"),
    input_size=112,
    min_size=64,
    layer="features",
    pixels="mean=127.5,std=64",
    own=False,
    dimension=512,
    parameters=1_351_232,
    weights_mb=2.6,
)
