"""`tiny`: the small backbone that comes with the package, weights and all.

The architecture is written once, in `trace`, over four operations; Keras, OpenVINO and the training code
each supply their own. Pixels 0..255 go in, the last map of features comes out; everything in between, the
scaling of the pixels included, is part of the graph.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    import keras
    import openvino

WEIGHTS = Path(__file__).with_name("tiny.h5")
INPUT_SIZE = 112  # pixels, each side; the size the last phase of the training was centred on
DIMENSION = 512  # channels of the last map, hence features of a photograph
STRIDE = 16  # a map of features has 1/16 of the picture's side, rounded up
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


def fingerprint() -> str:
    """sha256 of the weights file, in hexadecimal."""
    return hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()


def load_weights(path: Path = WEIGHTS) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Kernel (height, width, in, out) and bias (out,) of every convolution, float32, by its name."""
    import h5py

    with h5py.File(path) as file:
        return {
            name: (group["kernel"][:].astype(np.float32), group["bias"][:].astype(np.float32))
            for name, group in file.items()
        }


def build(size: int | None = INPUT_SIZE, weights: Path | None = WEIGHTS) -> "keras.Model":
    """The Keras model: pixels 0..255 of shape (n, size, size, 3) in, features (n, h, w, 512) out, no pooling.

    `size=None` leaves the size open; `weights=None` leaves the random initialisation.
    """
    import keras

    class KerasOperations:
        def scale(self, x: Any) -> Any:
            return keras.layers.Rescaling(1 / PIXEL_RANGE, -PIXEL_CENTRE / PIXEL_RANGE, name="scale")(x)

        def convolution(self, x: Any, name: str, filters: int, kernel: int, stride: int) -> Any:
            if kernel > 1:
                x = keras.layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
            return keras.layers.Conv2D(filters, kernel, stride, name=name)(x)

        def add(self, x: Any, y: Any, name: str) -> Any:
            return keras.layers.Add(name=name)([x, y])

        def relu(self, x: Any, name: str) -> Any:
            return keras.layers.ReLU(name=name)(x)

    inputs = keras.Input((size, size, 3), name="pixels")
    model = keras.Model(inputs, trace(KerasOperations(), inputs), name="tiny")
    if weights is not None:
        for name, values in load_weights(weights).items():
            model.get_layer(name).set_weights(values)
    return model


def openvino_model(size: int | None = INPUT_SIZE, weights: Path = WEIGHTS) -> "openvino.Model":
    """The same network as an OpenVINO model, without TensorFlow or Keras.

    uint8 pixels of shape (n, size, size, 3) in, float32 features (n, h, w, 512) out, any n.
    `size=None` leaves the size open.
    """
    import openvino
    from openvino import opset13 as opset

    values = load_weights(weights)

    class OpenVINOOperations:
        def scale(self, x: Any) -> Any:
            centred = opset.subtract(opset.convert(x, "f32"), np.float32(PIXEL_CENTRE))
            scaled = opset.multiply(centred, np.float32(1 / PIXEL_RANGE))
            return opset.transpose(scaled, np.array([0, 3, 1, 2]))

        def convolution(self, x: Any, name: str, filters: int, kernel: int, stride: int) -> Any:
            weight, bias = values[name]
            weight = np.ascontiguousarray(weight.transpose(3, 2, 0, 1))
            padding = [kernel // 2] * 2
            y = opset.convolution(
                x, opset.constant(weight), [stride] * 2, padding, padding, [1, 1], name=name
            )
            return opset.add(y, opset.constant(bias.reshape(1, -1, 1, 1)))

        def add(self, x: Any, y: Any, name: str) -> Any:
            return opset.add(x, y, name=name)

        def relu(self, x: Any, name: str) -> Any:
            return opset.relu(x, name=name)

    side = -1 if size is None else size
    pixels = opset.parameter([-1, side, side, 3], np.uint8, name="pixels")
    features = opset.transpose(trace(OpenVINOOperations(), pixels), np.array([0, 2, 3, 1]))
    return openvino.Model([opset.result(features, name="features")], [pixels], "tiny")
