"""OpenVINO: imported without its telemetry, and what every graph gets: the mirror image and the pooling."""

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from embed.backbones.backbone import ResolvedNetwork, grid_spans, is_pooled

if TYPE_CHECKING:
    import types

    import openvino

HEIGHT_AND_WIDTH = (1, 2)


def import_openvino() -> "types.ModuleType":
    """Import OpenVINO; where this is the first import of it, it sends nothing, now or later.

    ``import openvino`` alone would report itself over the network, in a process that it forks.
    """
    # OpenVINO does without the package where it cannot be imported, and this is how a module is made so.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def complete(graph: "openvino.Model", network: ResolvedNetwork) -> "openvino.Model":
    """Add the mirror image and the pooling to the graph of a backbone.

    Parameters
    ----------
    graph : openvino.Model
        As `Backbone.graph` returns it.
    network : ResolvedNetwork

    Returns
    -------
    openvino.Model
        Pixels, uint8 (n, size, size, 3), in; features, float32 (n, d), or the map (n, h, w, c), out; for any n.

    Raises
    ------
    UsageError
        The layer has no map to pool.
    """
    openvino = import_openvino()
    from openvino import opset13 as opset

    features = graph.output(0).get_node().input_value(0)
    pooled = is_pooled(features.get_partial_shape().rank.get_length(), network)
    if network.mirror:
        (pixels,) = graph.get_parameters()
        readers = pixels.output(0).get_target_inputs()
        both = opset.concat([pixels, _turned(pixels)], axis=0)
        for reader in readers:
            reader.replace_source_output(both.output(0))
        graph.validate_nodes_and_infer_types()
        plain, mirrored = opset.split(features, 0, 2).outputs()
        if features.get_partial_shape().rank.get_length() == 4:
            mirrored = _turned(mirrored)
        features = opset.multiply(opset.add(plain, mirrored), np.float32(0.5)).output(0)
    if not pooled:
        features = _pool(features, network.pooling)
    return openvino.Model([opset.result(features)], graph.get_parameters(), network.backbone.name)


def _pool(maps: "openvino.Output", pooling: str) -> Any:
    from openvino import opset13 as opset

    inner = np.arange(1, maps.get_partial_shape().rank.get_length() - 1)  # height and width of maps; tokens
    if pooling == "avg":
        return opset.reduce_mean(maps, inner)
    if pooling == "max":
        return opset.reduce_max(maps, inner)
    if pooling == "cls":
        return opset.gather(maps, np.int64(0), np.int64(1))
    if pooling == "flatten":
        return opset.reshape(maps, np.array([0, -1]), special_zero=True)
    rows, columns = (grid_spans(maps.get_partial_shape()[axis].get_length()) for axis in HEIGHT_AND_WIDTH)
    regions = [_region(maps, vertical, horizontal) for vertical in rows for horizontal in columns]
    return opset.concat([_pool(region.output(0), "avg") for region in regions], axis=1)


def _turned(maps: Any) -> Any:
    """Return the mirror image of maps (n, h, w, c): the columns from the last to the first."""
    from openvino import opset13 as opset

    last, beyond_the_first, backwards, width = (np.array([i]) for i in (-1, np.iinfo(np.int64).min, -1, 2))
    return opset.slice(maps, last, beyond_the_first, backwards, width)


def _region(maps: Any, rows: tuple[int, int], columns: tuple[int, int]) -> Any:
    """Return the cells of some rows and columns of maps (n, h, w, c)."""
    from openvino import opset13 as opset

    starts, stops = np.array([rows[0], columns[0]]), np.array([rows[1], columns[1]])
    return opset.slice(maps, starts, stops, np.array([1, 1]), np.array(HEIGHT_AND_WIDTH))
