"""Weights files: where Keras keeps them, what they hash to, and how they are had when they are missing."""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from embed import files
from embed.backbones import child, tuned
from embed.backbones.backbone import ResolvedNetwork, Weights
from embed.backbones.table import Application
from embed.errors import CacheError, CacheWriteError, WeightsError
from embed.files.home import boundary, home, kept

SUFFIXES = (".weights.h5", ".h5", ".hdf5", ".keras")
HDF5_MAGIC, ZIP_MAGIC = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"


def keras_folders() -> list[Path]:
    """Return the folders in which Keras looks for published weights; the last is where it would download to."""
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
    """Return the published weights file on this machine, or None."""
    return next((path for folder in keras_folders() if (path := folder / file_name).is_file()), None)


def file_sha256(file: Path) -> str:
    """Return the hexadecimal sha256 of a file's content."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_file(file: Path, beside: Sequence[Path] = (), *, published: bool = False) -> str:
    """Return the sha256 of a weights file, computed again only when the file has changed.

    Parameters
    ----------
    file : Path
    beside : sequence of Path
        Further files that belong to it: then it is the sha256 over the sha256 of each.
    published : bool
        Whether it is to stay what it was when it was first seen.

    Returns
    -------
    str
        Hexadecimal.

    Raises
    ------
    WeightsError
        A published file is another one than before.
    """
    record = _record(file)
    state = [number for part in (file, *beside) for number in _state(part)]
    known = _read_record(record, boundary())
    if known is not None and known.get("state") == state:
        return str(known["sha256"])
    digest = file_sha256(file)
    if beside:
        digests = [digest, *map(file_sha256, beside)]
        digest = hashlib.sha256(b"".join(map(bytes.fromhex, digests))).hexdigest()
    if published and known is not None and known["sha256"] != digest:
        raise WeightsError(
            f"{file} is no longer the file of published weights that it was (its sha256 was {known['sha256'][:16]}…, now "
            f"it is {digest[:16]}…): it was damaged or replaced. Delete it, so that Keras downloads it again; or give it as "
            f"weights of your own. Where the former file was the wrong one, delete {record} instead."
        )
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        files.close_to_others(record.parent)
        content = {
            "path": os.fsdecode(file.absolute()),
            "beside": [os.fsdecode(part.absolute()) for part in beside],
            "state": state,
            "sha256": digest,
        }
        files.write_document(record.parent, record.name, content, closed=True)
    except (OSError, CacheWriteError):
        return digest  # a folder that cannot be written costs the next run a second, no more
    return digest


def remembered(file: Path) -> str | None:
    """Return the sha256 that a weights file had when it was last seen, or None."""
    known = _read_record(_record(file), boundary())
    return None if known is None else str(known["sha256"])


def locate(digest: str) -> Path | None:
    """Return a weights file seen before that still has this sha256, wherever it lies, or None."""
    # Whoever wrote them: they only say where to look.
    for record in sorted(home().glob("weights*/*.json")):
        known = _read_record(record)
        if known is not None and known["sha256"] == digest:
            file, beside = Path(known["path"]), [*map(Path, known.get("beside", []))]
            if all(part.is_file() for part in (file, *beside)) and hash_file(file, beside) == digest:
                return file
    return None


def _state(file: Path) -> tuple[int, int, int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _record(file: Path) -> Path:
    return kept("weights", f"{hashlib.sha256(os.fsencode(file.absolute())).hexdigest()[:32]}.json")


def _read_record(record: Path, within: files.Boundary | None = None) -> dict | None:
    try:
        known = files.read_document(record, boundary=within)
    except (OSError, CacheError):
        return None
    if not isinstance(known.get("beside", []), list):
        return None
    texts = [known.get("sha256"), known.get("path"), *known.get("beside", [])]
    return known if all(isinstance(text, str) and "\0" not in text for text in texts) else None


def own(file: Path) -> Weights:
    """Check a weights file of the user's own.

    Raises
    ------
    WeightsError
        It is no such file, or cannot be read.
    """
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
        tuning = tuned.read(file)
        tuned_from = "" if tuning is None else tuning.tuned_from
        return Weights(file.name, hash_file(file), file.absolute(), tuned_from)
    except OSError as error:
        raise WeightsError(f"The weights file {file} cannot be read: {error.strerror}.") from error


def tuning(network: ResolvedNetwork) -> tuned.Tuning | None:
    """Return how the weights of a network were tuned; None where they were not.

    Raises
    ------
    WeightsError
        They were, and do not say how any more, or are gone.
    """
    if not network.tuned_from:
        return None
    found = None
    if network.weights_file is not None:
        with suppress(OSError):
            found = tuned.read(network.weights_file)
    if found is None:
        raise WeightsError(
            f"The tuned weights {network.weights} changed or went away meanwhile; run the command again."
        )
    return found


def download(application: Application, file_name: str) -> Path:
    """Let Keras download published weights to where it keeps them.

    Parameters
    ----------
    application : Application
    file_name : str
        One of its two weights files.

    Raises
    ------
    WeightsError
        They cannot be had.
    """
    folder = keras_folders()[-1]
    classifier = file_name == application.weights_file_with_classifier
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with files.temporary_folder(folder) as temporary:  # a download that is killed leaves half a file
            reply = child.call(
                "embed.backbones.download",
                {"backbone": application.keras_name, "classifier": classifier},
                environment={"KERAS_HOME": str(temporary)},
            )
            if "problem" not in reply:
                path = folder / file_name
                (temporary / "models" / file_name).replace(path)
                return path
            problem = reply["problem"]
    except OSError as error:
        problem = f"{folder}: {error.strerror}"
    raise WeightsError(
        f"The ImageNet weights of {application.name} are not on this machine and could not be downloaded ({problem}): "
        f"put {file_name} into {folder}, or give a file of weights of your own, or take the backbone tiny, which needs no download."
    )
