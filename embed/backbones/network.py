"""Every backbone by its name, and what a user asks of one."""

import difflib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from embed.backbones import keras_file, onnx_file
from embed.backbones.applications import KerasApplication
from embed.backbones.backbone import (
    LARGEST,
    NO_POOLING,
    POOLINGS,
    Backbone,
    Request,
    ResolvedNetwork,
    resolved,
)
from embed.backbones.cuts import Cut
from embed.backbones.table import applications
from embed.errors import UsageError

DEFAULT = "mobilenetv2"
NEAREST_SHOWN = 3

BACKBONES: dict[str, Backbone] = {
    **{application.name: KerasApplication(**asdict(application)) for application in applications()},
    onnx_file.TINY.name: onnx_file.TINY,
}
# Kinds of files that hold a network of the user's own, by their suffix: what makes one of the file, and one of a recipe.
FILES: dict[str, tuple[Callable[[Path, str | None], Backbone], Callable[[str, str], Backbone]]] = {
    ".onnx": (onnx_file.from_file, onnx_file.from_recipe),
    ".keras": (keras_file.from_file, keras_file.from_recipe),
}


def get(name: str, preprocess: str | None = None) -> Backbone:
    """Return the backbone of a name, in upper or lower case, or that of a file.

    Parameters
    ----------
    name : str
    preprocess : str, optional
        What becomes of the pixels, for a file that does not say it.

    Raises
    ------
    UsageError
        There is none, and the nearest names are told; or it knows its pixels by itself.
    WeightsError
        The file is no network.
    """
    kind = FILES.get(Path(name).suffix.lower())
    if kind is not None:
        return kind[0](Path(name), preprocess)
    backbone = BACKBONES.get(name.lower())
    if backbone is not None and preprocess is not None:
        raise UsageError(f"{preprocess!r} cannot be used: {backbone.name} brings its own", "preprocess")
    if backbone is None:
        nearest = difflib.get_close_matches(name.lower(), BACKBONES, NEAREST_SHOWN, 0.3) or [DEFAULT]
        raise UsageError(
            f"{name!r} is not known; did you mean {' or '.join(nearest)}? "
            f"`embed backbones` lists all {len(BACKBONES)}; the file of a network of your own ends in {' or '.join(FILES)}.",
            "backbone",
        )
    return backbone


def is_file(name: str) -> bool:
    """Return whether a name is that of a file with a network in it."""
    return Path(name).suffix.lower() in FILES


def known(name: str, preprocess: str) -> Backbone:
    """Return the backbone that a recipe names; a file of the user's is not looked for.

    Raises
    ------
    UsageError
        This version has none of that name.
    """
    kind = FILES.get(Path(name).suffix)
    return get(name) if kind is None else kind[1](name, preprocess)


@dataclass(frozen=True)
class Network:
    """What to run, as the user says it; `resolve` finds the weights.

    Parameters
    ----------
    backbone : str
        A name of `BACKBONES`, or a file with a network of the user's own.
    weights : Path, optional
        A Keras weights file of the user's own instead of the published ones.
    layer : str, optional
        The layer that is read; by default the last one before the classifier.
    pooling : {"avg", "max", "grid", "flatten", "cls", "none"}
        What becomes of its map; ``"grid"`` takes the mean of each of 3 × 3 regions, ``"none"`` leaves the map, (n, h, w, c).
        Of tokens ``"cls"`` takes the first.
    size : int, optional
        Side of the picture in pixels; the published weights are kept whatever it is.
    mirror : bool
        Read the picture and its mirror image, and average the two (maps after the second was turned back).
    preprocess : str, optional
        What becomes of the pixels before a network in a file, where that cannot be read off it. See `preprocess.parse`.
    """

    backbone: str
    weights: Path | None = None
    layer: str | None = None
    pooling: str = "avg"
    size: int | None = None
    mirror: bool = False
    preprocess: str | None = None

    def __post_init__(self) -> None:
        if self.pooling == "mean":  # as it is called where tokens are pooled
            object.__setattr__(self, "pooling", "avg")

    def resolve(self) -> ResolvedNetwork:
        """Find the weights and hash them. Keras is not imported unless they have to be downloaded.

        Raises
        ------
        UsageError
            A parameter has a value that cannot work.
        WeightsError
            The weights cannot be had.
        """
        backbone, request = self._asked()
        own_file = None if self.weights is None else Path(self.weights)
        return resolved(backbone, request, backbone.weights(request, own_file))

    def cuts(self) -> list[Cut]:
        """Return where the network can be cut, from the pixels up; the weights need not be there.

        Raises
        ------
        UsageError
            A parameter has a value that cannot work, or the network is not trained by Keras.
        """
        backbone, request = self._asked()
        return backbone.cuts(request)

    def _asked(self) -> tuple[Backbone, Request]:
        """Return the backbone, and what is asked of it. Raises UsageError."""
        backbone = get(self.backbone, self.preprocess)
        if self.pooling not in (*POOLINGS, NO_POOLING):
            raise UsageError(f"{self.pooling!r} is not known; it is one of {', '.join(POOLINGS)}", "pooling")
        size = backbone.input_size if self.size is None else self.size
        if size < backbone.min_size:
            raise UsageError(
                f"{size} is too small: {backbone.name} needs pictures of at least {backbone.min_size} pixels a side",
                "size",
            )
        if size > LARGEST:
            raise UsageError(
                f"{size} is too large: pictures of {backbone.name} may have {LARGEST} pixels a side at most",
                "size",
            )
        request = Request(
            layer=self.layer or backbone.layer, pooling=self.pooling, size=size, mirror=self.mirror
        )
        return backbone, request


def from_json(fields: dict[str, Any]) -> ResolvedNetwork:
    """Return the network that `ResolvedNetwork.to_json` described."""
    file = None if fields["weights_file"] is None else Path(fields["weights_file"])
    backbone = known(fields.pop("backbone"), fields.pop("preprocess"))
    return ResolvedNetwork(**{**fields, "backbone": backbone, "weights_file": file})
