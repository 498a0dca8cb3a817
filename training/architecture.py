"""The architecture of `tiny`, written once over four operations; PyTorch and the ONNX file each supply their own.

Pixels 0..255 go in, the last map of features comes out; the scaling of the pixels is the first operation.
"""

from typing import Any, Protocol

INPUT_SIZE = 112  # pixels, each side; the size the last phase of the training was centred on
DIMENSION = 512  # channels of the last map, hence features of a photograph
PIXEL_CENTRE, PIXEL_RANGE = 127.5, 64.0  # (pixel - centre) / range is what the first convolution sees
STEM_WIDTH, STEM_KERNEL, STEM_STRIDE = 48, 7, 4
STAGES = (
    (48, 1),
    (96, 2),
    (192, 1),
)  # (channels, residual blocks); each stage after the first halves the map


class Operations(Protocol):
    """What a framework has to offer for `trace` to build the network in it; maps are of its own type."""

    def scale(self, x: Any) -> Any:
        """Pixels 0..255 to the network's range."""

    def convolution(self, x: Any, name: str, filters: int, kernel: int, stride: int) -> Any:
        """Convolution with bias; `kernel // 2` zeros around the map, whatever its size."""

    def add(self, x: Any, y: Any, name: str) -> Any:
        """Sum of two maps."""

    def relu(self, x: Any, name: str) -> Any:
        """max(x, 0)."""


def trace(operations: Operations, pixels: Any) -> Any:
    """Run the architecture over `pixels` with a framework's operations; return the last map of features."""

    def convolved(x: Any, name: str, filters: int, kernel: int = 3, stride: int = 1) -> Any:
        return operations.relu(operations.convolution(x, f"{name}_conv", filters, kernel, stride), name)

    x = convolved(operations.scale(pixels), "stem", STEM_WIDTH, STEM_KERNEL, STEM_STRIDE)
    for stage, (width, blocks) in enumerate(STAGES, start=1):
        if stage > 1:
            x = convolved(x, f"stage{stage}_down", width, stride=2)
        for block in range(1, blocks + 1):
            name = f"stage{stage}_block{block}"
            inner = convolved(x, f"{name}_inner", width)
            outer = operations.convolution(inner, f"{name}_outer_conv", width, 3, 1)
            x = operations.relu(operations.add(x, outer, f"{name}_add"), name)
    return convolved(x, "features", DIMENSION, kernel=1)
