"""Where a network can be cut: the layers that every path from its pixels to its features goes through.

What lies above a cut is computed from the output of that one layer, so that it can be trained on outputs that are kept.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embed.errors import UsageError

if TYPE_CHECKING:
    import keras

BYTES = 2  # of a value that is kept: float16
UPPER = 0.25  # of the work, which is above the cut that is taken by default
ABOUT = (1 / 6, 1 / 3)  # what is near enough to it
MOST_ABOVE = 0.5  # of the work: where no cut leaves less above, hardly anything can be kept


@dataclass(frozen=True)
class Cut:
    """A layer at which a network can be cut.

    Attributes
    ----------
    layer : str
    shape : tuple of int
        Of its output for one picture.
    work_above : float
        Share of the multiplications of the network that are made above it.
    weights_above : int
        Weights above it that can be trained.
    """

    layer: str
    shape: tuple[int, ...]
    work_above: float
    weights_above: int

    @property
    def values(self) -> int:
        """Values of its output for one picture."""
        return math.prod(self.shape)

    @property
    def kilobytes(self) -> float:
        """What its output for one picture takes on disk, in kB."""
        return self.values * BYTES / 1000


def choose(cuts: Sequence[Cut], name: str, layer: str | None = None) -> Cut:
    """Return the cut at a layer, or that which leaves about the last quarter of the work above.

    Of several such cuts the one whose output is the smallest is taken.

    Parameters
    ----------
    cuts : sequence of Cut
    name : str
        Of the backbone, for the error.
    layer : str, optional

    Raises
    ------
    UsageError
        There is no such cut, or nothing above it that could be trained; or the network has none in its upper half.
    """
    usable = [cut for cut in cuts if cut.weights_above]
    if not any(cut.work_above <= MOST_ABOVE for cut in usable):
        lowest = f"{min(cut.work_above for cut in usable):.0%}" if usable else "all"
        raise UsageError(
            f"{name!r} cannot be tuned on kept outputs: its cells read several layers each, so that no single layer carries "
            f"everything but near the pixels, with {lowest} of the work above; take another network",
            "backbone",
        )
    if layer is None:
        about = [cut for cut in usable if ABOUT[0] <= cut.work_above <= ABOUT[1]] or usable
        few = min(cut.values for cut in about) if about is not usable else None
        return min(
            (cut for cut in about if few is None or cut.values == few),
            key=lambda cut: abs(cut.work_above - UPPER),
        )
    found = next((cut for cut in cuts if cut.layer == layer), None)
    if found is None:
        nearest = [cut.layer for cut in cuts if cut.layer.split("_")[:2] == layer.split("_")[:2]]
        some = ", ".join((nearest or [cut.layer for cut in usable])[-5:])
        raise UsageError(
            f"{layer!r} is no cut of {name}: not every path goes through it, or there is no such layer; cuts are {some}, and "
            "others that `list_cuts` names",
            "cut",
        )
    if not found.weights_above:
        raise UsageError(
            f"{layer!r} has nothing above it that could be trained; take a cut further down", "cut"
        )
    return found


def cuts_between(model: "keras.Model", names: dict[int, str]) -> list[Cut]:
    """Return the cuts of a model, from its input up.

    A layer is one where the paths from the input to it, times those from it to the output, are all paths there are.

    Parameters
    ----------
    model : keras.Model
        Functional, with one input and one output.
    names : dict of int to str
        The layers that can be named: ``id(layer)`` → what it is called.
    """
    by_depth = model._nodes_by_depth
    nodes = [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]
    to: dict[int, int] = {}  # paths, exact whatever their number
    onward = dict.fromkeys(map(id, nodes), 0)
    for node in nodes:
        to[id(node)] = sum(to[id(parent)] for parent in node.parent_nodes) if node.parent_nodes else 1
    last = nodes[-1]
    onward[id(last)] = 1
    for node in reversed(nodes):
        for parent in node.parent_nodes:
            onward[id(parent)] += onward[id(node)]
    paths = to[id(last)]
    work = [_multiplications(node) for node in nodes]
    weights = [sum(math.prod(one.shape) for one in _weights(node)) for node in nodes]
    called = [id(node.operation) for node in nodes]
    found = []
    for place, node in enumerate(nodes):
        name = names.get(id(node.operation))
        if (
            name is None
            or not node.parent_nodes
            or called.count(id(node.operation)) > 1
            or to[id(node)] * onward[id(node)] != paths
        ):
            continue
        # Whatever is not computed from a cut is computed before it, in any order in which the whole can be computed.
        above = sum(work[place + 1 :]) / max(sum(work), 1)
        shape = tuple(node.output_tensors[0].shape[1:])
        if None not in shape:
            found.append(Cut(name, shape, above, sum(weights[place + 1 :])))
    return found


def _weights(node: Any) -> Sequence[Any]:
    return getattr(node.operation, "trainable_weights", ())


def _multiplications(node: Any) -> int:
    """Return how many multiplications a layer makes of one picture: every weight of a kernel at every place of its output."""
    kernels = sum(math.prod(one.shape) for one in _weights(node) if len(one.shape) > 1)
    return int(kernels * math.prod(node.output_tensors[0].shape[1:-1]))
