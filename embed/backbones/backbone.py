"""The seam: what computes features, and one of them with everything that defines its numbers."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from embed.errors import UsageError

if TYPE_CHECKING:
    import keras
    import openvino

POOLINGS = ("avg", "max", "grid", "flatten")
NO_POOLING = "none"  # the map itself, which is no feature set but can be explained
GRID = 3  # regions to a side of a map that is pooled by "grid"
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
    """

    label: str
    sha256: str
    file: Path | None


class Backbone(Protocol):
    """A network that turns pictures into features, whatever it is made of.

    Attributes
    ----------
    name : str
        As users write it.
    input_size, min_size : int
        Pixels a side: as trained, and the least that it takes.
    dimension : int
        Channels of its last map, hence features of a picture.
    parameters : int
    weights_mb : float
        Size of its weights, both with the classifier where it has one.
    top1 : float or None
        Accuracy on the validation set of ImageNet, 0..1.
    layer : str
        The layer that is read by default.
    preprocessing : str
        What becomes of the pixels before the first layer, for people; it is part of the graph.
    published : str
        Label of the weights that it comes with; any other label is a file of the user's own.
    needs_keras : bool
        Whether `graph` imports Keras, so that it is called in a process of its own.
    """

    @property
    def name(self) -> str: ...
    @property
    def input_size(self) -> int: ...
    @property
    def min_size(self) -> int: ...
    @property
    def dimension(self) -> int: ...
    @property
    def parameters(self) -> int: ...
    @property
    def weights_mb(self) -> float: ...
    @property
    def top1(self) -> float | None: ...
    @property
    def layer(self) -> str: ...
    @property
    def preprocessing(self) -> str: ...
    @property
    def published(self) -> str: ...
    @property
    def needs_keras(self) -> bool: ...

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
            Pixels, uint8 (n, size, size, 3), RGB, in; a map (n, h, w, c) or vectors (n, d), float32, out.

        Raises
        ------
        UsageError, WeightsError
        """

    def keras_model(self, network: "ResolvedNetwork", dtype_policy: str) -> "keras.Model":
        """Return the same as `graph`, for a GPU.

        Raises
        ------
        UsageError
            There is no such model, or no such layer.
        WeightsError
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

    def to_json(self) -> dict[str, Any]:
        """Return all fields as JSON knows them."""
        file = None if self.weights_file is None else str(self.weights_file)
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**fields, "backbone": self.backbone.name, "weights_file": file}

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
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def resolved(backbone: Backbone, request: Request, weights: Weights) -> ResolvedNetwork:
    """Return a request with its weights."""
    return ResolvedNetwork(
        **asdict(request),
        backbone=backbone,
        weights=weights.label,
        weights_sha256=weights.sha256,
        weights_file=weights.file,
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
        It is neither a map nor a vector, or a map is wanted and there is none.
    """
    if rank == 2 and network.pooling != NO_POOLING:
        return True
    if rank != 4:
        raise UsageError(
            f"{network.layer!r} of {network.backbone.name} has no map of features to read (its output has {rank} "
            "dimensions); choose another layer or pooling",
            "layer",
        )
    return network.pooling == NO_POOLING
