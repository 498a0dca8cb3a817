"""A classifier as one model of Keras, for the formats that Keras and TensorFlow write."""

from typing import TYPE_CHECKING, Any

import numpy as np

from embed.backbones import build
from embed.backbones.export import with_weights
from embed.deploy.arithmetic import Arithmetic
from embed.deploy.plan import PIXELS, PROBABILITIES, Plan

if TYPE_CHECKING:
    import keras


def features_model(plan: Plan) -> "keras.Model":
    """Return the network with its pooling: pixels, uint8 (n, size, size, 3), in; features, float32 (n, d), out."""
    network = with_weights(plan.network)
    return build.complete(network.backbone.keras_model(network, "float32"), network)


def classifier(plan: Plan, *, batch: int | None = None) -> "keras.Model":
    """Return a classifier: `PIXELS`, uint8 (n, h, w, 3), in; `PROBABILITIES`, float32 (n, K), out.

    Parameters
    ----------
    plan : Plan
    batch : int, optional
        Pictures that it takes; by default any number.
    """
    import keras

    features = features_model(plan)
    with build.settings("float32"):
        size = None if plan.any_size else plan.network.size
        pixels = keras.Input((size, size, 3), batch_size=batch, dtype="uint8", name=PIXELS)
        x = pixels
        if plan.any_size:
            side = plan.network.size
            x = keras.layers.Resizing(side, side, "bilinear", antialias=True)(keras.ops.cast(x, "float32"))
            x = keras.ops.cast(keras.ops.round(x), "uint8")
        x = plan.head.write(features(x), KerasArithmetic())
        # Its name is that of the output where the format has names.
        x = keras.layers.Identity(name=PROBABILITIES)(x)
        return keras.Model(pixels, x, name="classifier")


class KerasArithmetic(Arithmetic):
    """The arithmetic of a head in Keras; matrices are the weights of layers, and not part of what describes them."""

    def __init__(self) -> None:
        import keras

        self._ops = keras.ops
        self._dense = keras.layers.Dense

    def affine(self, x: Any, matrix: np.ndarray, offset: np.ndarray) -> Any:
        layer = self._dense(matrix.shape[1])
        y = layer(x)
        layer.set_weights([matrix, offset])
        return y

    def add(self, x: Any, y: Any) -> Any:
        return self._ops.add(x, y)

    def multiply(self, x: Any, y: Any) -> Any:
        return self._ops.multiply(x, y)

    def divide(self, x: Any, y: Any) -> Any:
        return self._ops.divide(x, y)

    def total(self, x: Any) -> Any:
        return self._ops.sum(x, axis=1, keepdims=True)

    def at_least(self, x: Any, least: np.float32) -> Any:
        return self._ops.maximum(x, float(least))

    def absolute(self, x: Any) -> Any:
        return self._ops.absolute(x)

    def below_zero(self, x: Any) -> Any:
        return self._ops.cast(self._ops.less(x, 0.0), "float32")

    def exponential(self, x: Any) -> Any:
        return self._ops.exp(x)

    def square_root(self, x: Any) -> Any:
        return self._ops.sqrt(x)

    def cube_root(self, x: Any) -> Any:
        return self._ops.multiply(self._ops.sign(x), self._ops.power(self._ops.absolute(x), 1 / 3))

    def sigmoid(self, x: Any) -> Any:
        return self._ops.sigmoid(x)

    def softmax(self, x: Any) -> Any:
        return self._ops.softmax(x, axis=-1)
