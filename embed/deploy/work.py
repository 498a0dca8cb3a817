"""Writing a file and running it, as the jobs of processes of their own: what is imported there is gone afterwards."""

from pathlib import Path
from typing import Any

import numpy as np

from embed.backbones import child
from embed.deploy.formats import FORMATS
from embed.deploy.plan import Format, Plan
from embed.errors import UsageError

# What converters and runtimes make of a network that they do not know.
WRONG = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    NotImplementedError,
    RuntimeError,
    OSError,
)


def write(suffix: str, plan: Plan, file: Path, folder: Path, calibration: np.ndarray | None = None) -> None:
    """Write a classifier into a file.

    Parameters
    ----------
    suffix : str
        Of its format.
    plan : Plan
    file : Path
    folder : Path
        For what crosses between the processes.
    calibration : uint8 ndarray of shape (m, size, size, 3), optional
        Photographs, where the file is to compute in eight bits.

    Raises
    ------
    UsageError
        It cannot be.
    WeightsError
        The weights are gone.
    """
    job: dict[str, Any] = {"do": "write", "suffix": suffix, "file": str(file), "plan": plan.to_job(folder)}
    if calibration is not None:
        job["calibration"] = str(folder / "calibration.npy")
        np.save(job["calibration"], calibration)
    child.call("embed.deploy.work", job)


def run(suffix: str, file: Path, pixels: np.ndarray, folder: Path) -> np.ndarray:
    """Return the probabilities that a file gives pixels, by the runtime of its format; as for `write` otherwise."""
    given, result = (folder / f"{name}.npy" for name in ("pixels", "probabilities"))
    np.save(given, pixels)
    child.call(
        "embed.deploy.work",
        {"do": "run", "suffix": suffix, "file": str(file), "pixels": str(given), "result": str(result)},
    )
    return np.load(result)


def _work(job: dict[str, Any]) -> dict[str, Any]:
    format, file = FORMATS[job["suffix"]], Path(job["file"])
    try:
        if job["do"] == "write":
            calibration = np.load(job["calibration"], mmap_mode="r") if "calibration" in job else None
            format.write(Plan.from_job(job["plan"]), file, calibration)
        else:
            np.save(job["result"], format.run(file, np.load(job["pixels"], mmap_mode="r")))
    except WRONG as error:
        raise UsageError(_reason(error, format, job["do"]), "to") from error
    return {}


def _reason(error: Exception, format: Format, what: str) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = (lines[-1] if lines else type(error).__name__).rstrip(".")
    return f"cannot be a file of {format.name} for this model: its tools do not {what} it ({said}); take another format"


def main() -> None:
    """Do the job of a child process."""
    child.serve(_work)
