"""The formats by the suffixes of their files."""

from importlib.util import find_spec
from pathlib import Path

from embed.deploy.keras_format import Keras
from embed.deploy.litert_format import LiteRT
from embed.deploy.onnx_format import ONNX
from embed.deploy.openvino_format import OpenVINO
from embed.deploy.plan import Format
from embed.deploy.saved_model_format import SavedModel
from embed.errors import UsageError

FORMATS: dict[str, Format] = {
    ".onnx": ONNX(),
    ".tflite": LiteRT(),
    ".xml": OpenVINO(),
    ".keras": Keras(),
    "": SavedModel(),
}
KNOWN = (
    ".onnx, .tflite (LiteRT), .xml (OpenVINO) or .keras, or in nothing for TensorFlow's SavedModel, a folder"
)


def of(to: Path) -> tuple[str, Format]:
    """Return the format that the name of a file says, with its suffix.

    Raises
    ------
    UsageError
        It says none.
    """
    suffix = to.suffix.lower()
    if suffix not in FORMATS:
        raise UsageError(f"{str(to)!r} does not say which format: its name ends in {KNOWN}", "to")
    return suffix, FORMATS[suffix]


def check(format: Format, backbone: str, *, of_keras: bool, int8: bool) -> None:
    """Raise UsageError where a format cannot be had: for this network, or on this machine."""
    if not of_keras and not format.any_network:
        raise UsageError(
            f"cannot be a file of {format.name}: {backbone} is a network in an ONNX file, which stays one; write .onnx or "
            "OpenVINO's .xml",
            "to",
        )
    if int8 and not format.int8:
        able = " and ".join(suffix for suffix, known in FORMATS.items() if known.int8)
        raise UsageError(f"is not there for {format.name}; {able} can compute in eight bits", "int8")
    missing = [module for module in format.packages if find_spec(module) is None]
    if missing:
        raise UsageError(
            f"needs {', '.join(missing)} for a file of {format.name}: pip install 'embed-images[deploy]'",
            "to",
        )
