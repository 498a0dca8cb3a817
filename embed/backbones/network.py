"""What to run: a backbone, its weights, the layer that is read, how its map is pooled, the size of the picture."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from embed.backbones import store, table, tiny, weights
from embed.backbones.table import Backbone
from embed.errors import UsageError

POOLINGS = ("avg", "max", "grid", "flatten")
NO_POOLING = "none"  # the map itself, which is no feature set but can be explained
GRID = 3  # regions to a side of a map that is pooled by "grid"
EXPORT_FORMAT = 1  # raised when the graph that `build` makes of the same network changes


@dataclass(frozen=True, kw_only=True)
class ResolvedNetwork:
    """A network whose weights are known by their hash; everything that defines its numbers."""

    backbone: Backbone
    weights: str  # "imagenet", "tiny" or the name of the user's file
    weights_sha256: str
    weights_file: Path | None  # None when the file is gone and only an export is left
    layer: str
    pooling: str
    size: int
    mirror: bool = False

    def to_json(self) -> dict[str, Any]:
        """All fields as JSON knows them; `from_json` makes the same network of it."""
        file = None if self.weights_file is None else str(self.weights_file)
        return {**asdict(self), "backbone": self.backbone.name, "weights_file": file}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "ResolvedNetwork":
        """The network that `to_json` described."""
        file = None if fields["weights_file"] is None else Path(fields["weights_file"])
        return cls(**{**fields, "backbone": table.get(fields["backbone"]), "weights_file": file})

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

    @property
    def export_folder(self) -> Path:
        """Where its export is kept, whether it is there or not."""
        return store.folder(f"{self.backbone.name}-{self.size}", self.fingerprint)

    @property
    def reads_classifier(self) -> bool:
        """Whether the layer belongs to the classifier on top, which has a weights file of its own."""
        return self.layer in self.backbone.classifier_layers


@dataclass(frozen=True)
class Network:
    """What to run, as the user says it; `resolve` finds the weights.

    backbone: a name of `BACKBONES`. weights: a Keras weights file of the user's own instead of the published ones.
    layer: the layer that is read, by default the last one before the classifier. pooling: what becomes of its map:
    "avg", "max", "grid" (the mean of each of 3 × 3 regions), "flatten", or "none" for the map itself, (n, h, w, c).
    size: side of the picture in pixels; the published weights are kept whatever it is. mirror: read the picture and
    its mirror image, and average the two (maps after the second was turned back).
    """

    backbone: str
    weights: Path | None = None
    layer: str | None = None
    pooling: str = "avg"
    size: int | None = None
    mirror: bool = False

    def resolve(self) -> ResolvedNetwork:
        """Find the weights and hash them. Keras is not imported unless they have to be downloaded.

        Raises UsageError for values that cannot work and WeightsError where the weights cannot be had.
        """
        backbone = table.get(self.backbone)
        if self.pooling not in (*POOLINGS, NO_POOLING):
            raise UsageError(f"Unknown pooling {self.pooling!r}; choose one of {', '.join(POOLINGS)}.")
        layer = self.layer or backbone.layer
        size = self._size(backbone, layer)
        file: Path | None
        if self.weights is not None:
            if backbone is table.TINY:
                raise UsageError("tiny brings its own weights; --weights FILE is for the other backbones.")
            file, sha256 = weights.own(Path(self.weights))
            label = file.name
        elif backbone is table.TINY:
            file, sha256, label = tiny.WEIGHTS, tiny.fingerprint(), "tiny"
        else:
            label = "imagenet"
            file, sha256 = self._published(backbone, layer, size)
        return ResolvedNetwork(
            backbone=backbone,
            weights=label,
            weights_sha256=sha256,
            weights_file=file,
            layer=layer,
            pooling=self.pooling,
            size=size,
            mirror=self.mirror,
        )

    def _size(self, backbone: Backbone, layer: str) -> int:
        size = backbone.input_size if self.size is None else self.size
        if size < backbone.min_size:
            raise UsageError(
                f"{backbone.name} needs pictures of at least {backbone.min_size} pixels a side; --size is {size}."
            )
        if layer in backbone.classifier_layers and size != backbone.input_size:
            raise UsageError(
                f"The layer {layer} of {backbone.name} belongs to its classifier, which takes pictures of "
                f"{backbone.input_size} pixels only; leave --size away."
            )
        return size

    def _published(self, backbone: Backbone, layer: str, size: int) -> tuple[Path | None, str]:
        classifier = layer in backbone.classifier_layers
        file_name = backbone.weights_file_with_classifier if classifier else backbone.weights_file
        file = weights.find(file_name)
        if file is not None:
            return file, weights.hash_file(file)
        for folder in weights.keras_folders():
            sha256 = weights.remembered(folder / file_name)
            if sha256 is None:
                continue
            gone = ResolvedNetwork(
                backbone=backbone,
                weights="imagenet",
                weights_sha256=sha256,
                weights_file=None,
                layer=layer,
                pooling=self.pooling,
                size=size,
                mirror=self.mirror,
            )
            if store.intact(gone.export_folder, gone.fingerprint):
                return None, sha256
        file = weights.download(backbone, classifier=classifier)
        return file, weights.hash_file(file)


def grid_spans(length: int) -> list[tuple[int, int]]:
    """Return the cells [start, stop) of each of the `GRID` regions along a side of a map.

    Regions share a cell where the side cannot be divided, as in adaptive pooling (He et al. 2014).
    """
    return [(i * length // GRID, -(-(i + 1) * length // GRID)) for i in range(GRID)]
