"""Weights files: where Keras keeps them, what they hash to, and how they are had when they are missing."""

import json
import os
import tempfile
import threading
from hashlib import sha256
from pathlib import Path

from embed.backbones import child, store
from embed.backbones.home import home
from embed.backbones.table import Backbone
from embed.errors import WeightsError

KERAS_SERVER = "https://storage.googleapis.com"  # where keras.applications downloads every weights file from
REACHABLE_SECONDS = 10  # a network that does not answer by then is taken for none
SUFFIXES = (".weights.h5", ".h5", ".hdf5", ".keras")
HDF5_MAGIC, ZIP_MAGIC = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"


def keras_folders() -> list[Path]:
    """The folders in which Keras looks for published weights; the last is where it would download to."""
    if "KERAS_HOME" in os.environ:
        base = Path(os.environ["KERAS_HOME"]).expanduser()
    else:
        user = Path.home()
        base = (user if os.access(user, os.W_OK) else Path(tempfile.gettempdir())) / ".keras"
    folders = [base / "models"]
    existing = next(folder for folder in (base, *base.absolute().parents) if folder.exists())
    if not os.access(existing, os.W_OK):
        folders.append(Path(tempfile.gettempdir()) / ".keras" / "models")
    return folders


def find(file_name: str) -> Path | None:
    """The published weights file on this machine, or None."""
    return next((path for folder in keras_folders() if (path := folder / file_name).is_file()), None)


def hash_file(file: Path) -> str:
    """Hexadecimal sha256 of a weights file, computed again only when the file has changed."""
    record = _record(file)
    stat = file.stat()
    state = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
    known = _read_record(record)
    if known is not None and known.get("state") == state:
        return str(known["sha256"])
    digest = store.file_sha256(file)
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        store.write_atomically(
            record, json.dumps({"path": os.fsdecode(file.absolute()), "state": state, "sha256": digest})
        )
    except OSError:
        return digest  # a folder that cannot be written costs the next run a second, no more
    return digest


def remembered(file: Path) -> str | None:
    """sha256 that a weights file had when it was last seen, or None."""
    known = _read_record(_record(file))
    return None if known is None else str(known["sha256"])


def locate(digest: str) -> Path | None:
    """A weights file seen before that still has this sha256, wherever it lies, or None."""
    for record in sorted((home() / "weights").glob("*.json")):
        known = _read_record(record)
        if known is not None and known["sha256"] == digest:
            file = Path(str(known.get("path")))
            if file.is_file() and hash_file(file) == digest:
                return file
    return None


def _record(file: Path) -> Path:
    return home() / "weights" / f"{sha256(os.fsencode(file.absolute())).hexdigest()[:32]}.json"


def _read_record(record: Path) -> dict | None:
    try:
        known = json.loads(record.read_text())
    except (OSError, ValueError):
        return None
    return known if isinstance(known, dict) and "sha256" in known else None


def own(file: Path) -> tuple[Path, str]:
    """Check a weights file of the user's own; return its path and sha256. Raises WeightsError."""
    if not file.name.endswith(SUFFIXES):
        raise WeightsError(
            f"{file} is no Keras weights file by its name; save one with model.save_weights('name.weights.h5')."
        )
    try:
        with file.open("rb") as stream:
            head = stream.read(8)
        if head != HDF5_MAGIC and not (file.suffix == ".keras" and head.startswith(ZIP_MAGIC)):
            raise WeightsError(
                f"{file} is not a Keras weights file: its content is neither HDF5 nor a .keras archive."
            )
        return file.absolute(), hash_file(file)
    except OSError as error:
        raise WeightsError(f"The weights file {file} cannot be read: {error.strerror}.") from error


def download(backbone: Backbone, *, classifier: bool) -> Path:
    """Let Keras download published weights to where it keeps them. Raises WeightsError, within seconds if offline."""
    file_name = backbone.weights_file_with_classifier if classifier else backbone.weights_file
    folder = keras_folders()[-1]
    problem = _unreachable()
    if problem is None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".tmp-", dir=folder) as temporary:
                reply = child.call(
                    {"job": "download", "backbone": backbone.keras_name, "classifier": classifier},
                    environment={"KERAS_HOME": temporary},
                )
                if "problem" not in reply:
                    path = folder / file_name
                    (Path(temporary) / "models" / file_name).replace(path)
                    return path
                problem = reply["problem"]
        except OSError as error:
            problem = f"{folder}: {error.strerror}"
    raise WeightsError(
        f"The ImageNet weights of {backbone.name} are not on this machine and could not be downloaded ({problem}): "
        f"put {file_name} into {folder}, or use --weights FILE, or --backbone tiny, which needs no download."
    )


def _unreachable() -> str | None:
    """Why Keras's server cannot be reached, or None where it can."""
    import urllib.error
    import urllib.request

    problem: list[str | None] = [f"no answer within {REACHABLE_SECONDS} s"]

    def ask() -> None:
        try:
            request = urllib.request.Request(KERAS_SERVER, method="HEAD")
            with urllib.request.build_opener().open(request, timeout=REACHABLE_SECONDS):
                problem[0] = None
        except urllib.error.HTTPError:
            problem[0] = None  # it answered
        except urllib.error.URLError as error:
            problem[0] = str(getattr(error.reason, "strerror", None) or error.reason)
        except OSError as error:
            problem[0] = error.strerror or str(error)

    # In a thread, since looking a name up knows no timeout.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(REACHABLE_SECONDS)
    return problem[0]
