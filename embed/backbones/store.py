"""Exported backbones in the user's cache folder: found by fingerprint, verified, published whole or not at all."""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embed.backbones.home import home
from embed.backbones.quiet import import_openvino
from embed.errors import CacheWriteError

if TYPE_CHECKING:
    import openvino

MODEL, WEIGHTS, META = "model.xml", "model.bin", "export.json"
STALE_SECONDS = 24 * 3600  # a temporary folder this old was left by a process that died


def folder(name: str, fingerprint: str) -> Path:
    """Where the export of a network lives, whether it is there or not."""
    return home() / "exports" / f"{name}-{fingerprint[:16]}"


def intact(export: Path, fingerprint: str) -> bool:
    """Whether an export is there, whole, and of this network."""
    try:
        meta = json.loads((export / META).read_text())
        return bool(meta["fingerprint"] == fingerprint) and all(
            file_sha256(export / file) == meta["sha256"][file] for file in (MODEL, WEIGHTS)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def file_sha256(file: Path) -> str:
    """Hexadecimal sha256 of a file's content."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_graph(graph: "openvino.Model", export: Path) -> None:
    """Write the graph of an export into its folder. Raises CacheWriteError where the disk refuses."""
    try:
        import_openvino().serialize(graph, export / MODEL)
    except RuntimeError as error:  # OpenVINO says no more of a full disk
        raise CacheWriteError(
            f"OpenVINO cannot write the exported backbone to {export.parent} ({error}). "
            "Free some space or set EMBED_HOME to another folder."
        ) from error


def publish(export: Path, fingerprint: str, make: Callable[[Path], dict[str, Any]]) -> None:
    """Let `make` write the model into a temporary folder, then put it in place in one step.

    `make` returns what should be recorded beside the hashes. Whoever publishes the same network first wins.
    """
    try:
        export.parent.mkdir(parents=True, exist_ok=True)
        _sweep(export.parent)
        temporary = Path(tempfile.mkdtemp(prefix=".tmp-", dir=export.parent))
    except OSError as error:
        raise CacheWriteError(
            f"Cannot write exported backbones to {export.parent}: {error.strerror}. Set EMBED_HOME to another folder."
        ) from error
    try:
        meta = make(temporary)
        meta |= {
            "fingerprint": fingerprint,
            "sha256": {file: file_sha256(temporary / file) for file in (MODEL, WEIGHTS)},
        }
        for file in (MODEL, WEIGHTS):
            with (temporary / file).open("rb") as stream:
                os.fsync(stream.fileno())
        write_atomically(temporary / META, json.dumps(meta, indent=2, sort_keys=True))
        _put_in_place(temporary, export, fingerprint)
    except OSError as error:
        raise CacheWriteError(
            f"Cannot write the exported backbone to {export.parent}: {error.strerror}. "
            f"Free some space or set EMBED_HOME to another folder."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put_in_place(temporary: Path, export: Path, fingerprint: str) -> None:
    temporary.chmod(0o755)
    while True:
        try:
            temporary.rename(export)
            return
        except OSError:
            if not export.exists():
                raise
        if intact(export, fingerprint):
            return  # another process was faster
        aside = Path(tempfile.mkdtemp(prefix=".tmp-", dir=export.parent))
        try:
            export.rename(aside / "damaged")
        except FileNotFoundError:
            pass  # another process set it aside
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def write_atomically(file: Path, text: str) -> None:
    """Write a small file under a temporary name and rename it, so that no reader sees half of it."""
    descriptor, name = tempfile.mkstemp(prefix=".tmp-", dir=file.parent)
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(descriptor)
        Path(name).rename(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _sweep(exports: Path) -> None:
    for leftover in exports.glob(".tmp-*"):
        if leftover.is_dir() and time.time() - leftover.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(leftover, ignore_errors=True)
