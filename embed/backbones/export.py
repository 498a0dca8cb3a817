"""A network as an OpenVINO model in the user's cache folder: made once, verified, made again when damaged."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from embed.backbones import child, store
from embed.backbones.network import Network, ResolvedNetwork
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
        if resolved.weights_file is None:
            raise WeightsError(
                f"The exported {resolved.backbone.name} is damaged and its weights file, from which it could be made "
                f"again, is gone; put {resolved.backbone.weights_file} back where Keras looks for it."
            )
        if notify is not None:
            notify(f"preparing {resolved.backbone.name} for this machine, once; this takes some seconds")
        store.publish(folder, resolved.fingerprint, lambda temporary: _make(resolved, temporary))
    return folder / store.MODEL


def _make(network: ResolvedNetwork, folder: Path) -> dict[str, Any]:
    made = child.call(
        {
            "job": "export",
            "folder": os.fspath(folder),
            "network": network.to_json(),
        }
    )
    return {**made, "network": network.to_json()}


def read_meta(model: Path) -> dict[str, Any]:
    """What was recorded when a model was exported: shape, libraries, hashes."""
    return dict(json.loads((model.parent / store.META).read_text()))
