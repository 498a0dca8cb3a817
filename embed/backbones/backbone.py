"""The seam: what computes features, and one of them with everything that defines its numbers."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from embed.errors import UsageError

if TYPE_CHECKING:
    import keras
    import openvino

    from embed.backbones.cuts import Cut
    from embed.backbones.tail import Tail

POOLINGS = ("avg", "max", "grid", "flatten", "cls")
NO_POOLING = "none"  # the map itself, which is no feature set but can be explained
GRID = 3  # regions to a side of a map that is pooled by "grid"
USUAL_SIZE = 224  # of pictures, where the network in a file takes any
SMALLEST, LARGEST = 32, 4096  # pixels a side; a file can claim any number
NAME_LENGTH = 60
# How many classes a network has that was trained to tell them: ImageNet's, with and without a background, and of 21,000.
CLASSES = {1000, 1001, 11221, 11821, 21841, 21843}
NOT_TRAINED = "{name!r} cannot be tuned: its layers are those of a file; the networks of `embed backbones` can, but tiny"
EXPORT_FORMAT = 1  # raised when the graph that is made of the same network changes its numbers


class Weights(NamedTuple):
    """Weights that were found.

    Parameters
    ----------
    label : str
        ``"imagenet"``, ``"tiny"`` or the name of the user's file.
    sha256 : str
        Hexadecimal; what identifies them.
    file : Path or None
        None where the file is gone and only an export is left.
    tuned_from : str
        Hexadecimal sha256 of the weights that they were tuned from; empty where they were not.
    """

    label: str
    sha256: str
    file: Path | None
    tuned_from: str = ""


class Backbone(Protocol):
    """A network that turns pictures into features, whatever it is made of.

    Attributes
    ----------
    name : str
        As users write it.
    input_size, min_size : int
        Pixels a side: as trained, and the least that it takes.
    layer : str
        The layer that is read by default.
    preprocess : str
        What the user says becomes of the pixels before the first layer; empty where the backbone knows. It is part of the graph.
    published : str
        Label of the weights that it comes with; any other label is a file of the user's own.
    notes : sequence of str
        What was read off it and is worth knowing, for people.
    apart : bool
        Whether `graph` is called in a process of its own: it imports Keras, or reads a stranger's file.
    framework : {"keras", "onnx"}
        What it is: a model of Keras, by `keras_model`, or a file of ONNX. On a GPU, Keras or ONNX Runtime runs it.
    """

    @property
    def name(self) -> str: ...
    @property
    def input_size(self) -> int: ...
    @property
    def min_size(self) -> int: ...
    @property
    def layer(self) -> str: ...
    @property
    def preprocess(self) -> str: ...
    @property
    def published(self) -> str: ...
    @property
    def notes(self) -> Sequence[str]: ...
    @property
    def apart(self) -> bool: ...
    @property
    def framework(self) -> str: ...

    def weights(self, request: "Request", own_file: Path | None) -> Weights:
        """Find the weights.

        Parameters
        ----------
        request : Request
        own_file : Path or None
            Of the user's, to be used instead of those that the backbone was published with.

        Raises
        ------
        UsageError
            The request has a value that cannot work here.
        WeightsError
            They cannot be had.
        """

    def graph(self, network: "ResolvedNetwork") -> "openvino.Model":
        """Return the graph up to the layer that is read.

        Returns
        -------
        openvino.Model
            Pixels, uint8 (n, size, size, 3), RGB, in; a map (n, h, w, c), tokens (n, t, d) or vectors (n, d), float32, out.

        Raises
        ------
        UsageError, WeightsError
        """

    def keras_model(self, network: "ResolvedNetwork", dtype_policy: str) -> "keras.Model":
        """Return the same as `graph`, for a GPU; only of what runs there by Keras.

        Raises
        ------
        UsageError
            There is no such model, or no such layer.
        WeightsError
        """

    def cuts(self, request: "Request") -> "list[Cut]":
        """Return where it can be cut, from the pixels up; the weights need not be there.

        Raises
        ------
        UsageError
            Keras cannot train it, or there is no such layer.
        """

    def tail(self, network: "ResolvedNetwork", cut: str) -> "Tail":
        """Return what is above a cut, to be trained by Keras, which is imported.

        Raises
        ------
        UsageError, WeightsError
        """


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of a backbone: the layer, how its map is pooled, the size of the picture in pixels, the mirror image."""

    layer: str
    pooling: str
    size: int
    mirror: bool = False


@dataclass(frozen=True, kw_only=True)
class ResolvedNetwork(Request):
    """A backbone whose weights are known by their hash; everything that defines its numbers."""

    backbone: Backbone
    weights: str
    weights_sha256: str
    weights_file: Path | None
    tuned_from: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return all fields as JSON knows them."""
        file = None if self.weights_file is None else str(self.weights_file)
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            **fields,
            "backbone": self.backbone.name,
            "preprocess": self.backbone.preprocess,
            "weights_file": file,
        }

    @property
    def own_weights(self) -> bool:
        """Whether the weights are a file of the user's own, and not those that the backbone comes with."""
        return self.weights != self.backbone.published

    @property
    def fingerprint(self) -> str:
        """Hexadecimal sha256 over all that defines the graph."""
        identity = {
            "backbone": self.backbone.name,
            "export_format": EXPORT_FORMAT,
            "layer": self.layer,
            "pooling": self.pooling,
            "size": self.size,
            "trained_on": "imagenet" if self.weights == "imagenet" else "own",
            "weights_sha256": self.weights_sha256,
        }
        if self.mirror:
            identity["mirror"] = True
        if self.backbone.preprocess:
            identity["preprocess"] = self.backbone.preprocess
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def network_name(file: Path) -> str:
    """Return what the network in a file is called: the name of the file, fit to be part of the name of a folder."""
    stem = re.sub(r"[^\w.]+|-+", "-", file.stem).strip("-.") or "network"
    return f"{stem[:NAME_LENGTH]}{file.suffix}".lower()


def resolved(backbone: Backbone, request: Request, weights: Weights) -> ResolvedNetwork:
    """Return a request with its weights."""
    return ResolvedNetwork(
        **asdict(request),
        backbone=backbone,
        weights=weights.label,
        weights_sha256=weights.sha256,
        weights_file=weights.file,
        tuned_from=weights.tuned_from,
    )


def grid_spans(length: int) -> list[tuple[int, int]]:
    """Return the cells [start, stop) of each of the `GRID` regions along a side of a map.

    Regions share a cell where the side cannot be divided, as in adaptive pooling (He et al. 2014).
    """
    return [(i * length // GRID, -(-(i + 1) * length // GRID)) for i in range(GRID)]


def is_pooled(rank: int, network: ResolvedNetwork) -> bool:
    """Return whether the output of a layer is taken as it is: pooled already, a dense layer, or a map that is wanted.

    Raises
    ------
    UsageError
        It is neither a map nor tokens nor a vector, or has nothing that could be pooled so.
    """
    name = f"{network.layer!r} of {network.backbone.name}"
    wanted = network.pooling
    if rank not in (2, 3, 4) or (wanted == NO_POOLING and rank != 4):
        raise UsageError(
            f"{name} has no map of features to read (its output has {rank} dimensions); choose another layer or pooling",
            "layer",
        )
    if (wanted == "cls" and rank != 3) or (wanted == "grid" and rank == 3):
        kind = {2: "vectors", 3: "tokens", 4: "maps"}[rank]
        raise UsageError(f"{wanted!r} cannot be used: {name} gives {kind}", "pooling")
    return rank == 2 or wanted == NO_POOLING
