"""Exported backbones in the user's cache folder: found by fingerprint, verified, published whole or not at all."""

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from embed import files
from embed.backbones.backbone import ResolvedNetwork
from embed.backbones.weights import file_sha256
from embed.errors import CacheError, CacheWriteError, UntrustedError
from embed.files.home import boundary, kept

MODEL, WEIGHTS, META = "model.xml", "model.bin", "export.json"


def folder(network: ResolvedNetwork) -> Path:
    """Return where the export of a network is kept, whether it is there or not."""
    return kept("exports", f"{network.backbone.name}-{network.size}-{network.fingerprint[:16]}")


def intact(network: ResolvedNetwork) -> bool:
    """Return whether the export of a network is there, whole, and to be believed: OpenVINO trusts what it reads."""
    export = folder(network)
    try:
        meta = files.from_json(files.read_bytes(export / META, boundary=boundary()))
        return bool(meta["fingerprint"] == network.fingerprint) and all(
            _sha256(export / file) == meta["sha256"][file] for file in (MODEL, WEIGHTS)
        )
    except UntrustedError as error:
        files.tell(f"The exported backbone is made again: {error}")
        return False
    except (OSError, CacheError, ValueError, KeyError, TypeError):
        return False


def _sha256(file: Path) -> str:
    with os.fdopen(boundary().open(file), "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def writable() -> bool:
    """Return whether the user's cache folder takes exports."""
    place = kept("exports")
    existing = next(path for path in (place, *place.parents) if path.exists())
    return os.access(existing, os.W_OK)


def publish(network: ResolvedNetwork, make: Callable[[ResolvedNetwork, Path], dict[str, Any]]) -> None:
    """Let `make` write the model into a temporary folder, then put it in place in one step.

    Parameters
    ----------
    network : ResolvedNetwork
        Whoever publishes the same one first wins.
    make : callable
        Returns what should be recorded beside the hashes.

    Raises
    ------
    CacheWriteError
        The disk refused.
    """
    export = folder(network)
    try:
        export.parent.mkdir(parents=True, exist_ok=True)
        files.close_to_others(export.parent)
        with suppress(CacheWriteError):  # what another user left
            files.sweep(export.parent)
        with files.temporary_folder(export.parent) as temporary:
            meta = make(network, temporary) | {
                "fingerprint": network.fingerprint,
                "network": network.to_json(),
                "sha256": {file: file_sha256(temporary / file) for file in (MODEL, WEIGHTS)},
            }
            (temporary / META).write_text(json.dumps(meta, indent=2, sort_keys=True))
            for file in temporary.iterdir():
                files.close_to_others(file)
            while not files.publish_folder(temporary, export) and not intact(network):
                with files.temporary_folder(export.parent) as aside:
                    (aside / "damaged").mkdir()
                    with suppress(FileNotFoundError):  # another process was faster
                        export.replace(aside / "damaged")
    except OSError as error:
        raise CacheWriteError(
            f"Cannot write exported backbones to {export.parent}: {error.strerror}. "
            "Free some space or set EMBED_HOME to another folder."
        ) from error
