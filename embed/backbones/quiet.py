"""OpenVINO without its telemetry: `import openvino` alone would report itself over the network, in a process it forks."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import types


def import_openvino() -> "types.ModuleType":
    """Import OpenVINO; where this is the first import of it, it sends nothing, now or later."""
    # OpenVINO does without the package where it cannot be imported, and this is how a module is made so.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino
