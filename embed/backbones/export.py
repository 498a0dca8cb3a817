"""A network as an OpenVINO model in the user's cache folder: made once, verified, made again when damaged."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from embed.backbones import child, store, weights
from embed.backbones.backbone import ResolvedNetwork
from embed.backbones.network import Network
from embed.backbones.write import write
from embed.errors import WeightsError
from embed.files.home import home


def export(network: Network | ResolvedNetwork, notify: Callable[[str], None] | None = None) -> Path:
    """Return the OpenVINO model (.xml) of a network, exporting it where that has not been done.

    The model takes uint8 pixels (n, size, size, 3), RGB, for any n, and gives float32 features (n, d), or (n, h, w, c)
    where nothing is pooled; the preprocessing is part of it. It is kept in the user's cache folder; where that cannot be
    written to, until this process ends.

    Parameters
    ----------
    network : Network or ResolvedNetwork
    notify : callable, optional
        Told that there is an export, which takes seconds.

    Raises
    ------
    WeightsError, UsageError
    CacheWriteError
        The disk refused.
    """
    resolved = network.resolve() if isinstance(network, Network) else network
    if store.intact(resolved):
        return store.folder(resolved) / store.MODEL
    resolved = with_weights(resolved)
    writable = store.writable()
    if notify is not None:
        place = "once" if writable else f"for this run only, since {home()} cannot be written to"
        notify(f"preparing {resolved.backbone.name} for this machine, {place}; this takes some seconds")
    if writable:
        store.publish(resolved, _make)
        return store.folder(resolved) / store.MODEL
    temporary = Path(tempfile.mkdtemp(prefix="embed-"))
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    _make(resolved, temporary)
    return temporary / store.MODEL


def with_weights(network: ResolvedNetwork) -> ResolvedNetwork:
    """Return the network with its weights file, looked for by its hash where it is not known.

    Raises
    ------
    WeightsError
        It is gone.
    """
    if network.weights_file is not None:
        return network
    file = weights.locate(network.weights_sha256)
    if file is None:
        name = "file" if network.weights == "imagenet" else network.weights
        raise WeightsError(
            f"The weights of {network.backbone.name} that these features are computed with are gone from this machine: "
            f"no {name} has the sha256 {network.weights_sha256[:16]}… any more. Put that file back where it was."
        )
    return replace(network, weights_file=file)


def _make(network: ResolvedNetwork, folder: Path) -> dict[str, Any]:
    if not network.backbone.apart:
        return write(network, folder)
    job = {"folder": os.fspath(folder), "network": network.to_json()}
    return child.call("embed.backbones.write", job)
