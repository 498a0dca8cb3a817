"""A network as an OpenVINO model in the user's cache folder: made once, verified, made again when damaged."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from embed.backbones import child, store, tiny, weights
from embed.backbones.network import Network, ResolvedNetwork, grid_spans
from embed.backbones.quiet import import_openvino
from embed.backbones.table import TINY
from embed.errors import WeightsError


def export(network: Network | ResolvedNetwork, notify: Callable[[str], None] | None = None) -> Path:
    """Return the path of the network's OpenVINO model (.xml), exporting it where that has not been done.

    The model takes uint8 pixels (n, size, size, 3), RGB, for any n, and gives float32 features (n, d), or (n, h, w, c)
    with pooling "none"; the preprocessing is part of it. The export runs in a process of its own, and is announced
    through `notify` since it takes seconds. Raises WeightsError, UsageError, CacheWriteError.
    """
    resolved = network.resolve() if isinstance(network, Network) else network
    folder = resolved.export_folder
    if not store.intact(folder, resolved.fingerprint):
        resolved = with_weights(resolved)
        if notify is not None:
            notify(f"preparing {resolved.backbone.name} for this machine, once; this takes some seconds")
        store.publish(folder, resolved.fingerprint, lambda temporary: _make(resolved, temporary))
    return folder / store.MODEL


def with_weights(network: ResolvedNetwork) -> ResolvedNetwork:
    """The network with its weights file, looked for by its hash where it is not known. Raises WeightsError."""
    if network.weights_file is not None:
        return network
    file = weights.locate(network.weights_sha256)
    if file is None:
        name = network.backbone.weights_file if network.weights == "imagenet" else network.weights
        raise WeightsError(
            f"The weights of {network.backbone.name} that these features are computed with are gone from this machine: "
            f"no {name} has the sha256 {network.weights_sha256[:16]}… any more. Put that file back where it was."
        )
    return replace(network, weights_file=file)


def _make(network: ResolvedNetwork, folder: Path) -> dict[str, Any]:
    if network.backbone is TINY and network.layer == TINY.layer:
        return {**_make_tiny(network, folder), "network": network.to_json()}
    made = child.call(
        {
            "job": "export",
            "folder": os.fspath(folder),
            "network": network.to_json(),
        }
    )
    return {**made, "network": network.to_json()}


def _make_tiny(network: ResolvedNetwork, folder: Path) -> dict[str, Any]:
    """`tiny` is built from OpenVINO's own operations, so that it works at once and without TensorFlow."""
    openvino = import_openvino()
    from openvino import opset13 as opset

    graph = tiny.openvino_model(network.size, network.weights_file or tiny.WEIGHTS)
    features = graph.output(0).get_node().input_value(0)  # (n, h, w, c)
    height_and_width = np.array([1, 2])
    if network.mirror:
        (pixels,) = graph.get_parameters()
        readers = pixels.output(0).get_target_inputs()
        both = opset.concat([pixels, _turned(pixels)], axis=0)
        for reader in readers:
            reader.replace_source_output(both.output(0))
        plain, mirrored = opset.split(features, 0, 2).outputs()
        features = opset.multiply(opset.add(plain, _turned(mirrored)), np.float32(0.5))
    if network.pooling == "avg":
        features = opset.reduce_mean(features, height_and_width)
    elif network.pooling == "max":
        features = opset.reduce_max(features, height_and_width)
    elif network.pooling == "grid":
        spans = grid_spans(features.get_partial_shape()[1].get_length())
        regions = [_region(features, rows, columns) for rows in spans for columns in spans]
        features = opset.concat([opset.reduce_mean(region, height_and_width) for region in regions], axis=1)
    elif network.pooling == "flatten":
        features = opset.reshape(features, np.array([0, -1]), special_zero=True)
    graph = openvino.Model([opset.result(features)], graph.get_parameters(), TINY.name)
    store.write_graph(graph, folder)
    return {
        "shape": [length.get_length() for length in list(graph.output(0).get_partial_shape())[1:]],
        "libraries": {"openvino": openvino.__version__},
    }


def _turned(maps: Any) -> Any:
    """The mirror image of maps (n, h, w, c) in an OpenVINO graph: the columns from the last to the first."""
    from openvino import opset13 as opset

    last, beyond_the_first, backwards, width = (np.array([i]) for i in (-1, np.iinfo(np.int64).min, -1, 2))
    return opset.slice(maps, last, beyond_the_first, backwards, width)


def _region(maps: Any, rows: tuple[int, int], columns: tuple[int, int]) -> Any:
    """The cells of some rows and columns of maps (n, h, w, c) in an OpenVINO graph."""
    from openvino import opset13 as opset

    starts, stops = np.array([rows[0], columns[0]]), np.array([rows[1], columns[1]])
    return opset.slice(maps, starts, stops, np.array([1, 1]), np.array([1, 2]))
