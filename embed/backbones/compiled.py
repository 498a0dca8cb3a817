"""A network compiled for this processor, kept beside its export: to read it takes a third of the time of compiling.

OpenVINO's own cache does not look at what it reads: one flipped bit in it gives wrong features. ``<openvino>-<key>.blob``
therefore starts with 16 bytes, the xxh3-128 of the rest; then 32 bytes, the sha256 of all that the result of compiling
depends on; then what OpenVINO writes. A damaged or foreign one, and one that somebody else may have written, is compiled
anew.
"""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash

from embed import files
from embed.backbones import store
from embed.backbones.backbone import ResolvedNetwork
from embed.backbones.graph import import_openvino
from embed.errors import CacheWriteError, UntrustedError
from embed.files.home import boundary

if TYPE_CHECKING:
    import openvino

DEVICE = "CPU"
CHECKSUM_BYTES, KEY_BYTES = 16, 32


def compiled_model(
    core: "openvino.Core",
    network: ResolvedNetwork,
    settings: dict[str, Any],
    read: Callable[[], "openvino.Model"],
) -> "openvino.CompiledModel":
    """Return a network compiled for the CPU and one picture at a time, from its file where there is one.

    Parameters
    ----------
    core : openvino.Core
    network : ResolvedNetwork
    settings : dict
        Of the compilation.
    read : callable
        Returns the graph, where it has to be compiled.
    """
    shape = [1, network.size, network.size, 3]
    about = {
        "openvino": import_openvino().get_version(),
        "processor": core.get_property(DEVICE, "FULL_DEVICE_NAME"),
        "capabilities": core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES"),
        "network": network.fingerprint,
        "shape": shape,
        "settings": settings,
    }
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).digest()
    release = hashlib.sha256(about["openvino"].encode()).hexdigest()[:8]
    file = store.folder(network) / f"{release}-{key.hex()[:16]}.blob"
    blob = _read(file, key)
    if blob is not None:
        return core.import_model(import_openvino().Tensor(blob), DEVICE, settings)
    graph = read()
    graph.reshape(shape)
    compiled = core.compile_model(graph, DEVICE, settings)
    _keep(file, key, compiled.export_model().getbuffer())
    return compiled


def _read(file: Path, key: bytes) -> np.ndarray | None:
    """Return what OpenVINO wrote, uint8 (bytes,), where it lies on disk."""
    try:
        with os.fdopen(boundary().open(file), "rb") as stream:
            data = np.memmap(stream, np.uint8, "r")
    except UntrustedError as error:
        files.tell(f"The compiled backbone is compiled again: {error}")
        return None
    except (OSError, ValueError):  # ValueError: an empty file cannot be mapped
        return None
    checksum, rest = data[:CHECKSUM_BYTES], data[CHECKSUM_BYTES:]
    if xxhash.xxh3_128_digest(rest.data) != checksum.tobytes() or rest[:KEY_BYTES].tobytes() != key:
        return None
    return rest[KEY_BYTES:]


def _keep(file: Path, key: bytes, blob: memoryview) -> None:
    """Put a file in place, and take those of other releases away; where that cannot be, the next run compiles again."""
    checksum = xxhash.xxh3_128(key)
    checksum.update(blob)
    try:
        with files.Draft(file.parent, durable=False, closed=True) as draft:
            for piece in (checksum.digest(), key, blob):
                draft.write(piece)
            draft.replace(file.name)
        for other in file.parent.glob("*.blob"):
            if other.name.partition("-")[0] != file.name.partition("-")[0]:
                other.unlink(missing_ok=True)
    except (OSError, CacheWriteError):
        return
